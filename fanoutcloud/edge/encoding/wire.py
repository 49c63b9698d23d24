"""Wire formats: an item, encoded once into the exact bytes that each of many subscribers gets.

A wire format is content (which message, in which text form) and framing (WebSocket frame, HTTP chunk, or none where
the server frames). Subscribers that share one are written the same bytes; see `edge.hub.hub`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from fanoutcloud.core.activity import Transport
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.encoding import messages
from fanoutcloud.edge.encoding.compression import deflated_frame
from fanoutcloud.edge.encoding.frames import http_chunk, unframed, websocket_frame
from fanoutcloud.edge.selection.selected import Delta

Framing = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an item ends the connections that it reaches: close code and reason (the code is for WebSockets)."""

    code: int
    reason: str


class WireFormat(Protocol):
    """Bytes for one kind of connection. Instances are shared: groups of subscribers are found by identity."""

    transport: Transport
    framing: Framing
    is_joinable: bool  # whether several of its frames may go out as one piece

    def item(self, stored: StoredItem) -> bytes: ...

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes: ...

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes: ...

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        """Return what tells how far a channel is whose items were passed over."""

    def keep_alive(self) -> bytes: ...

    def closing(self, reason: CloseReason, text: str = "") -> bytes: ...

    def ending(self, item: Item) -> Ending | None:
        """Return how the item ends connections of this kind, or None, as nearly always."""


class WebSocketWire:
    """JSON messages, one per WebSocket text message."""

    transport: Transport = "websocket"

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.is_joinable = framing is not unframed  # without frames of its own, each message is sent by itself
        self._keep_alive = framing(messages.KEEP_ALIVE)

    def item(self, stored: StoredItem) -> bytes:
        return self.framing(messages.item_message(stored, messages.ws_content(stored.item)))

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
        return self.framing(messages.subscribed_message(channel, position, recovered=recovered))

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        return self.framing(messages.reset_message(channel, position, reason))

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        return self.framing(messages.position_message(channel, position))

    def keep_alive(self) -> bytes:
        return self._keep_alive

    def aside(self, name: str, message: bytes) -> bytes:
        return self.framing(message)

    def delta(self, stored: StoredItem, delta: Delta) -> bytes:
        return self.framing(messages.delta_message(stored, delta.base, delta.patch))

    def closing(self, reason: CloseReason, text: str = "") -> bytes:
        return b""  # the close code says it

    def ending(self, item: Item) -> Ending | None:
        message = item.ws_message
        if message is None or message.action != "close":
            return None
        return Ending(message.code or 1000, message.reason)


class DeflatedWebSocketWire(WebSocketWire):
    """The same, with large items compressed: once for all subscribers that share it."""

    def item(self, stored: StoredItem) -> bytes:
        return deflated_frame(messages.item_message(stored, messages.ws_content(stored.item)))


class _HttpStreamEnding:
    """Streams end when an item says so in `http-stream`."""

    def ending(self, item: Item) -> Ending | None:
        stream = item.http_stream
        return Ending(1000, "") if stream is not None and stream.action == "close" else None


class JsonLinesWire(_HttpStreamEnding):
    """JSON messages, one per line of an endless response."""

    transport: Transport = "http-stream"

    is_joinable = True

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self._keep_alive = self._line(messages.KEEP_ALIVE)

    def _line(self, message: bytes) -> bytes:
        return self.framing(message + b"\n")

    def item(self, stored: StoredItem) -> bytes:
        return self._line(messages.item_message(stored, messages.stream_content(stored.item)))

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
        return self._line(messages.subscribed_message(channel, position, recovered=recovered))

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        return self._line(messages.reset_message(channel, position, reason))

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        return self._line(messages.position_message(channel, position))

    def keep_alive(self) -> bytes:
        return self._keep_alive

    def aside(self, name: str, message: bytes) -> bytes:
        return self._line(message)

    def delta(self, stored: StoredItem, delta: Delta) -> bytes:
        return self._line(messages.delta_message(stored, delta.base, delta.patch))

    def closing(self, reason: CloseReason, text: str = "") -> bytes:
        words = text or reason.text
        return self._line(messages.closing_message(reason.reason, words, may_reconnect=reason.may_reconnect))


