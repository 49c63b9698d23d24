"""Prepared sinks: connections of our own server that have left HTTP parsing behind and only take bytes.

Each is the transport's asyncio protocol from then on: the HTTP protocol with its parser, scope and task is let go, so
that a held connection costs little more than its socket. Offered to the application as `scope["extensions"]
["fanout.sink"]` by `edge.http_protocol`; source: docs/topics/fan-out.md.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

from fanoutcloud.edge.frames import LAST_CHUNK, close_frame
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.sinks import SinkOwner

EXTENSION = "fanout.sink"


class ServerConnections(Protocol):
    """The server's set of open connections; whoever is in it is asked to `shutdown` when the server ends."""

    def add(self, connection: Any, /) -> None: ...  # Any: uvicorn's own protocol classes and ours

    def discard(self, connection: Any, /) -> None: ...


class Gone(asyncio.Protocol):
    """The protocol of a transport that this process has no business with any more."""


def let_go(transport: asyncio.Transport) -> None:
    """Close this process's descriptor only. The connection lives on if another process has one, since no FIN is sent:
    that takes the last descriptor, or `shutdown(2)`, which closing a transport does not call.
    """
    transport.set_protocol(Gone())
    transport.abort()


class HeldConnection(asyncio.Protocol):
    """Bytes to one transport, and news of it to the owner. Base of the two below; is a `Sink`."""

    __slots__ = ("_connections", "_is_closing", "_limits", "_owner", "_room", "_transport", "write")

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: SinkOwner,
        *,
        limits: EdgeLimits,
        connections: ServerConnections,
    ) -> None:
        self._transport = transport
        self._owner = owner
        self._limits = limits
        self._connections = connections
        self._room: asyncio.Future[None] | None = None
        self._is_closing = False
        #: The transport's own method: fan-out calls it with nothing in between. It never waits.
        self.write: Callable[[bytes], None] = transport.write
        transport.set_write_buffer_limits(high=limits.outbox_bytes)
        connections.add(self)
        transport.set_protocol(self)

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    @property
    def owner(self) -> SinkOwner:
        return self._owner

    @property
    def is_at_rest(self) -> bool:
        """Whether the connection could go on in another process: what the client has begun to say is complete."""
        return not self._is_closing and not self._transport.is_closing()

    def let_go(self) -> None:
        """Forget the connection, which another process has got; the owner is told nothing."""
        self._is_closing = True
        self._connections.discard(self)
        let_go(self._transport)

    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until few bytes are unsent: high water is lowered meanwhile, so that the transport tells."""
        transport = self._transport
        if self._is_closing or transport.get_write_buffer_size() <= self._limits.catch_up_bytes:
            return
        self._room = asyncio.get_running_loop().create_future()
        transport.set_write_buffer_limits(high=self._limits.catch_up_bytes)
        try:
            if transport.get_write_buffer_size() > self._limits.catch_up_bytes:
                await self._room
        finally:
            self._room = None
            transport.set_write_buffer_limits(high=self._limits.outbox_bytes)

    def close(self, code: int, reason: str) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._say_goodbye(code, reason)
        self._give_up_if_stuck()

    def _give_up_if_stuck(self) -> None:
        """Bound how long a peer that takes nothing keeps a connection that has ended."""
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(self._limits.stuck_s, self._transport.abort)

    def _say_goodbye(self, code: int, reason: str) -> None:
        raise NotImplementedError

    def shutdown(self) -> None:
        """Be ended by the server, which goes down now; draining came before."""
        self._transport.close()

    # -- asyncio.Protocol

    def pause_writing(self) -> None:
        if self._room is None and not self._is_closing:
            self._owner.on_overflow()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._connections.discard(self)
        self.resume_writing()
        self._owner.on_lost()


class HeldStream(HeldConnection):
    """An endless chunked HTTP response. What the client still sends is read and passed over."""

    __slots__ = ()

    _last_bytes = LAST_CHUNK

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._transport.write(self._last_bytes)
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Pass over what the client sends: the response ends with the connection."""


class HeldPlainStream(HeldStream):
    """An endless response to a client of HTTP/1.0, as proxies often are: no chunks, the connection's end is its end."""

    __slots__ = ()

    _last_bytes = b""


class HeldWebSocket(HeldConnection):
    """An open WebSocket. Its frame parser is made when the client first speaks; most never do.

    Fragmentation, masking, UTF-8, limits and control frames are the business of `websockets`.
    """

    __slots__ = ("_fragments", "_protocol")

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: SinkOwner,
        *,
        limits: EdgeLimits,
        connections: ServerConnections,
    ) -> None:
        self._protocol: ServerProtocol | None = None
        self._fragments: list[bytes] = []
        super().__init__(transport, owner, limits=limits, connections=connections)

    @property
    def is_at_rest(self) -> bool:
        protocol = self._protocol
        is_between_frames = protocol is None or (protocol.state is State.OPEN and _is_between_frames(protocol))
        return is_between_frames and not self._fragments and super().is_at_rest

    def _say_goodbye(self, code: int, reason: str) -> None:
        self._transport.write(close_frame(code, reason))
        if self._protocol is not None and self._protocol.state is State.CLOSING:
            self._transport.close()
            return
        # RFC 6455 §7.1.1: the client answers with its own close frame; it has a moment for that.
        asyncio.get_running_loop().call_later(2.0, self._transport.close)

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        if protocol is None:
            protocol = self._protocol = ServerProtocol(state=State.OPEN, max_size=self._limits.max_message_bytes)
        protocol.receive_data(data)
        for event in protocol.events_received():
            assert isinstance(event, Frame), "the handshake is over"
            self._on_frame(event)
        if self._is_closing:
            if protocol.close_rcvd is not None or protocol.parser_exc is not None:
                self._transport.close()
            return
        for out in protocol.data_to_send():
            if out:
                self._transport.write(out)  # pongs, the answer to a close, or the close after a violation
        if protocol.state is not State.OPEN:
            self._is_closing = True
            self._transport.close()
            self._give_up_if_stuck()

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE) or self._is_closing:
            return
        if frame.opcode is Opcode.BINARY:
            self.close(1003, "send JSON as text messages")
            return
        self._fragments.append(bytes(frame.data))  # their sum is bounded by the parser's `max_size`
        if frame.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._on_text(message)

    def _on_text(self, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.close(1007, "the message is not UTF-8")
        else:
            self._owner.on_text(text)

    def eof_received(self) -> None:
        if self._protocol is not None:
            try:
                self._protocol.receive_eof()
            except ProtocolError:
                return


def _is_between_frames(protocol: ServerProtocol) -> bool:
    """Whether the parser waits for the first byte of a frame: there it asks whether the client has ended."""
    waits_in: object = protocol.parser
    while (inner := getattr(waits_in, "gi_yieldfrom", None)) is not None:
        waits_in = inner
    return getattr(waits_in, "__name__", "") == StreamReader.at_eof.__name__
