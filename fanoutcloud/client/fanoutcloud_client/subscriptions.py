"""A subscription: one connection at a time, replaced when it is lost, and the place in each channel kept.

Nothing is dropped in silence. What can't be made up for is told as `Reset`; what can't be cured is raised.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Literal, Self, TypedDict

import httpx

from fanoutcloud_client.backoff import Backoff
from fanoutcloud_client.errors import FanoutError, InvalidRequest, SubscriptionClosed, Unauthorized
from fanoutcloud_client.events import Event, ReceivedItem, Reset, Subscribed
from fanoutcloud_client.progress import Gap, Progress
from fanoutcloud_client.service import Service
from fanoutcloud_client.transports.ladder import ALL_TRANSPORTS, open_first, openers_of, usable_transports
from fanoutcloud_client.transports.link import (
    Link,
    LinkEnded,
    LinkLost,
    LinkRefused,
    Message,
    Target,
    TransportName,
)
from fanoutcloud_client.transports.long_poll import find_cursor

#: Events that wait for a slow application. Then nothing is read from the connection; the server gives us up in time,
#: and we come back by position.
MAX_WAITING_EVENTS = 1000
TOKEN_TIMEOUT_S = 10.0
#: After so long on a lesser transport, a reconnect begins with the best again.
TRY_BETTER_AFTER_S = 300.0

TokenReason = Literal["connect", "expiring", "denied"]
#: Gives a token, or None: nobody is signed in. An exception means "not now".
GetToken = Callable[[TokenReason], str | Awaitable[str | None] | None]
StateName = Literal["connecting", "connected", "reconnecting", "failed", "closed"]


@dataclass(frozen=True, slots=True)
class State:
    """Where a subscription stands. `retry_in_s` says when it tries again, `reason` why it has to."""

    name: StateName
    transport: TransportName | None = None
    reason: str = ""
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is subscribed, and how. `since` has positions by channel: what came behind them is made up for."""

    channels: Sequence[str] = ()
    patterns: Sequence[str] = ()
    since: Mapping[str, str] | None = None
    filter: str | None = None
    presence: bool = False
    transports: Sequence[TransportName] = ALL_TRANSPORTS
    token: str | GetToken | None = None
    on_state: Callable[[State], None] | None = None


class SubscribeOptions(TypedDict, total=False):
    """What `subscribe` takes besides channels: the other fields of `Wanted`."""

    patterns: Sequence[str]
    since: Mapping[str, str] | None
    filter: str | None
    presence: bool
    transports: Sequence[TransportName]
    token: str | GetToken | None
    on_state: Callable[[State], None] | None


