"""Stream holds: an endless response that items, keep-alives and the origin's links add to.

Source: GRIP: stream holds, next and gone links; docs/topics/grip.md.
"""

import asyncio
import random
from collections.abc import AsyncIterator

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.items import HttpStream, Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.edge.encoding.frames import http_chunk, unframed
from fanoutcloud.edge.encoding.wire import Framing
from fanoutcloud.grip.asking import rewritten_body
from fanoutcloud.grip.exchange import Exchange, OriginFailed
from fanoutcloud.grip.filters import FilterFault
from fanoutcloud.grip.held_subscribers import HeldSubscriber, Services, Verdict
from fanoutcloud.grip.instructions import Instruction
from fanoutcloud.grip.keep_alives import KeepAlive
from fanoutcloud.grip.wires import ENDED, StreamWire

#: After a link failed: so many seconds until the next try, each plus up to one.
RETRY_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
#: Looked again whether a keep-alive is due while a link is read.
_PAUSE_S = 1.0


class StreamHold(HeldSubscriber):
    """One endless response. Its items need a look each: positions, filters or links."""

    __slots__ = ("_active", "_gone_link", "_keep_alive", "_link", "_link_token", "_wrote_at")

    wire: StreamWire

    def __init__(self, services: Services, exchange: Exchange, framing: Framing, *, gone_link: str | None) -> None:
        super().__init__(services, exchange, services.stream_wire(exchange.snapshot.realm, framing))
        self._gone_link = gone_link
        self._keep_alive: KeepAlive | None = None
        self._link: str | None = None
        self._link_token = 0
        #: Channels that had items since the link was last fetched or due.
        self._active: set[ChannelName] = set()
        self._wrote_at = services.hub.clock.monotonic()

    # -- its life

    async def start(self, told: Instruction, rest: AsyncIterator[bytes] | None = None) -> None:
        """Write the origin's first content, then do as told. The head has been sent; `sink` is set.

        `rest` is content that was too long to be collected.
        """
        self.services.hub.register(self)
        try:
            if rest is not None:
                await self._relay(rest)
            await self._go_on(told)
        except FanoutError:
            self.close(CloseReason.UNAVAILABLE)
        else:
            self.services.hub.tell_connected(self)

    async def _relay(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            self._write(piece)
            await self.wait_for_room(self.services.hub.limits.stuck_s)
            if self.is_closed:
                return

    async def _go_on(self, told: Instruction | None) -> None:
        """Do as told, or fetch the link first if nothing is told; return when items are awaited, or all is over."""
        while not self.is_closed:
            if told is None:
                told = await self._fetch()
            if told is None or not self._write_content(told):
                self.end(ENDED)
                return
            if told.mode is None and told.next_link is None:
                self.end(ENDED)
                return
            await self.wait_for_room(self.services.hub.limits.stuck_s)
            if await self._is_settled(told):
                return
            told = None

    async def _is_settled(self, told: Instruction) -> bool:
        """Subscribe; tell whether nothing is to be fetched now. Ends the stream if it must be and can't."""
        await self.adopt(told)
        self._set_keep_alive(told.keep_alive)
        self._set_link(told)
        if told.mode is None:
            return False
        if self._link is None and self.subscriptions.has_positions:
            self._fail("Grip-Channel", "has a prev-id, but there is no next link to recover by")
            return True
        is_settled = not await self.is_out_of_date() and self.take_waiting(lambda: self.is_closed)
        return is_settled or self.is_closed or not self._may_follow()

    def _may_follow(self) -> bool:
        """Whether there is a link to follow; without one the stream goes on as it is."""
        if self._link is None:
            self.waiting = None
        return self._link is not None

    def _write_content(self, told: Instruction) -> bool:
        """Write what the origin has to say; False if it can't be understood."""
        if told.mode == "response":
            self._fail("Grip-Hold", "a link was answered with a response hold")
            return False
        try:
            self._write(rewritten_body(told))
        except FilterFault as fault:
            self._fail(fault.field or "", fault.line)
            return False
        return True

    def _fail(self, field: str, message: str) -> None:
        """End the stream because of the origin; in debug mode the client sees why."""
        self.exchange.tell_failed(message, cause="bad_instruction", field=field)
        if self.exchange.domain.is_debug:
            self._write(f"\n{field}: {message}\n".encode())
        self.end(ENDED)

    def on_lost(self) -> None:
        is_first = not self.is_closed
        super().on_lost()
        if is_first:
            post_gone(self.services, self.exchange, self._gone_link)

    # -- writing

    def _write(self, content: bytes) -> None:
        if content and not self.is_closed:
            self._wrote_at = self.services.hub.clock.monotonic()
            self.sink.write(self.wire.framing(content))

    # -- items

    def has_use_for(self, item: Item) -> bool:
        return item.http_stream is not None

    def judge(self, stored: StoredItem) -> Verdict:
        item, stream = stored.item, stored.item.http_stream
        if stream is None or self.is_closed:
            return Verdict.DONE
        self._active.add(item.channel)
        if stream.action == "hint":
            is_heard = self._link is not None and self.subscriptions.lets_through(item)
            return Verdict.ASK if is_heard else Verdict.DONE
        if self.subscriptions.is_missed(item):
            return Verdict.MISSED
        self.subscriptions.advance(item)
        if stream.action == "close":
            if self.subscriptions.lets_through(item):
                self.end(ENDED)
        elif stream.action == "send":
            self._send(stored, stream)
        return Verdict.DONE

    def _send(self, stored: StoredItem, stream: HttpStream) -> None:
        content = self.content_of(stored.item, stream.content, stream.content_filters)
        if not content:
            return
        if content is stream.content and not stream.content_filters:
            self._wrote_at = self.services.hub.clock.monotonic()
            self.sink.write(self.wire.item(stored))
        else:
            self._write(content)

    def ask_again(self) -> None:
        if self._link is None:
            self.waiting = None
            return
        self.services.hub.spawn(self._follow())

    async def _follow(self) -> None:
        try:
            await self._go_on(None)
        except FanoutError:
            self.close(CloseReason.UNAVAILABLE)

    # -- links

    def _set_link(self, told: Instruction) -> None:
        self._link = None if told.next_link is None else told.next_link.uri
        self._link_token += 1
        self._active.clear()
        if told.next_link is not None and told.mode is not None:
            token, timeout_s = self._link_token, float(told.next_link.timeout_s)
            self.services.wheel.put(timeout_s, lambda: self._on_link_due(token, timeout_s))

    def _on_link_due(self, token: int, timeout_s: float) -> float | None:
        """Fetch the link unless every channel had items of late."""
        if self.is_closed or token != self._link_token or self.waiting is not None:
            return None
        if self.channels and self._active.issuperset(self.channels):
            self._active.clear()
            return timeout_s
        self.waiting = []
        self.ask_again()
        return None

    async def _fetch(self) -> Instruction | None:
        """Return what the link tells; None after its last failure."""
        for delay_s in (*RETRY_DELAYS_S, None):
            if self._link is None or self.is_closed:
                return None
            try:
                status, told = await self.services.asking.fetch(
                    self.exchange, self._link, self.subscriptions.last_ids()
                )
                if 200 <= status < 300:
                    return told
                self.exchange.tell_failed(f"the link was answered {status}", cause="link", field="Grip-Link")
            except OriginFailed:
                pass  # the owner has been told
            if delay_s is not None:
                await asyncio.sleep(delay_s + random.random())  # noqa: S311 - spreads load
        return None

    # -- keep-alives

    def _set_keep_alive(self, keep_alive: KeepAlive | None) -> None:
        if keep_alive == self._keep_alive:
            return
        self._keep_alive = keep_alive
        if keep_alive is not None:
            self.services.wheel.put(period_s(keep_alive.timeout_s), lambda: self._on_keep_alive_due(keep_alive))

    def _on_keep_alive_due(self, keep_alive: KeepAlive) -> float | None:
        if self.is_closed or keep_alive is not self._keep_alive:
            return None
        if self.waiting is not None:
            return _PAUSE_S
        now = self.services.hub.clock.monotonic()
        period = period_s(keep_alive.timeout_s)
        idle_s = now - self._last_content_at()
        if not keep_alive.is_interval and idle_s + 0.01 < period:
            return period - idle_s
        wrote_at = self._wrote_at
        self._write(keep_alive.content)
        if keep_alive.is_interval:
            self._wrote_at = wrote_at
        return period

    def _last_content_at(self) -> float:
        return self._wrote_at


class SharedStreamHold(StreamHold):
    """A stream hold to which every item goes as it is: the hub writes it the bytes that all such streams get."""

    __slots__ = ()

    is_shared = True

    def _last_content_at(self) -> float:
        return max(self._wrote_at, self.wire.content_at(self.channels))

    def ask_again(self) -> None:
        """There is no link."""
        self.waiting = None


def period_s(timeout_s: float) -> float:
    """Return the period of a keep-alive, up to a second shorter, so that a crowd does not fire together."""
    return max(timeout_s - random.random(), timeout_s / 2)  # noqa: S311


def make_stream_hold(services: Services, exchange: Exchange, told: Instruction, *, is_chunked: bool) -> StreamHold:
    """Return the subscriber for what the origin told."""
    is_plain = not any(channel.filters or channel.prev_id is not None for channel in told.channels)
    kind = SharedStreamHold if is_plain and told.mode == "stream" and told.next_link is None else StreamHold
    return kind(services, exchange, http_chunk if is_chunked else unframed, gone_link=told.gone_link)


def post_gone(services: Services, exchange: Exchange, link: str | None) -> None:
    """Tell the origin once that the client's request is over; nothing depends on it."""
    if link is not None:
        try:
            services.hub.spawn(_post(exchange, link))
        except RuntimeError:
            return  # this process ends


async def _post(exchange: Exchange, link: str) -> None:
    try:
        response = await exchange.fetch(link, {}, method=b"POST")
        response.body.close()
    except OriginFailed:
        return
