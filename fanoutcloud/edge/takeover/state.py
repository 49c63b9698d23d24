"""A held connection as another process needs to know it, and the connection made again from that."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fanoutcloud.core.access import pack_grant, unpack_grant
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.edge.connections.first_request import FirstRequest
from fanoutcloud.edge.connections.held import HeldConnection, HeldStream, ServerConnections
from fanoutcloud.edge.connections.held_poll import HeldPoll
from fanoutcloud.edge.connections.held_websocket import HeldDeflatedWebSocket, HeldWebSocket
from fanoutcloud.edge.connections.http_protocol import EdgeHttpProtocol
from fanoutcloud.edge.connections.whole_requests import WholeRequests
from fanoutcloud.edge.encoding.wire import (
    DEFLATED_WEBSOCKET,
    PREPARED_JSON_LINES,
    PREPARED_RAW_STREAM,
    PREPARED_SSE,
    PREPARED_WEBSOCKET,
    SseWire,
    WireFormat,
)
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.rejoining import Positions
from fanoutcloud.edge.hub.subscriber import SseCursorSubscriber, Subscriber
from fanoutcloud.edge.selection.wishes import read_wish, write_wish
from fanoutcloud.edge.takeover.messages import Connection
from fanoutcloud.edge.transports.long_poll import PollSubscriber
from fanoutcloud.edge.transports.websocket import WebSocketSubscriber

#: HTTP between two requests, or before the first.
_Http = EdgeHttpProtocol | FirstRequest | WholeRequests
Movable = HeldConnection | HeldPoll | _Http

HTTP = "http"
POLL = "poll"
WEBSOCKET = "websocket"
DEFLATED = "websocket-deflated"
_WEBSOCKETS: dict[str, tuple[type[HeldWebSocket], WireFormat]] = {
    WEBSOCKET: (HeldWebSocket, PREPARED_WEBSOCKET),
    DEFLATED: (HeldDeflatedWebSocket, DEFLATED_WEBSOCKET),
}
SSE = "sse"
SSE_CURSOR = "sse-cursor"
_STREAMS: dict[str, tuple[type[Subscriber], WireFormat]] = {
    SSE: (Subscriber, PREPARED_SSE),
    SSE_CURSOR: (SseCursorSubscriber, PREPARED_SSE),
    "json-lines": (Subscriber, PREPARED_JSON_LINES),
    "raw-stream": (Subscriber, PREPARED_RAW_STREAM),
}


@dataclass(slots=True)
class Moving:
    """A connection on its way out: nothing is read from it nor written to it any more."""

    held: Movable
    state: Connection
    subscriber: Subscriber | None
    positions: Positions

    @property
    def descriptor(self) -> int:
        descriptor: int = self.held.transport.get_extra_info("socket").fileno()
        return descriptor

    @property
    def is_lost(self) -> bool:
        return self.held.transport.is_closing()

    @property
    def is_sent(self) -> bool:
        """Whether all that was written is the kernel's."""
        return self.held.transport.get_write_buffer_size() == 0

    def stay(self) -> None:
        """Go on here, once the subscriber is back in the hub."""
        if isinstance(self.held, HeldPoll):
            self.held.restart_timer(self.state.seconds_left)
        self.held.transport.resume_reading()


def may_move(connection: object) -> bool:
    """Whether this is a connection of a kind that can move at all."""
    if isinstance(connection, _Http):
        return connection.transport.get_extra_info("sslcontext") is None
    if not isinstance(connection, HeldConnection | HeldPoll):
        return False
    is_plain = connection.transport.get_extra_info("sslcontext") is None
    return is_plain and isinstance(connection.owner, Subscriber) and _find_kind(connection.owner) is not None


def depart(hub: Hub, held: Movable) -> Moving | None:
    """Take the connection out of the hub and return its state, or None if something is under way on it."""
    if held.transport.get_protocol() is not held or not held.is_at_rest:
        return None  # an HTTP request may have become a poll since the list was made, or a poll been answered
    if isinstance(held, _Http):
        return Moving(held, Connection(HTTP), None, {})
    subscriber = held.owner
    assert isinstance(subscriber, Subscriber), "see may_move"
    kind, positions = _find_kind(subscriber), hub.find_positions(subscriber)
    if kind is None or positions is None or (isinstance(subscriber, PollSubscriber) and subscriber.is_ready):
        return None
    hub.detach(subscriber)
    poll = held if isinstance(held, HeldPoll) else None
    state = Connection(
        kind,
        realm=subscriber.realm,
        name=subscriber.connection,
        address=subscriber.address,
        channels=[(channel, position.epoch, position.offset) for channel, position in positions.items()],
        early=poll.early if poll else b"",
        seconds_left=poll.stop_timer() if poll else 0.0,
        keeps_alive=poll is not None and poll.keeps_alive,
        connected_at=subscriber.connected_at,
        wishes=[(channel, write_wish(wish)) for channel, wish in (subscriber.wishes or {}).items()],
        watched=list(subscriber.watched),
        grant=pack_grant(subscriber.grant),
    )
    return Moving(held, state, subscriber, positions)