class AsyncSubscription:
    """An endless iterator of events; use it with `async with`, so that its connection ends with the block.

    It connects with the first event that is asked for. `positions` can be kept and given as `since` another time.
    """

    def __init__(self, service: Service, wanted: Wanted, http: httpx.AsyncClient) -> None:
        if not wanted.channels and not wanted.patterns:
            raise InvalidRequest("no channel is named", cure="name channels or patterns", field="channel")
        self._service = service
        self._wanted = wanted
        self._http = http
        self._progress = Progress(wanted.channels, wanted.since)
        self._order = usable_transports(wanted.transports, self._target(None))
        self._first = 0  # where the ladder begins: at the transport that worked last
        self._won_at = 0.0
        self._backoff = Backoff()
        self._token: str | None = wanted.token if isinstance(wanted.token, str) else None
        self._renew_at: float | None = None
        self._was_denied = False
        self._events: deque[Event] = deque()
        self._taken = dict(wanted.since or {})
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._is_closed = False
        self.state = State("connecting")

    @property
    def positions(self) -> dict[str, str]:
        """The position behind the last event that you took, of each channel that has one."""
        return dict(self._taken) if self._events else self._progress.positions

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        """Return the next event. Ends when the publisher has ended the connection for good. Safe to cancel.

        Raises:
            FanoutError: it can't go on: the token is refused, the realm is gone, the request is wrong.
        """
        if self._is_closed:
            raise SubscriptionClosed("the subscription was closed")
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())  # `close` ends it
        while not self._events:
            if self._pump.done():
                self._pump.result()
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._has_room.set()
        event = self._events.popleft()
        if isinstance(event, ReceivedItem | Reset | Subscribed):
            self._taken[event.channel] = event.position
        return event

    async def get(self, *, timeout_s: float) -> Event | None:
        """Return the next event, or None if none came in time, or none will come any more."""
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self, None)
        except TimeoutError:
            return None

    async def items(self, *, on_reset: Callable[[Reset], object]) -> AsyncIterator[ReceivedItem]:
        """Yield items alone. `on_reset` is called where items were lost: load your state anew there."""
        async for event in self:
            if isinstance(event, ReceivedItem):
                yield event
            elif isinstance(event, Reset):
                told = on_reset(event)
                if isawaitable(told):
                    await told

    async def close(self) -> None:
        """End the connection. What was not taken comes again to whoever subscribes since `positions`."""
        self._is_closed = True
        if self._pump is not None and not self._pump.done():
            self._pump.cancel()
            await asyncio.wait([self._pump])
        self._tell(State("closed"))

    # -- the pump

    async def _run(self) -> None:
        try:
            while await self._live_once():
                pass
        except FanoutError as error:
            self._tell(State("failed", reason=error.code))
            raise
        finally:
            self._arrived.set()

    async def _live_once(self) -> bool:
        """Connect and follow until the connection is lost, then wait; return False when it ended for good."""
        link: Link | None = None
        began_at = time.monotonic()
        try:
            link, welcome = await self._open()
            began_at = time.monotonic()
            await self._follow(link, welcome)
        except LinkEnded as ended:
            self._tell(State("closed", reason=str(ended)))
            return False
        except LinkRefused as refused:
            await self._on_refused(refused)
        except (LinkLost, Gap) as lost:
            await self._wait_after(lost, lived_s=time.monotonic() - began_at if link else 0.0)
        finally:
            if link is not None:
                await link.close()
        return True

    async def _open(self) -> tuple[Link, Message]:
        self._tell(replace(self.state, name="connecting" if self._backoff.attempt == 0 else "reconnecting"))
        if self._token is None and self._wanted.token is not None:
            await self._renew("connect")
        if self._progress.unknown and self._progress.positions:
            unknown = self._progress.unknown  # a cursor is for all channels or none
            target = replace(self._target(self._token), channels=unknown, since=None, patterns=(), presence=False)
            self._progress.read_cursor(unknown, await find_cursor(target, self._http))
        if time.monotonic() - self._won_at > TRY_BETTER_AFTER_S:
            self._first = 0
        order = [*self._order[self._first :], *self._order[: self._first]]
        link, welcome = await open_first(openers_of(order, self._target(self._token), self._http))
        if self._order[self._first] != link.name:
            self._first, self._won_at = self._order.index(link.name), time.monotonic()
        return link, welcome

    async def _follow(self, link: Link, message: Message) -> None:
        """Take messages until the link ends."""
        self._progress.sees_every_position = link.tells_every_position and self._wanted.filter is None
        self._renew_at = None
        self._tell(State("connected", link.name))
        while True:
            self._plan_renewal(message)
            if message.get("type") == "token-expired":
                self._renew_at = time.monotonic()
            for event in self._progress.take(message):
                await self._hand_over(event)
                self._was_denied = False
            message = await self._receive(link)

    async def _receive(self, link: Link) -> Message:
        """Return the next message; renew the token meanwhile, when it is time."""
        while True:
            loop = asyncio.get_running_loop()
            renew_in_s = None if self._renew_at is None else self._renew_at - time.monotonic()
            try:
                async with asyncio.timeout_at(None if renew_in_s is None else loop.time() + max(0.0, renew_in_s)):
                    return await link.receive()
            except TimeoutError:
                self._renew_at = None
                await self._renew("expiring")
                if not await link.send_token(self._token or ""):
                    raise LinkLost("token renewed", at_once=True) from None

    async def _hand_over(self, event: Event) -> None:
        while len(self._events) >= MAX_WAITING_EVENTS:
            self._has_room.clear()
            await self._has_room.wait()
        self._events.append(event)
        self._arrived.set()

    # -- losses

    async def _on_refused(self, refused: LinkRefused) -> None:
        """Get one other token if the one that we have is the matter; else give up."""
        is_about_token = isinstance(refused.error, Unauthorized) or refused.error.status == 403
        if not is_about_token or not callable(self._wanted.token) or self._was_denied:
            raise refused.error
        self._was_denied = True
        try:
            await self._renew("denied")
        except LinkLost as lost:
            await self._wait_after(lost, lived_s=0.0)

    async def _wait_after(self, lost: LinkLost | Gap, *, lived_s: float) -> None:
        at_once, retry_after_s, reason = True, None, "gap"
        if isinstance(lost, LinkLost):
            at_once, retry_after_s, reason = lost.at_once, lost.retry_after_s, lost.reason
            if reason == "token_expired" and callable(self._wanted.token):
                self._token = None
        delay_s = self._backoff.next_delay_s(lived_s=lived_s, at_once=at_once, retry_after_s=retry_after_s)
        self._tell(State("reconnecting", reason=reason, retry_in_s=delay_s))
        await asyncio.sleep(delay_s)

    def _tell(self, state: State) -> None:
        if state != self.state:
            self.state = state
            if self._wanted.on_state is not None:
                self._wanted.on_state(state)

    # -- tokens

    async def _renew(self, reason: TokenReason) -> None:
        """Ask the application for a token.

        Raises:
            Unauthorized: it has none.
            LinkLost: it can't tell now.
        """
        if not callable(self._wanted.token):
            return
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_S):
                told = self._wanted.token(reason)
                token = await told if isawaitable(told) else told
        except FanoutError:
            raise
        except Exception as error:  # the application's own: whatever it is, another try may do
            raise LinkLost(f"no token now: {error}") from error
        if token is None:
            raise Unauthorized("there is no token", code="no_token", cure="sign in")
        self._token = token

    def _plan_renewal(self, message: Message) -> None:
        """Renew at 80 % of the token's life or a minute before its end, the earlier, spread a little."""
        life_s = message.get("expires_in_s")
        if message.get("type") in ("welcome", "authorized") and isinstance(life_s, int | float):
            due_s = min(0.8 * life_s, life_s - 60.0) if life_s > 120.0 else 0.8 * life_s
            due_s *= random.uniform(0.95, 1.0)  # noqa: S311 - spreads renewals, guards nothing
            self._renew_at = time.monotonic() + due_s if callable(self._wanted.token) else None

    def _target(self, token: str | None) -> Target:
        return Target(
            self._service,
            self._progress.channels,
            self._progress.cursor,
            self._wanted.patterns,
            self._wanted.filter,
            self._wanted.presence,
            token,
        )
