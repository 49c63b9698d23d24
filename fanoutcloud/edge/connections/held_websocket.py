"""An open WebSocket of our own server as a prepared sink (RFC 6455)."""

import asyncio
import codecs
from collections import deque
from collections.abc import Iterable

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from fanoutcloud.edge.connections.held import HeldConnection, ServerConnections
from fanoutcloud.edge.connections.sinks import SinkOwner
from fanoutcloud.edge.encoding.compression import make_decoder
from fanoutcloud.edge.encoding.frames import close_frame
from fanoutcloud.edge.limits import EdgeLimits

#: How long a client has to answer our close frame.
CLOSE_TIMEOUT_S = 2.0
NOT_UTF8 = (1007, "the message is not UTF-8")


class _Frames(ServerProtocol):
    """Reads a client's frames, and answers pings and closes."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # RFC 6455 §5.4: a control frame may come between fragments, so a close may, too
        super().recv_frame(frame)


class HeldWebSocket(HeldConnection):
    """Its frame parser is made when the client first speaks; most never do.

    Frames, masks, fragments, control frames and sizes are the business of `websockets`; messages, UTF-8 and the end
    are ours. A client that breaks the protocol is closed with the code for it, and the owner hears of it once.
    Source: docs/topics/conformance.md.
    """

    __slots__ = ("_message", "_protocol", "_utf8")

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: SinkOwner,
        *,
        limits: EdgeLimits,
        connections: ServerConnections,
    ) -> None:
        self._protocol: ServerProtocol | None = None
        #: What has come of a message in fragments; their sum is bounded by the parser's `max_size`.
        self._message: bytearray | None = None
        #: Checks the fragments of a text as they come; None: the message is binary.
        self._utf8: codecs.IncrementalDecoder | None = None
        super().__init__(transport, owner, limits=limits, connections=connections)

    @property
    def is_at_rest(self) -> bool:
        protocol = self._protocol
        is_between_frames = protocol is None or (protocol.state is State.OPEN and _is_between_frames(protocol))
        return is_between_frames and self._message is None and super().is_at_rest

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._transport.write(close_frame(code, reason))
        if self._protocol is not None and self._protocol.state is State.CLOSING:
            self._transport.close()
            return
        # RFC 6455 §7.1.1: the client answers with its own close frame; it has a moment for that.
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.close)

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        if protocol is None:
            protocol = self._protocol = self._make_protocol()
        protocol.receive_data(data)
        answers = deque(filter(None, protocol.data_to_send()))
        for event in protocol.events_received():
            assert isinstance(event, Frame), "the handshake is over"
            if self._is_over:
                break
            if event.opcode is Opcode.PING:
                self._transport.write(answers.popleft())  # in its place: before what the owner says to the next message
            elif event.opcode not in (Opcode.PONG, Opcode.CLOSE):
                self._on_message_frame(event)
        self._answer(protocol, answers)

    def _make_protocol(self) -> ServerProtocol:
        return _Frames(state=State.OPEN, max_size=self._limits.max_message_bytes)

    def _answer(self, protocol: ServerProtocol, answers: Iterable[bytes]) -> None:
        """Write what is left to answer: to a close, or to a violation."""
        if self._is_over:
            if protocol.close_rcvd is not None or protocol.parser_exc is not None:
                self._transport.close()
            return
        if protocol.parser_exc is not None and protocol.close_sent is not None:
            self._owner.on_violation(protocol.close_sent.code, protocol.close_sent.reason)
        for answer in answers:
            self._transport.write(answer)
        if protocol.state is not State.OPEN:
            self._is_over = True
            self._transport.close()
            self._give_up_if_stuck()

    def _on_message_frame(self, frame: Frame) -> None:
        try:
            if frame.opcode is not Opcode.CONT and frame.fin:
                self._tell(bytes(frame.data), is_text=frame.opcode is Opcode.TEXT)
            else:
                self._on_fragment(frame)
        except UnicodeDecodeError:
            self._owner.on_violation(*NOT_UTF8)
            self.close(*NOT_UTF8)

    def _on_fragment(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._message = bytearray()
            self._utf8 = codecs.getincrementaldecoder("utf-8")() if frame.opcode is Opcode.TEXT else None
        assert self._message is not None, "the parser lets nothing be continued that has not begun"
        self._message += frame.data
        if self._utf8 is not None:
            self._utf8.decode(bytes(frame.data), frame.fin)  # RFC 6455 §8.1: fail as soon as it can't be UTF-8
        if frame.fin:
            message, self._message = bytes(self._message), None
            self._tell(message, is_text=self._utf8 is not None)

    def _tell(self, message: bytes, *, is_text: bool) -> None:
        if is_text:
            self._owner.on_text(message.decode())
        else:
            self._owner.on_bytes(message)

    def eof_received(self) -> None:
        if self._protocol is not None:
            try:
                self._protocol.receive_eof()
            except ProtocolError:
                return


class HeldDeflatedWebSocket(HeldWebSocket):
    """The same where both sides may compress; what is written is compressed, or not, by whoever writes it."""

    __slots__ = ()

    def _make_protocol(self) -> ServerProtocol:
        protocol = super()._make_protocol()
        protocol.extensions = [make_decoder()]
        return protocol


def _is_between_frames(protocol: ServerProtocol) -> bool:
    """Whether the parser waits for the first byte of a frame: there it asks whether the client has ended."""
    waits_in: object = protocol.parser
    while (inner := getattr(waits_in, "gi_yieldfrom", None)) is not None:
        waits_in = inner
    return getattr(waits_in, "__name__", "") == StreamReader.at_eof.__name__
