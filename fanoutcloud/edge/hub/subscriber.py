"""One open connection that receives items."""

import asyncio
import itertools
import secrets
from typing import Protocol

from fanoutcloud.core.access import ANONYMOUS
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import ChannelPattern
from fanoutcloud.core.streams import StoredItem, StreamPosition, write_cursor
from fanoutcloud.edge.connections.sinks import Sink
from fanoutcloud.edge.encoding.wire import Ending, SseWire, TellsAside, WireFormat
from fanoutcloud.edge.selection.following import Following
from fanoutcloud.edge.selection.selected import Wish, Wishes


class Registry(Protocol):
    """Where a subscriber is registered while it is open: the hub."""

    def unregister(self, subscriber: "Subscriber") -> None:
        """Forget the subscriber. Idempotent."""


_process_token = secrets.token_hex(4)
_serials = itertools.count(1)


class Subscriber:
    """A subscriber whose bytes are the same as those of all others with its wire format.

    Belongs to the transport that made it; registered with the hub while it is open.
    """

    __slots__ = (
        "address", "channels", "close_reason", "connected_at", "following", "grant", "is_closed", "is_settled",
        "origin", "realm", "registry", "serial", "sink", "watched", "wire", "wishes",
    )  # fmt: skip

    #: True: the hub writes the shared bytes of the wire format. False: it calls `deliver`.
    is_shared = True

    def __init__(self, realm: RealmId, wire: WireFormat, *, address: str) -> None:
        self.realm = realm
        self.wire = wire
        self.address = address
        self.sink: Sink
        self.registry: Registry | None = None
        self.channels: list[ChannelName] = []
        self.grant = ANONYMOUS
        self.connected_at = 0.0  # seconds since 1970; the hub sets it
        #: What it wants of channels, where that is not all; set before it joins them. None: it wants all of all.
        self.wishes: Wishes | None = None
        #: Channels of which it wants to be told who comes and goes; set before it joins them.
        self.watched: frozenset[ChannelName] = frozenset()
        #: The patterns that it follows, if any.
        self.following: Following | None = None
        self.serial = next(_serials)
        self.origin = _process_token
        #: False while the hub brings it to its channels.
        self.is_settled = False
        self.is_closed = False
        self.close_reason = CloseReason.CLIENT_LEFT

    @property
    def connection(self) -> str:
        """Name of this connection: unique over all processes, and no secret."""
        return f"{self.origin}{self.serial:08x}"

    @connection.setter
    def connection(self, name: str) -> None:
        """Keep the name that another process gave."""
        self.origin, self.serial = name[:-8], int(name[-8:], 16)

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way but items."""
        return self.is_settled and not self.is_closed

    def begin(self, positions: dict[ChannelName, StreamPosition]) -> None:
        """Know where each channel begins, in the order of the request; called once, before anything is told."""

    def find_wish(self, channel: ChannelName) -> Wish | None:
        """Return what it wants of the channel, or None for all of it as it is."""
        return None if self.wishes is None else self.wishes.get(channel)

    def find_filter(self, item: Item) -> str:
        """Name what of the connection's own keeps the item from it, beside its wish; empty: nothing does."""
        return ""

    def set_wish(self, channel: ChannelName, wish: Wish | None) -> None:
        """Want this of the channel; only while it is in none of the channel's groups."""
        wishes = self.wishes or {}
        wishes.pop(channel, None)
        if wish is not None:
            wishes[channel] = wish
        self.wishes = wishes or None

    def take(self, stored: StoredItem) -> None:
        """Get one item while it is not among the channel's live ones: deliver it, if it is wanted."""
        wish = self.find_wish(stored.item.channel)
        if wish is None:
            self.deliver(stored)
            return
        chosen = wish.choose(stored)
        if chosen is None:
            self.pass_over(stored)
        else:
            self.deliver(chosen)

    def deliver(self, stored: StoredItem) -> None:
        """Send one item to this subscriber alone: while it catches up, or always if it is not shared."""
        self.sink.write(self.wire.item(stored))
        ending = self.wire.ending(stored.item)
        if ending is not None:
            self.end(ending)

    def pass_over(self, stored: StoredItem) -> None:
        """Know that the item is not for this subscriber; only the position moves on."""

    def tell_position(self, channel: ChannelName, position: StreamPosition) -> None:
        """Say how far the channel is, when nothing of it was sent for a while."""
        self.sink.write(self.wire.position(channel, position))

    def tell_subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> None:
        """Say that items after `position` follow."""
        self.sink.write(self.wire.subscribed(channel, position, recovered=recovered))

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        """Say that items were lost, and that those after `position` follow."""
        self.sink.write(self.wire.reset(channel, position, reason))

    def tell_token_expired(self, grace_s: float) -> None:
        """Ask for a new token within `grace_s` seconds, on transports where the client can send one."""

    def lose(self, channel: ChannelName, error: FanoutError) -> None:
        """Part with a channel that it may not have any more; where channels can't come and go, that is the end."""
        self.close(CloseReason.UNAUTHORIZED if error.http_status == 401 else CloseReason.FORBIDDEN)

    def lose_pattern(self, pattern: ChannelPattern, error: FanoutError) -> None:
        """Part with a pattern that it may not follow any more; where patterns can't come and go, that is the end."""
        self.close(CloseReason.UNAUTHORIZED if error.http_status == 401 else CloseReason.FORBIDDEN)

    def tell_aside(self, name: str, message: bytes) -> None:
        """Send a JSON message of type `name`, where the wire format has room for it."""
        if isinstance(self.wire, TellsAside) and not self.is_closed:
            self.sink.write(self.wire.aside(name, message))

    async def wait_for_room(self, stuck_s: float) -> None:
        """Wait until the client has taken most of what it was sent; in `stuck_s` it must, or it is closed as slow."""
        try:
            async with asyncio.timeout(stuck_s):
                await self.sink.drained()
        except TimeoutError:
            self.close(CloseReason.SLOW)

    def close(self, reason: CloseReason, text: str = "") -> None:
        """End the connection, saying why; `text` is for people, in place of the reason's own."""
        if not self.is_closed:
            self.close_reason = reason
            self.sink.write(self.wire.closing(reason, text))
            self._finish(reason.code, text or reason.reason)

    def end(self, ending: Ending) -> None:
        """End the connection because an item says so."""
        if not self.is_closed:
            self.close_reason = CloseReason.ENDED
            self._finish(ending.code, ending.reason)

    def _finish(self, code: int, reason: str) -> None:
        self.sink.close(code, reason)
        self.on_lost()

    # -- what the sink tells (SinkOwner)

    def on_overflow(self) -> None:
        self.close(CloseReason.SLOW)

    def on_lost(self) -> None:
        self.is_closed = True
        if self.registry is not None:
            self.registry.unregister(self)

    def on_text(self, text: str) -> None:
        """Text from a client that has nothing to say on this transport is passed over."""

    def on_bytes(self, data: bytes) -> None:
        """Bytes from such a client, too."""

    def on_violation(self, code: int, reason: str) -> None:
        self.close_reason = CloseReason.PROTOCOL_ERROR


