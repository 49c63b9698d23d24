"""Writers that number what they publish, repeat what was not acknowledged, and log both.

Three kinds, each with the order that docs/api/publish.md promises it: one after the other, several items in a request
(perhaps to two channels), and bursts of parallel requests that are chained by `prev-id`.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.prove.installation import Installation
from tests.prove.log import Acknowledged, Attempted, Log, OrderUnknown, Refused, Unanswered
from tests.prove.process import Process
from tests.prove.wire import FAILURES, Answer, HttpConnection

#: An id is remembered for 60 s from its first use; repeating stops before that (docs/api/publish.md).
GIVE_UP_S = 45.0
ANSWER_TIMEOUT_S = 5.0
MAX_RETRY_AFTER_S = 2.0
#: A chained item waits 5 s for the one before it; with less between first and last, the order is promised.
PROMISED_ORDER_S = 4.5
#: After that long nothing waits any more.
REORDER_OVER_S = 6.5
BURST = 4


@dataclass(frozen=True, slots=True)
class Item:
    """One item, and how it is published."""

    channel: str
    writer: str
    number: int
    is_for_streams_only: bool = False
    prev_id: str | None = None
    padding: int = 0

    @property
    def id(self) -> str:
        return f"{self.channel}/{self.writer}/{self.number}"

    def as_json(self) -> dict[str, Any]:
        """Return the member of `items`; its content repeats the id."""
        item: dict[str, Any] = {"channel": self.channel, "id": self.id}
        if self.prev_id is not None:
            item["prev-id"] = self.prev_id
        if self.is_for_streams_only:
            return item | {"http-stream": {"content": self.id}}
        return item | {"json-object": {"id": self.id, "padding": "." * self.padding}}


class Courier:
    """Brings one request at a time, on a connection that it keeps until it fails."""

    def __init__(self, installation: Installation, log: Log, rng: random.Random, in_flight: Counter[str]) -> None:
        self._installation = installation
        self._log = log
        self._rng = rng
        self._in_flight = in_flight
        self._door: Process | None = None
        self._connection: HttpConnection | None = None

    async def bring(self, items: Sequence[Item]) -> bool:
        """Publish `items` together, again and again until it is acknowledged; return False if it never was."""
        deadline = self._log.now() + GIVE_UP_S
        body = json.dumps({"items": [item.as_json() for item in items]}).encode()
        while self._log.now() < deadline:
            pause_s = await self._try(items, body)
            if pause_s is None:
                return True
            await asyncio.sleep(pause_s)
        return False

    async def _try(self, items: Sequence[Item], body: bytes) -> float | None:
        """Publish once; return None if it was acknowledged, else how long to wait before the next time."""
        log = self._log
        if self._door is None or self._rng.random() < 0.05:
            self._leave()
            self._door = self._rng.choice(self._installation.doors)
        door = self._door.name
        for item in items:
            log.add(
                Attempted(log.now(), item.id, item.channel, item.writer, item.number, item.is_for_streams_only, door)
            )
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer, text = await self._post(self._door, body)
        except FAILURES as error:
            self._leave()
            why, pause_s = type(error).__name__, self._rng.uniform(0.02, 0.2)
        else:
            if answer.status == 200:
                for item in items:
                    log.add(Acknowledged(log.now(), item.id, door))
                return None
            if answer.status != 429 and answer.status < 500:
                log.add(Refused(log.now(), items[0].writer, f"publish: {answer.status} {text[:200]}"))
            why, pause_s = f"{answer.status} {text.strip()[:80]}", self._retry_after(answer)
            self._door = self._rng.choice(self._installation.doors)
            self._leave()
        for item in items:
            log.add(Unanswered(log.now(), item.id, why, door))
        return pause_s

    async def _post(self, door: Process, body: bytes) -> tuple[Answer, str]:
        headers = {"Authorization": self._installation.realm.authorization, "Content-Type": "application/json"}
        if self._connection is None:
            self._connection = await HttpConnection.connect(door.port)
        self._in_flight[door.name] += 1
        try:
            path = f"/realm/{self._installation.realm.id}/publish/"
            answer = await self._connection.request("POST", path, body=body, headers=headers)
            return answer, (await self._connection.read_body(answer)).decode(errors="replace")
        finally:
            self._in_flight[door.name] -= 1

    def _retry_after(self, answer: Answer) -> float:
        asked = answer.headers.get("retry-after", "")
        return min(float(asked) if asked.isdecimal() else 0.5, MAX_RETRY_AFTER_S) * self._rng.uniform(1.0, 1.2)

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self._connection = None
        self._door = None


class Writer:
    """Publishes numbered items to its channels until it is told to stop."""

    def __init__(self, name: str, channels: Sequence[str], couriers: Sequence[Courier], rng: random.Random) -> None:
        self.name = name
        self.unacknowledged = 0
        self._channels = channels
        self._couriers = couriers
        self._rng = rng
        self._numbers: Counter[str] = Counter()

    def next_item(self, channel: str, prev_id: str | None = None) -> Item:
        """Return the next item of a channel, of random kind and size."""
        self._numbers[channel] += 1
        is_for_streams_only = self._rng.random() < 0.1
        padding = self._rng.choice([0, 0, 0, 20, 200, 3000])
        return Item(channel, self.name, self._numbers[channel], is_for_streams_only, prev_id, padding)

    async def run(self, stop: asyncio.Event, *, pause_s: float) -> None:
        """Publish one request after the other, with pauses of `pause_s` on average."""
        while not stop.is_set():
            count = self._rng.choice([1, 1, 1, 1, 2, 5])
            items = [self.next_item(channel) for channel in self._channels for _ in range(count)]
            if not await self._couriers[0].bring(items):
                self.unacknowledged += len(items)
            await wait(stop, self._rng.uniform(0, 2 * pause_s))


class ChainedWriter(Writer):
    """Publishes bursts of parallel requests: each item names the one before it."""

    def __init__(self, name: str, channel: str, couriers: Sequence[Courier], rng: random.Random, log: Log) -> None:
        super().__init__(name, [channel], couriers, rng)
        self._log = log

    async def run(self, stop: asyncio.Event, *, pause_s: float) -> None:
        first = self.next_item(self._channels[0])  # alone: where nothing has an id yet, nothing waits for one
        prev_id = first.id if await self._couriers[0].bring([first]) else None
        while not stop.is_set():
            prev_id = await self._publish_burst(stop, prev_id)
            await wait(stop, self._rng.uniform(0, 2 * pause_s))

    async def _publish_burst(self, stop: asyncio.Event, prev_id: str | None) -> str | None:
        """Publish a burst; return the id to go on with, or None if the chain is broken."""
        items = []
        for _ in self._couriers:
            items.append(self.next_item(self._channels[0], prev_id))
            prev_id = items[-1].id
        began_at = self._log.now()
        jobs = list(zip(self._couriers, self._rng.sample(items, len(items)), strict=True))
        brought = await asyncio.gather(*(courier.bring([item]) for courier, item in jobs))
        self.unacknowledged += brought.count(False)
        if all(brought) and self._log.now() - began_at < PROMISED_ORDER_S:
            return prev_id
        first, last = items[0], items[-1]
        self._log.add(OrderUnknown(self._log.now(), first.channel, self.name, first.number, last.number))
        await wait(stop, REORDER_OVER_S)
        return None


class Publishers:
    """All writers. `in_flight`: how many publishes each process has not answered yet.

    `is_chained`: with `prev-id` chains. A stream that was lost knows no last id, and promises no order at first.
    """

    def __init__(self, installation: Installation, log: Log, rng: random.Random, *, is_chained: bool) -> None:
        self.in_flight: Counter[str] = Counter()
        self.channels: list[str] = []
        self._installation = installation
        self._log = log
        self._rng = rng
        self._stop = asyncio.Event()
        self.writers = [*self._single(), *self._many(), *(self._chained() if is_chained else ())]

    def _couriers(self, count: int = 1) -> list[Courier]:
        return [Courier(self._installation, self._log, self._fork(), self.in_flight) for _ in range(count)]

    def _fork(self) -> random.Random:
        return random.Random(self._rng.random())

    def _single(self) -> list[Writer]:
        channels = [f"single-{number}" for number in range(5)]
        self.channels += channels
        return [Writer("only", [channel], self._couriers(), self._fork()) for channel in channels]

    def _many(self) -> list[Writer]:
        channels = ["many-0", "many-1"]
        self.channels += channels
        writers = [Writer(f"one-of-{n}", [c], self._couriers(), self._fork()) for c in channels for n in range(2)]
        return [*writers, Writer("both", channels, self._couriers(), self._fork())]

    def _chained(self) -> list[Writer]:
        channels = ["chained-0", "chained-1"]
        self.channels += channels
        return [ChainedWriter("chain", c, self._couriers(BURST), self._fork(), self._log) for c in channels]

    @property
    def unacknowledged(self) -> int:
        """How many items were given up."""
        return sum(writer.unacknowledged for writer in self.writers)

    async def run(self, *, pause_s: float) -> None:
        """Publish until `stop`; returns when the last request was acknowledged or given up."""
        async with asyncio.TaskGroup() as tasks:
            for writer in self.writers:
                tasks.create_task(writer.run(self._stop, pause_s=pause_s))

    def stop(self) -> None:
        """Begin nothing new."""
        self._stop.set()


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until it is time to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
