"""Prepared sinks: connections of our own server that have left HTTP parsing behind and only take bytes.

Each is the transport's asyncio protocol from then on: the HTTP protocol with its parser, scope and task is let go, so
that a held connection costs little more than its socket. Offered to the application as `scope["extensions"]
["fanout.sink"]` by `edge.connections.http_protocol`; source: docs/topics/fan-out.md.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from fanoutcloud.edge.connections.sinks import NOBODY, SinkOwner
from fanoutcloud.edge.encoding.frames import LAST_CHUNK
from fanoutcloud.edge.limits import EdgeLimits

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


_Owner = TypeVar("_Owner")


class Held(asyncio.Protocol, Generic[_Owner]):
    """A transport that HTTP has let go, and who owns it: what all held connections keep."""

    __slots__ = ("_connections", "_is_over", "_owner", "_transport")

    def __init__(self, transport: asyncio.Transport, owner: _Owner, connections: ServerConnections) -> None:
        self._transport = transport
        self._owner = owner
        self._connections = connections
        #: Whether the end has begun: a goodbye, an answer, a loss, or another process that has the connection.
        self._is_over = False
        connections.add(self)
        transport.set_protocol(self)

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    @property
    def owner(self) -> _Owner:
        return self._owner

    @property
    def is_at_rest(self) -> bool:
        """Whether the connection could go on in another process: what the client has begun to say is complete."""
        return not self._is_over and not self._transport.is_closing()

    def let_go(self) -> None:
        """Forget the connection, which another process has got; the owner is told nothing."""
        self._is_over = True
        self._connections.discard(self)
        let_go(self._transport)


class HeldConnection(Held[SinkOwner]):
    """Bytes to one transport, and news of it to the owner. Base of streams and WebSockets; is a `Sink`."""

    __slots__ = ("_limits", "_room", "write")

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: SinkOwner,
        *,
        limits: EdgeLimits,
        connections: ServerConnections,
    ) -> None:
        self._limits = limits
        self._room: asyncio.Future[None] | None = None
        #: The transport's own method: fan-out calls it with nothing in between. It never waits.
        self.write: Callable[[bytes], None] = transport.write
        transport.set_write_buffer_limits(high=limits.outbox_bytes)
        super().__init__(transport, owner, connections)

    def unsent_bytes(self) -> int:
        return self._transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until few bytes are unsent: high water is lowered meanwhile, so that the transport tells."""
        transport = self._transport
        if self._is_over or transport.get_write_buffer_size() <= self._limits.catch_up_bytes:
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
        if self._is_over:
            return
        self._is_over = True
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
        if self._room is None and not self._is_over:
            self._owner.on_overflow()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._connections.discard(self)
        self.resume_writing()
        owner, self._owner = self._owner, NOBODY
        owner.on_lost()


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


def begin_stream(
    transport: asyncio.Transport,
    owner: SinkOwner,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    defaults: Iterable[tuple[bytes, bytes]],
    limits: EdgeLimits,
    connections: ServerConnections,
    status: bytes = b"200 OK",
    is_chunked: bool = True,
    first: bytes = b"",
) -> HeldStream:
    """Write the head of an endless response, `defaults` being headers for want of others, and hold the connection.

    `first` are bytes of the response that go out with its head: each write is a packet, and wakes the receiver.
    """
    own = {name.lower() for name, _ in headers}
    more = [header for header in defaults if header[0].lower() not in own]
    lines = [b"%b: %b\r\n" % header for header in (*more, *headers)]
    ending = b"Transfer-Encoding: chunked" if is_chunked else b"Connection: close"  # RFC 9112 §6.3
    transport.write(b"HTTP/1.1 %b\r\n%b%b\r\n\r\n%b" % (status, b"".join(lines), ending, first))
    kind = HeldStream if is_chunked else HeldPlainStream
    return kind(transport, owner, limits=limits, connections=connections)
