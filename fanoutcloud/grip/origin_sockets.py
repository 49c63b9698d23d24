"""The origin's side of a WebSocket between origin and edge (RFC 6455, as a client)."""

import asyncio
import base64
import hashlib
import secrets
from collections import deque
from typing import Protocol

from websockets.client import ClientProtocol
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Event, State
from websockets.uri import parse_uri

from fanoutcloud.grip.control_messages import Message, MessageType

#: A message of the origin, or what has come of one in fragments.
MAX_MESSAGE_BYTES = 1_000_000
#: Of the origin's messages, kept before they are passed on; then the origin has to wait.
READ_AHEAD_BYTES = 65_536
#: How long a peer has to answer a close.
CLOSE_TIMEOUT_S = 5.0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_URI = parse_uri("ws://origin/")
_OPCODES: dict[MessageType, Opcode] = {
    "text": Opcode.TEXT,
    "binary": Opcode.BINARY,
    "ping": Opcode.PING,
    "pong": Opcode.PONG,
}
_TYPES: dict[Opcode, MessageType] = {opcode: kind for kind, opcode in _OPCODES.items()}


def make_key() -> bytes:
    """Return a key for a handshake."""
    return base64.b64encode(secrets.token_bytes(16))


def accept_of(key: bytes) -> bytes:
    """Return what the server has to answer to a key."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


class OriginSocketOwner(Protocol):
    """Who hears of the origin. None of these waits."""

    def on_origin_news(self) -> None:
        """There is something to `take`."""

    def on_origin_room(self, *, has_room: bool) -> None:
        """The origin takes no more for now, or takes more again."""


class _OriginFrames(ClientProtocol):
    """Reads an origin's frames and answers none of them."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.close_rcvd = Close.parse(frame.data)  # raises what ends the connection
            self.events.append(frame)
        elif frame.opcode is Opcode.PING:
            self.events.append(frame)
        else:
            super().recv_frame(frame)


class OriginSocket(asyncio.Protocol):
    """An open WebSocket to an origin: whole messages in order, and how it ended."""

    def __init__(self, owner: OriginSocketOwner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._frames = _OriginFrames(_URI, state=State.OPEN, max_size=MAX_MESSAGE_BYTES)
        self._messages: deque[Message] = deque()
        self._waiting_bytes = 0
        self._fragments: list[bytes] = []
        self._type: MessageType = "text"
        self._is_paused = False
        self._has_sent_close = False
        #: Content of the origin's close frame.
        self.close_content: bytes | None = None
        #: Whether nothing more comes.
        self.is_over = False

    def begin(self, transport: asyncio.Transport, early: bytes) -> None:
        """Go on with a connection whose handshake is done."""
        self._transport = transport
        if early:
            self.data_received(early)

    def take(self) -> Message | None:
        """Return the next message, or None; what follows is read on when few wait."""
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._waiting_bytes -= len(message.content)
        if self._is_paused and self._waiting_bytes <= READ_AHEAD_BYTES // 2:
            self._is_paused = False
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
        return message

    def send(self, message: Message) -> None:
        self._write(Frame(_OPCODES[message.type], message.content))

    def close_as(self, content: bytes) -> None:
        """Send a close with this content, and wait a moment for the answer."""
        if not self._has_sent_close:
            self._has_sent_close = True
            self._write(Frame(Opcode.CLOSE, content))
            if self.close_content is not None:
                self.end()
            else:
                asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.abort)

    def end(self) -> None:
        """End the connection after what is unsent; give up on an origin that takes nothing."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.abort)

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, frame: Frame) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame.serialize(mask=True))

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self.is_over:
            return
        self._frames.receive_data(data)
        self._read(self._frames.events_received())
        if self._frames.parser_exc is not None:
            for answer in self._frames.data_to_send():
                if answer and self._transport is not None:
                    self._transport.write(answer)  # the close that says what was wrong
            self.is_over = True
            self.end()
        self._owner.on_origin_news()

    def _read(self, events: list[Event]) -> None:
        for event in events:
            assert isinstance(event, Frame), "the handshake is over"
            self._on_frame(event)
            if self.close_content is not None:
                return  # nothing counts behind a close

    def _on_frame(self, frame: Frame) -> None:
        data = bytes(frame.data)
        if frame.opcode is Opcode.CLOSE:
            self.close_content, self.is_over = data, True
        elif frame.opcode in (Opcode.PING, Opcode.PONG):
            self._keep(Message(_TYPES[frame.opcode], data))
        else:
            self._on_fragment(frame.opcode, data, is_last=frame.fin)

    def _on_fragment(self, opcode: Opcode, data: bytes, *, is_last: bool) -> None:
        if opcode is not Opcode.CONT:
            self._type = _TYPES[opcode]
        self._fragments.append(data)  # their sum is bounded by the parser's `max_size`
        if is_last:
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._keep(Message(self._type, message))

    def _keep(self, message: Message) -> None:
        self._messages.append(message)
        self._waiting_bytes += len(message.content)
        if self._waiting_bytes > READ_AHEAD_BYTES and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        try:
            self._frames.receive_eof()
        except ProtocolError:
            return False
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = True
        self._owner.on_origin_room(has_room=True)
        self._owner.on_origin_news()

    def pause_writing(self) -> None:
        self._owner.on_origin_room(has_room=False)

    def resume_writing(self) -> None:
        self._owner.on_origin_room(has_room=True)
