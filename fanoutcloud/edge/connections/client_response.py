"""A response to a client, piece by piece: on our own server straight to the connection, elsewhere through ASGI.

ASGI knows neither reason phrases nor a visible break-off; our own server writes both, and header names as they came.
"""

import asyncio
import socket
import struct
from email.utils import formatdate
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from fanoutcloud.edge.connections.sinks import Scope, Send
from fanoutcloud.edge.site.responses import Headers

_BODILESS = frozenset({204, 304})


class ClientLeft(Exception):
    """The client has gone, or takes nothing any more: nothing more can be told it."""


class ResponseBrokenOff(Exception):
    """Ends a response under a server that has no other way to break one off."""


class ClientResponse(Protocol):
    """Each method once and in this order, but for `write`; `break_off` at any time after `start`."""

    is_started: bool

    async def start(self, status: int, reason: bytes, headers: Headers, *, length: int | None) -> None:
        """Send the head. `headers` hold no framing; `length` is the body's, None: unknown.

        Raises:
            ClientLeft: here and below.
        """

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client takes nothing."""

    async def finish(self, trailers: Headers) -> None:
        """End the response. Trailers go out if the client takes them."""

    def break_off(self) -> None:
        """Let the client see that the response is not whole."""


class DirectResponse:
    """Writes to a connection of our own server, in the place of uvicorn's request cycle."""

    def __init__(self, cycle: RequestResponseCycle, scope: Scope, *, stuck_s: float) -> None:
        self._cycle = cycle
        self._stuck_s = stuck_s
        self._is_1_0 = scope["http_version"] == "1.0"
        self._is_head = scope["method"] == "HEAD"
        self._is_chunked = False
        self._has_body = True
        self._is_until_close = False
        #: What this turn of the loop has brought: head and a small body leave in one piece.
        self._pending: list[bytes] = []
        self.is_started = False

    async def start(self, status: int, reason: bytes, headers: Headers, *, length: int | None) -> None:
        cycle = self._cycle
        if cycle.disconnected or cycle.transport.is_closing():
            raise ClientLeft
        self._has_body = not (self._is_head or status in _BODILESS)
        lines = [b"HTTP/1.1 %d %b\r\n" % (status, reason), *(b"%b: %b\r\n" % header for header in headers)]
        if not any(name.lower() == b"date" for name, _ in headers):
            lines.append(b"Date: %b\r\n" % formatdate(usegmt=True).encode())
        if length is not None and status != 204:
            lines.append(b"Content-Length: %d\r\n" % length)
        elif self._has_body and not self._is_1_0:
            self._is_chunked = True
            lines.append(b"Transfer-Encoding: chunked\r\n")
        elif self._has_body:
            self._is_until_close, cycle.keep_alive = True, False
        if not cycle.keep_alive:
            lines.append(b"Connection: close\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or b"\x00" in head:
            raise ValueError("a header can't be sent: it holds a line feed or NUL")
        self.is_started = cycle.response_started = True
        cycle.waiting_for_100_continue = False
        self._pending = [head, b"\r\n"]
        asyncio.get_running_loop().call_soon(self._flush)

    async def write(self, data: bytes) -> None:
        cycle = self._cycle
        if cycle.flow.write_paused:
            try:
                async with asyncio.timeout(self._stuck_s):
                    await cycle.flow.drain()
            except TimeoutError:
                raise ClientLeft from None
        if cycle.disconnected or cycle.transport.is_closing():
            raise ClientLeft
        if self._has_body and data:
            self._pending.append(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
            self._flush()

    def _flush(self) -> None:
        if self._pending and not self._cycle.transport.is_closing():
            self._cycle.transport.write(b"".join(self._pending))
        self._pending.clear()

    async def finish(self, trailers: Headers) -> None:
        cycle = self._cycle
        if self._is_chunked and not cycle.disconnected:
            lines = b"".join(b"%b: %b\r\n" % trailer for trailer in trailers)
            self._pending.append(b"0\r\n%b\r\n" % lines)
        self._flush()
        self._complete(keep_alive=cycle.keep_alive)

    def break_off(self) -> None:
        """Close without what is missing; where the end of the connection would be the body's end, reset it."""
        self._flush()
        if self._is_until_close:
            reset(self._cycle.transport)
        self._complete(keep_alive=False)

    def _complete(self, *, keep_alive: bool) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        if not keep_alive:
            cycle.transport.close()
        cycle.on_response()


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that the peer sees an error and no end."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class AsgiResponse:
    """The same through ASGI `send`. Trailers are not sent, and the reason is the server's."""

    def __init__(self, send: Send, scope: Scope, *, stuck_s: float) -> None:
        self._send = send
        self._is_head = scope["method"] == "HEAD"
        self._stuck_s = stuck_s
        self.is_started = False

    async def start(self, status: int, reason: bytes, headers: Headers, *, length: int | None) -> None:
        self.is_started = True
        framing = [] if length is None or status == 204 else [(b"content-length", b"%d" % length)]
        await self._tell({"type": "http.response.start", "status": status, "headers": [*headers, *framing]})

    async def write(self, data: bytes) -> None:
        if data and not self._is_head:
            await self._tell({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, trailers: Headers) -> None:
        await self._tell({"type": "http.response.body", "body": b""})

    def break_off(self) -> None:
        raise ResponseBrokenOff

    async def _tell(self, message: dict[str, object]) -> None:
        try:
            async with asyncio.timeout(self._stuck_s):
                await self._send(message)
        except OSError:  # TimeoutError is one; ASGI: so is sending to a client that has left
            raise ClientLeft from None