class CursorSubscriber(Subscriber):
    """A subscriber that keeps the positions of all its channels, so that one text can resume them together."""

    __slots__ = ("positions",)

    is_shared = False

    def __init__(self, realm: RealmId, wire: WireFormat, *, address: str) -> None:
        super().__init__(realm, wire, address=address)
        self.positions: dict[ChannelName, StreamPosition] = {}

    @property
    def cursor(self) -> str:
        """Positions of all channels, in the order of the request."""
        return write_cursor(list(self.positions.values()))

    def begin(self, positions: dict[ChannelName, StreamPosition]) -> None:
        self.positions = positions

    def pass_over(self, stored: StoredItem) -> None:
        self.positions[stored.item.channel] = stored.position


class SseCursorSubscriber(CursorSubscriber):
    """An SSE subscriber of several channels: each event carries the positions of all of them.

    Its events are encoded for it alone; that is the price of resuming by one `Last-Event-ID`.
    """

    __slots__ = ()

    wire: SseWire

    def deliver(self, stored: StoredItem) -> None:
        self.positions[stored.item.channel] = stored.position
        self.sink.write(self.wire.item_at(stored, self.cursor))
        ending = self.wire.ending(stored.item)
        if ending is not None:
            self.end(ending)

    def tell_subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> None:
        self.positions[channel] = position
        self.sink.write(self.wire.subscribed_at(channel, position, recovered=recovered, cursor=self.cursor))

    def tell_position(self, channel: ChannelName, position: StreamPosition) -> None:
        self.positions[channel] = position
        self.sink.write(self.wire.position_at(channel, position, cursor=self.cursor))

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        self.positions[channel] = position
        self.sink.write(self.wire.reset_at(channel, position, reason, cursor=self.cursor))
