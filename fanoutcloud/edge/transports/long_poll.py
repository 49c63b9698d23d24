"""Long-polling: `/fanout/poll` answers when there is something, or empty when time is up (docs/api/subscribe.md)."""

import asyncio
from collections.abc import Callable

import msgspec

from fanoutcloud.core.activity import Transport
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.holding import HeldAnswer, hold
from fanoutcloud.edge.connections.sinks import NOWHERE, Receive, Scope, Send
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.messages import item_message, reset_message, response_content
from fanoutcloud.edge.encoding.wire import Ending, JsonLinesWire
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import CursorSubscriber
from fanoutcloud.edge.site.json_p import SCRIPT, JsonPRequest, find_json_p, write_answer
from fanoutcloud.edge.site.requests import client_address, parse_subscribe, read_seconds
from fanoutcloud.edge.site.responses import SITE_HEADERS, respond

#: One answer holds at most this many items; the cursor stands behind the last of them.
MAX_ITEMS_PER_ANSWER = 100
#: An answer that has reached this size takes no further item; a hundred large ones would fill the memory.
MAX_ANSWER_BYTES = 1_048_576

_JSON = (b"content-type", b"application/json")
_HEAD = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b: %b\r\n" % header for header in (_JSON, *SITE_HEADERS))
_LAST_HEAD = _HEAD + b"connection: close\r\n"


class PollWire(JsonLinesWire):
    """Items as they stand in a poll's answer.

    Remembers the newest item and the whole response that holds it alone: most polls of a channel answer with that.
    """

    transport: Transport = "long-poll"

    def __init__(self) -> None:
        super().__init__(unframed)
        self._newest: tuple[StoredItem | None, bytes] = (None, b"")
        self._response: tuple[StoredItem | None, bytes] = (None, b"")

    def item(self, stored: StoredItem) -> bytes:
        if self._newest[0] is not stored:
            self._newest = (stored, item_message(stored, response_content(stored.item)))
        return self._newest[1]

    def response(self, subscriber: "PollSubscriber") -> bytes:
        """Return the whole HTTP response of the subscriber's answer."""
        alone = subscriber.only_item
        if subscriber.is_last:
            return _respond_prepared(subscriber.answer(), head=_LAST_HEAD)
        if alone is None:
            return _respond_prepared(subscriber.answer())
        if self._response[0] is not alone:
            self._response = (alone, _respond_prepared(subscriber.answer()))
        return self._response[1]

    def ending(self, item: object) -> Ending | None:
        """A poll ends with any item."""
        return None


def _respond_prepared(body: bytes, head: bytes = _HEAD) -> bytes:
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


POLL = PollWire()


class PollSubscriber(CursorSubscriber):
    """One poll: collects what its answer will hold, and calls `wake` when there is something."""

    __slots__ = ("_newest", "_size_bytes", "is_ready", "items", "resets", "wake")

    def __init__(self, realm: RealmId, *, address: str) -> None:
        super().__init__(realm, POLL, address=address)
        self.sink = _PollSink(self)
        self.close_reason = CloseReason.ANSWERED
        self.items: list[bytes] = []
        self.resets: list[bytes] = []
        self.is_ready = False
        self.wake: Callable[[], None] | None = None
        self._newest: StoredItem | None = None
        self._size_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether what comes now is left to the next poll."""
        return len(self.items) >= MAX_ITEMS_PER_ANSWER or self._size_bytes >= MAX_ANSWER_BYTES

    @property
    def only_item(self) -> StoredItem | None:
        """The item, if the answer is one item of the only channel and so the same for every such poll."""
        return self._newest if len(self.items) == len(self.positions) == 1 and not self.resets else None

    @property
    def is_last(self) -> bool:
        """Whether this process answers no more polls: the client comes back on a new connection, elsewhere."""
        return self.close_reason is CloseReason.DRAINING

    def deliver(self, stored: StoredItem) -> None:
        if self.is_full:
            return  # behind the cursor of this answer; the next poll begins there
        self.positions[stored.item.channel] = stored.position
        if stored.item.json_object is not None or response_content(stored.item) is not None:
            item = self.wire.item(stored)
            self.items.append(item)
            self._size_bytes += len(item)
            self._newest = stored
            self.become_ready()
        else:
            self._newest = None  # the cursor has moved beyond the item

    def pass_over(self, stored: StoredItem) -> None:
        if not self.is_full:
            super().pass_over(stored)
            self._newest = None  # as above

    def tell_subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> None:
        self.positions[channel] = position

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        self.positions[channel] = position
        self.resets.append(reset_message(channel, position, reason))
        self.become_ready()

    def on_lost(self) -> None:
        super().on_lost()
        self.sink = NOWHERE

    def on_left(self) -> None:
        """Know that the client did not wait for the answer."""
        self.close_reason = CloseReason.CLIENT_LEFT
        self.on_lost()

    def become_ready(self) -> None:
        """Have the answer sent, with what there is by then."""
        if not self.is_ready:
            self.is_ready = True
            if self.wake is not None:
                self.wake()

    def answer(self) -> bytes:
        """Return the body: items, the cursor for the next poll, and resets where there are any."""
        parts = [b'"items":[%b]' % b",".join(self.items), b'"cursor":%b' % msgspec.json.encode(self.cursor)]
        if self.resets:
            parts.append(b'"resets":[%b]' % b",".join(self.resets))
        return b"{%b}\n" % b",".join(parts)

    def response(self) -> bytes:
        """Return the answer as a whole HTTP response."""
        return POLL.response(self)


class _PollSink:
    """What the hub sees of a poll's connection: nothing is written before the answer, closing brings it on."""

    __slots__ = ("_subscriber",)

    def __init__(self, subscriber: PollSubscriber) -> None:
        self._subscriber = subscriber

    def write(self, frame: bytes) -> None:
        """Keep-alives and closing words have no place in a poll."""

    def unsent_bytes(self) -> int:
        return 0

    async def drained(self) -> None:
        """Read history no further than one answer holds."""
        if self._subscriber.is_full:
            self._subscriber.on_lost()

    def close(self, code: int, reason: str) -> None:
        self._subscriber.become_ready()