class RawStreamWire(_HttpStreamEnding):
    """Only what publishers wrote: the content of `http-stream`, or the JSON on a line. No positions, no messages."""

    transport: Transport = "http-stream"

    is_joinable = True

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self._keep_alive = framing(b"\n")

    def item(self, stored: StoredItem) -> bytes:
        content = messages.stream_content(stored.item)
        if content is None:
            json_object = stored.item.json_object
            content = b"" if json_object is None else json_object + b"\n"
        return self.framing(content) if content else b""

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
        return b""

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        return b""

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        return b""

    def keep_alive(self) -> bytes:
        return self._keep_alive

    def closing(self, reason: CloseReason, text: str = "") -> bytes:
        return b""


class SseWire(_HttpStreamEnding):
    """Server-sent events (WHATWG HTML §9.2). Items are unnamed events, everything else has a name.

    `id:` carries the cursor: for a subscriber of one channel the item's position. Subscribers of several channels
    need a cursor of their own, see `event`.
    """

    transport: Transport = "sse"

    is_joinable = True

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self._keep_alive = self.event(messages.KEEP_ALIVE, name="keep-alive")

    def event(self, data: bytes, *, name: str = "", cursor: str = "") -> bytes:
        """Return one event; `data` is one line."""
        head = f"id: {cursor}\n" if cursor else ""
        if name:
            head += f"event: {name}\n"
        return self.framing(b"%bdata: %b\n\n" % (head.encode(), data))

    def item(self, stored: StoredItem) -> bytes:
        return self.item_at(stored, str(stored.position))

    def item_at(self, stored: StoredItem, cursor: str) -> bytes:
        """Return the event of an item with a cursor of the subscriber's own."""
        message = messages.item_message(stored, messages.stream_content(stored.item))
        has_content = not message.startswith(b'{"type":"position"')
        return self.event(message, name="" if has_content else "position", cursor=cursor)

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
        return self.subscribed_at(channel, position, recovered=recovered, cursor=str(position))

    def subscribed_at(self, channel: ChannelName, position: StreamPosition, *, recovered: bool, cursor: str) -> bytes:
        """Return the event `subscribed` with a cursor of the subscriber's own."""
        message = messages.subscribed_message(channel, position, recovered=recovered)
        return self.event(message, name="subscribed", cursor=cursor)

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        return self.reset_at(channel, position, reason, cursor=str(position))

    def reset_at(self, channel: ChannelName, position: StreamPosition, reason: str, *, cursor: str) -> bytes:
        """Return the event `reset` with a cursor of the subscriber's own."""
        return self.event(messages.reset_message(channel, position, reason), name="reset", cursor=cursor)

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        return self.position_at(channel, position, cursor=str(position))

    def position_at(self, channel: ChannelName, position: StreamPosition, *, cursor: str) -> bytes:
        """Return the event `position` with a cursor of the subscriber's own."""
        return self.event(messages.position_message(channel, position), name="position", cursor=cursor)

    def keep_alive(self) -> bytes:
        return self._keep_alive

    def aside(self, name: str, message: bytes) -> bytes:
        return self.event(message, name=name)

    def delta(self, stored: StoredItem, delta: Delta) -> bytes:
        return self.event(messages.delta_message(stored, delta.base, delta.patch), cursor=str(stored.position))

    def closing(self, reason: CloseReason, text: str = "") -> bytes:
        message = messages.closing_message(reason.reason, text or reason.text, may_reconnect=reason.may_reconnect)
        return self.event(message, name="closing")


@runtime_checkable
class TellsAside(Protocol):
    """A wire format that has room for messages that are no items, and that only some clients ask for."""

    def aside(self, name: str, message: bytes) -> bytes:
        """Return a JSON message of type `name`."""


#: The instances that all subscribers share: prepared for our own server's sockets, and plain for any other server's.
PREPARED_WEBSOCKET = WebSocketWire(websocket_frame)
DEFLATED_WEBSOCKET = DeflatedWebSocketWire(websocket_frame)
PLAIN_WEBSOCKET = WebSocketWire(unframed)
PREPARED_SSE = SseWire(http_chunk)
PLAIN_SSE = SseWire(unframed)
PREPARED_JSON_LINES = JsonLinesWire(http_chunk)
PLAIN_JSON_LINES = JsonLinesWire(unframed)
PREPARED_RAW_STREAM = RawStreamWire(http_chunk)
PLAIN_RAW_STREAM = RawStreamWire(unframed)
