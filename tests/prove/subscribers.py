"""Subscribers as docs/api/subscribe.md wants them: they keep the newest position of each channel and come back with it.

Each goes on at random over another transport and to another process; some leave while they are still catching up.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from websockets.exceptions import WebSocketException

from tests.prove.installation import Installation
from tests.prove.log import Began, Ended, Log, Moved, Place, Received, Refused, Reset, Subscribed, read_place
from tests.prove.wire import FAILURES, Broken


class Rejected(Exception):
    """The server says that the client is wrong; the client is not."""


Follow = Callable[["Subscriber", int], Awaitable[None]]


class Subscriber:
    """One client with a few channels. `follow` are the transports that it may use, by name."""

    def __init__(
        self,
        name: str,
        channels: Sequence[str],
        *,
        installation: Installation,
        log: Log,
        rng: random.Random,
        follow: dict[str, Follow],
        since: dict[str, Place] | None = None,
    ) -> None:
        self.name = name
        self.channels = channels
        self.positions: dict[str, Place] = dict(since or {})
        self.rng = rng
        self.realm = installation.realm.id
        self.is_settled = asyncio.Event()  # it has a position of every channel
        self._asked: dict[str, Place] = {}
        self._unconfirmed: set[str] = set()
        self._installation = installation
        self._log = log
        self._follow = follow

    async def run(self) -> None:
        """Connect, listen, leave, come back, until cancelled."""
        while True:
            door = self.rng.choice(self._installation.doors)
            transport = self._choose_transport()
            self._asked = dict(self.positions)
            self._log.add(Began(self._log.now(), self.name, transport, door.name, self._asked))
            why = "left"
            try:
                async with asyncio.timeout(self._choose_lifetime()):
                    await self._follow[transport](self, door.port)
            except Rejected as error:
                why = str(error)
                self._log.add(Refused(self._log.now(), self.name, f"{transport}: {error}"))
            except (*FAILURES, WebSocketException) as error:
                why = f"{type(error).__name__} {error}".strip()
            self._log.add(Ended(self._log.now(), self.name, why))
            await asyncio.sleep(self.rng.uniform(0.02, 0.3))

    def _choose_transport(self) -> str:
        """Return any, but one that can ask for each channel apart while only some positions are known."""
        if self.positions and len(self.positions) < len(self.channels) and "websocket" in self._follow:
            return "websocket"
        return self.rng.choice(list(self._follow))

    def _choose_lifetime(self) -> float:
        return self.rng.uniform(0.05, 0.5) if self.rng.random() < 0.15 else self.rng.uniform(1.0, 12.0)

    # -- what the server says, from the transports

    def take(self, message: dict[str, Any]) -> None:
        """Take one message; see docs/api/subscribe.md for the types."""
        match message["type"]:
            case "item" | "position":
                self._receive(message)
            case "subscribed":
                self._subscribe(message)
            case "reset":
                channel, place = message["channel"], read_place(message["position"])
                self._unconfirmed.discard(channel)
                self.positions[channel] = place
                self._log.add(Reset(self._log.now(), self.name, channel, place, message["reason"]))
            case "error" if message["code"] == "unavailable":
                raise Broken(message["message"])
            case "error":
                raise Rejected(f"{message['code']}: {message['message']}")

    def _receive(self, message: dict[str, Any]) -> None:
        channel, place = message["channel"], read_place(message["position"])
        content = message["data"]["id"] if "data" in message else message.get("text")
        self.positions[channel] = place
        self._log.add(Received(self._log.now(), self.name, channel, place, message.get("id"), content))

    def _subscribe(self, message: dict[str, Any]) -> None:
        channel, place, recovered = message["channel"], read_place(message["position"]), message["recovered"]
        self._log.add(Subscribed(self._log.now(), self.name, channel, place, recovered))
        if channel not in self._asked:
            self.positions[channel] = place
            self._settle()
        elif not recovered:
            self._unconfirmed.add(channel)  # a reset follows, and moves the position

    def begin(self) -> None:
        """Know that the server has accepted the connection."""
        self._unconfirmed.clear()

    def take_cursor(self, cursor: str) -> None:
        """Keep the positions of a cursor, for all channels in the order of the request."""
        if self._unconfirmed:
            return
        for channel, text in zip(self.channels, cursor.split(","), strict=True):
            place = read_place(text)
            if self.positions.get(channel) != place:
                self.positions[channel] = place
                self._log.add(Moved(self._log.now(), self.name, channel, place))
        self._settle()

    def _settle(self) -> None:
        if len(self.positions) == len(self.channels):
            self.is_settled.set()

    # -- what the client sends

    @property
    def cursor(self) -> str | None:
        """Positions of all channels as they are sent back; None before all are known."""
        if len(self.positions) < len(self.channels):
            return None
        return ",".join(str(self.positions[channel]) for channel in self.channels)


class Audience:
    """All subscribers and their tasks."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.subscribers: list[Subscriber] = []
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []

    def add(self, subscriber: Subscriber) -> None:
        """Let the subscriber run."""
        self.subscribers.append(subscriber)
        self._running.append(self._tasks.create_task(subscriber.run()))

    async def wait_until_settled(self, timeout_s: float) -> bool:
        """Wait until everybody has a position of each of its channels; return whether they have."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for subscriber in self.subscribers:
                    await subscriber.is_settled.wait()
        return all(subscriber.is_settled.is_set() for subscriber in self.subscribers)

    def count_behind(self) -> int:
        """Return how many subscriptions are not where the others in the channel are."""
        tops: dict[str, Place] = {}
        for subscriber in self.subscribers:
            for channel, place in subscriber.positions.items():
                tops[channel] = max(place, tops.get(channel, place), key=lambda place: place.offset)
        return sum(
            subscriber.positions.get(channel) != tops.get(channel)
            for subscriber in self.subscribers
            for channel in subscriber.channels
        )

    def leave(self) -> None:
        """End all of them."""
        for task in self._running:
            task.cancel()