class LongPollTransport:
    """Serves one realm's polls. A poll without `since` begins now; `timeout=0` asks for the cursor only."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; where our own server holds the connection, return before the answer.

        Raises:
            InvalidRequest, Unauthorized, Forbidden, LimitReached: before anything was sent.
            Unavailable: the broker does not answer.
        """
        limits = self._hub.limits
        json_p = find_json_p(scope)
        request = parse_subscribe(scope, max_channels=limits.max_channels)
        grant = await self._hub.gate.admit_request(realm, scope, request.options, request.channels)
        timeout_s = read_seconds(request.options, "timeout", default=limits.poll_s, limit=limits.max_poll_s)
        await self._hub.ledger.admit(realm, request.channels, self._hub.channels)
        subscriber = PollSubscriber(realm.realm, address=client_address(scope))
        subscriber.wishes = request.wishes
        subscriber.grant = grant
        self._hub.register(subscriber)
        is_held = False
        try:
            await self._hub.join(subscriber, request.wanted)
            self._hub.tell_connected(subscriber)
            if json_p is not None:
                is_held = True  # it is over when the script has gone out
                await self._answer_as_script(subscriber, json_p, scope, receive, send, timeout_s=timeout_s)
                return
            if not subscriber.is_ready and timeout_s:
                offer = scope.get("extensions", {}).get(EXTENSION)
                is_held = offer is not None and offer.hold_poll(subscriber, timeout_s=timeout_s) is not None
                if is_held:
                    return
                if not await _is_ready(subscriber, receive, timeout_s):
                    subscriber.on_left()
                    return
        finally:
            if not is_held:
                subscriber.on_lost()
        await respond(send, 200, subscriber.answer(), headers=[_JSON])

    async def _answer_as_script(
        self,
        subscriber: PollSubscriber,
        json_p: JsonPRequest,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        timeout_s: float,
    ) -> None:
        """Answer as JSON-P, for pages of browsers without other ways across origins."""

        def make_body() -> bytes:
            held.is_last = subscriber.is_last
            return write_answer(json_p.callback, 200, [_JSON], subscriber.answer())

        held = HeldAnswer(make_body, [*SITE_HEADERS, SCRIPT], on_over=lambda over: subscriber.on_lost())
        subscriber.wake = held.become_ready
        await hold(
            held, scope, receive, send, timeout_s=0 if subscriber.is_ready or subscriber.is_closed else timeout_s
        )


async def _is_ready(subscriber: PollSubscriber, receive: Receive, timeout_s: float) -> bool:
    """Wait for an item, the time limit or the client's leaving; return whether there is somebody to answer."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    subscriber.wake = ready.set
    timer = loop.call_later(timeout_s, ready.set)
    leaving = loop.create_task(_wait_for_leaving(receive))
    leaving.add_done_callback(lambda _: ready.set())
    try:
        await ready.wait()
        return not leaving.done()
    finally:
        timer.cancel()
        leaving.cancel()


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
