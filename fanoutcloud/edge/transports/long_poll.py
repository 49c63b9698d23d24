"""Long-polling: `/fanout/poll` answers when there is something, or empty when time is up (docs/api/subscribe.md)."""

import asyncio

import msgspec

from fanoutcloud.core.activity import Transport
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.frames import unframed
from fanoutcloud.edge.hub import Hub
from fanoutcloud.edge.messages import item_message, reset_message, response_content
from fanoutcloud.edge.requests import client_address, parse_subscribe, read_seconds
from fanoutcloud.edge.responses import respond
from fanoutcloud.edge.sinks import Receive, Scope, Send
from fanoutcloud.edge.subscriber import CursorSubscriber
from fanoutcloud.edge.wire import Ending, JsonLinesWire

#: One answer holds at most this many items; the cursor stands behind the last of them.
MAX_ITEMS_PER_ANSWER = 100


class PollWire(JsonLinesWire):
    """Items as they stand in a poll's answer. Remembers the newest, since all polls of a channel answer with it."""

    transport: Transport = "long-poll"

    def __init__(self) -> None:
        super().__init__(unframed)
        self._newest: tuple[StoredItem | None, bytes] = (None, b"")

    def item(self, stored: StoredItem) -> bytes:
        if self._newest[0] is not stored:
            self._newest = (stored, item_message(stored, response_content(stored.item)))
        return self._newest[1]

    def ending(self, item: object) -> Ending | None:
        """A poll ends with any item."""
        return None


POLL = PollWire()


class PollSubscriber(CursorSubscriber):
    """One held poll: collects what its answer will hold."""

    __slots__ = ("items", "ready", "resets")

    def __init__(self, realm: RealmId, *, address: str) -> None:
        super().__init__(realm, POLL, address=address)
        self.sink = _PollSink(self)
        self.items: list[bytes] = []
        self.resets: list[bytes] = []
        self.ready = asyncio.Event()

    def deliver(self, stored: StoredItem) -> None:
        if len(self.items) >= MAX_ITEMS_PER_ANSWER:
            return  # behind the cursor of this answer; the next poll begins there
        self.positions[stored.item.channel] = stored.position
        if stored.item.json_object is not None or response_content(stored.item) is not None:
            self.items.append(self.wire.item(stored))
            self.ready.set()

    def tell_subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> None:
        self.positions[channel] = position

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        self.positions[channel] = position
        self.resets.append(reset_message(channel, position, reason))
        self.ready.set()

    def answer(self) -> bytes:
        """Return the body: items, the cursor for the next poll, and resets where there are any."""
        parts = [b'"items":[%b]' % b",".join(self.items), b'"cursor":%b' % msgspec.json.encode(self.cursor)]
        if self.resets:
            parts.append(b'"resets":[%b]' % b",".join(self.resets))
        return b"{%b}\n" % b",".join(parts)


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
        if len(self._subscriber.items) >= MAX_ITEMS_PER_ANSWER:
            self._subscriber.on_lost()

    def close(self, code: int, reason: str) -> None:
        self._subscriber.ready.set()


class LongPollTransport:
    """Serves one realm's polls. A poll without `since` begins now; `timeout=0` asks for the cursor only."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            InvalidRequest: before anything was sent.
            Unavailable: the broker does not answer.
        """
        limits = self._hub.limits
        request = parse_subscribe(scope, max_channels=limits.max_channels)
        timeout_s = read_seconds(request.options, "timeout", default=limits.poll_s, limit=limits.max_poll_s)
        subscriber = PollSubscriber(realm.realm, address=client_address(scope))
        self._hub.register(subscriber)
        try:
            await self._hub.join(subscriber, request.wanted)
            self._hub.tell_connected(subscriber)
            if not subscriber.ready.is_set() and timeout_s and not await _is_ready(subscriber, receive, timeout_s):
                return
        finally:
            self._hub.unregister(subscriber)
        if subscriber.close_reason in (CloseReason.UNAVAILABLE, CloseReason.REALM_DELETED):
            raise Unavailable(subscriber.close_reason.text)
        await respond(send, 200, subscriber.answer(), headers=[(b"content-type", b"application/json")])


async def _is_ready(subscriber: PollSubscriber, receive: Receive, timeout_s: float) -> bool:
    """Wait for an item, the time limit or the client's leaving; return whether there is somebody to answer."""
    loop = asyncio.get_running_loop()
    timer = loop.call_later(timeout_s, subscriber.ready.set)
    leaving = loop.create_task(_wait_for_leaving(receive))
    leaving.add_done_callback(lambda _: subscriber.ready.set())
    try:
        await subscriber.ready.wait()
        return not leaving.done()
    finally:
        timer.cancel()
        leaving.cancel()


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