def _find_kind(subscriber: Subscriber) -> str | None:
    if subscriber.following is not None:
        return None  # patterns stay behind: what is found meanwhile would be missed
    if isinstance(subscriber, PollSubscriber):
        return POLL
    if isinstance(subscriber, WebSocketSubscriber):
        return next((kind for kind, (_, wire) in _WEBSOCKETS.items() if subscriber.wire is wire), None)
    for kind, (kind_of_subscriber, wire) in _STREAMS.items():
        if type(subscriber) is kind_of_subscriber and subscriber.wire is wire:
            return kind
    return None


KINDS = frozenset({HTTP, POLL, *_WEBSOCKETS, *_STREAMS})


@dataclass(frozen=True, slots=True)
class Revival:
    """What connections are made again with."""

    hub: Hub
    connections: ServerConnections
    begin_http: Callable[[asyncio.Transport, bytes], None]


@dataclass(slots=True)
class Arrived:
    """A connection made again; its subscriber is not in the hub yet. `early` is for it once it is."""

    transport: asyncio.Transport
    subscriber: Subscriber | None
    positions: Positions
    early: bytes

    async def go_on(self) -> None:
        """Show the client a sign of life, since its last one may be old, and listen to it."""
        subscriber = self.subscriber
        if subscriber is not None and not subscriber.is_closed:
            subscriber.sink.write(subscriber.wire.keep_alive())
            if isinstance(subscriber, WebSocketSubscriber):
                await subscriber.handle_waiting()
                if self.early and isinstance(subscriber.sink, HeldWebSocket):
                    subscriber.sink.data_received(self.early)
        self.transport.resume_reading()


def revive(revival: Revival, transport: asyncio.Transport, state: Connection, early: bytes) -> Arrived:
    """Make the connection again. Bytes that came `early`, in either process, are kept for it."""
    early = state.early + early
    if state.kind == HTTP:
        revival.begin_http(transport, early)
        return Arrived(transport, None, {}, b"")
    subscriber = _make_subscriber(revival.hub, state)
    subscriber.connection = state.name
    subscriber.connected_at = state.connected_at
    subscriber.watched = frozenset(map(ChannelName, state.watched))
    for channel, options in state.wishes:
        subscriber.set_wish(ChannelName(channel), read_wish(options))
    subscriber.grant = unpack_grant(state.grant)
    if isinstance(subscriber, PollSubscriber):
        begin_http = revival.begin_http if state.keeps_alive else None
        connections, timeout_s = revival.connections, state.seconds_left
        poll = HeldPoll(transport, subscriber, timeout_s=timeout_s, connections=connections, begin_http=begin_http)
        poll.data_received(early)
        early = b""
    else:
        kind = _WEBSOCKETS[state.kind][0] if state.kind in _WEBSOCKETS else HeldStream
        limits, connections = revival.hub.limits, revival.connections
        subscriber.sink = kind(transport, subscriber, limits=limits, connections=connections)
    positions = {ChannelName(name): StreamPosition(epoch, offset) for name, epoch, offset in state.channels}
    return Arrived(transport, subscriber, positions, early)


def _make_subscriber(hub: Hub, state: Connection) -> Subscriber:
    realm = RealmId(state.realm)
    if state.kind == POLL:
        return PollSubscriber(realm, address=state.address)
    if state.kind in _WEBSOCKETS:
        return WebSocketSubscriber(realm, _WEBSOCKETS[state.kind][1], address=state.address, hub=hub)
    kind_of_subscriber, wire = _STREAMS[state.kind]
    if kind_of_subscriber is SseCursorSubscriber:
        assert isinstance(wire, SseWire)
        return SseCursorSubscriber(realm, wire, address=state.address)
    return kind_of_subscriber(realm, wire, address=state.address)
