"""An open WebSocket of our own server whose every frame is for somebody else: an origin."""

from typing import Protocol

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from fanoutcloud.edge.connections.held_websocket import HeldWebSocket
from fanoutcloud.edge.connections.sinks import SinkOwner
from fanoutcloud.edge.encoding.frames import OP_CLOSE, websocket_frame

#: A message, or what has come of one in fragments; a larger one ends the connection.
MAX_MESSAGE_BYTES = 200_000


class RelayOwner(SinkOwner, Protocol):
    """Who hears of what the client sends: beside texts and bytes also what WebSockets say among themselves."""

    def on_ping(self, content: bytes) -> None:
        """The client sent a ping; a pong is the owner's to send."""

    def on_pong(self, content: bytes) -> None:
        """The client sent a pong."""

    def on_close(self, content: bytes) -> None:
        """The client wants to end: code and reason, or nothing. The answer is the owner's to give; no more comes."""


class _RelayedFrames(ServerProtocol):
    """Reads a client's frames and answers none of them."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.close_rcvd = Close.parse(frame.data)  # raises what ends the connection
            self.events.append(frame)
        elif frame.opcode is Opcode.PING:
            self.events.append(frame)
        else:
            super().recv_frame(frame)


class HeldRelaySocket(HeldWebSocket):
    """Texts, bytes, pings, pongs and closes go to the owner, in order. It may `pause` the client."""

    __slots__ = ()

    _owner: RelayOwner

    def pause(self) -> None:
        """Read no more from the client until `resume`; what has been read still comes."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        if protocol is None:
            protocol = self._protocol = _RelayedFrames(state=State.OPEN, max_size=MAX_MESSAGE_BYTES)
        if protocol.close_rcvd is not None:
            return
        protocol.receive_data(data)
        for event in protocol.events_received():
            assert isinstance(event, Frame), "the handshake is over"
            if self._is_over:
                break
            self._on_frame(event)
            if event.opcode is Opcode.CLOSE:
                break
        self._answer(protocol, [answer for answer in protocol.data_to_send() if answer])

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PING:
            self._owner.on_ping(bytes(frame.data))
        elif frame.opcode is Opcode.PONG:
            self._owner.on_pong(bytes(frame.data))
        elif frame.opcode is Opcode.CLOSE:
            self._owner.on_close(bytes(frame.data))
        else:
            self._on_message_frame(frame)

    def close_as(self, content: bytes) -> None:
        """End the connection with a close frame that holds just this: code and reason, or nothing."""
        if not self._is_over:
            self._is_over = True
            self._transport.write(websocket_frame(content, OP_CLOSE))
            self._transport.close()
            self._give_up_if_stuck()

    def _say_goodbye(self, code: int, reason: str) -> None:
        super()._say_goodbye(code, reason)
        if self._protocol is not None and self._protocol.close_rcvd is not None:
            self._transport.close()

    def drop(self) -> None:
        """End the connection without a word."""
        if not self._is_over:
            self._is_over = True
            self._transport.close()
            self._give_up_if_stuck()
