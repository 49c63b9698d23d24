"""Wire formats of held connections: only what publishers wrote, no words of ours."""

from collections.abc import Callable

from fanoutcloud.core.activity import Transport
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.items import HttpStream, Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.wire import Ending, Framing
from fanoutcloud.grip.control_messages import Message

#: Channels whose last content is remembered; the oldest are forgotten and count as quiet.
MAX_QUIET_CHANNELS = 50_000


class SilentWire:
    """Says nothing of its own."""

    transport: Transport
    is_joinable = True

    def __init__(self, framing: Framing) -> None:
        self.framing = framing

    def item(self, stored: StoredItem) -> bytes:
        return b""

    def position(self, channel: ChannelName, position: StreamPosition) -> bytes:
        return b""

    def subscribed(self, channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
        return b""

    def reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
        return b""

    def keep_alive(self) -> bytes:
        return b""

    def closing(self, reason: CloseReason, text: str = "") -> bytes:
        return b""

    def ending(self, item: Item) -> Ending | None:
        return None


class ResponseWire(SilentWire):
    """Held responses are answered once, each in its own words; see `grip.response_holds`."""

    transport: Transport = "hold-response"


class StreamWire(SilentWire):
    """The content of `http-stream`, verbatim: one item, one chunk. One instance for each realm and framing.

    Knows when a channel last had content, so that idle streams can be told from busy ones without a clock for each.
    """

    transport: Transport = "hold-stream"

    def __init__(self, framing: Framing, clock: Clock) -> None:
        super().__init__(framing)
        self._clock = clock
        self._newest: tuple[StoredItem | None, bytes] = (None, b"")
        self._content_at: dict[ChannelName, float] = {}

    def item(self, stored: StoredItem) -> bytes:
        """Return the chunk for streams without filters."""
        if self._newest[0] is not stored:
            self._newest = (stored, self._encode(stored.item))
        return self._newest[1]

    def _encode(self, item: Item) -> bytes:
        stream = item.http_stream
        if stream is None or stream.action != "send" or stream.content_filters or not stream.content:
            return b""
        self._content_at.pop(item.channel, None)
        self._content_at[item.channel] = self._clock.monotonic()
        if len(self._content_at) > MAX_QUIET_CHANNELS:
            del self._content_at[next(iter(self._content_at))]
        return self.framing(stream.content)

    def content_at(self, channels: list[ChannelName]) -> float:
        """Return when any of the channels last had content."""
        return max((self._content_at.get(channel, 0.0) for channel in channels), default=0.0)

    def ending(self, item: Item) -> Ending | None:
        return ENDED if item.http_stream is not None and is_close(item.http_stream) else None


ENDED = Ending(1000, "")


def is_close(stream: HttpStream) -> bool:
    """Whether the item ends streams."""
    return stream.action == "close"


class SocketWire(SilentWire):
    """What `ws-message` holds, as WebSockets get it. One instance for each kind of server."""

    transport: Transport = "hold-websocket"

    def __init__(self, encode: Callable[[Message], bytes]) -> None:
        super().__init__(unframed)
        self.encode = encode
        self._newest: tuple[StoredItem | None, bytes] = (None, b"")

    def item(self, stored: StoredItem) -> bytes:
        """Return the frame for WebSockets without filters."""
        if self._newest[0] is not stored:
            message = stored.item.ws_message
            is_sent = message is not None and message.action == "send" and not message.content_filters
            frame = self.encode(Message(message.type, message.content)) if is_sent and message is not None else b""
            self._newest = (stored, frame)
        return self._newest[1]
