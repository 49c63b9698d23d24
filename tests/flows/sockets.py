"""Clients as bare sockets: they send what no library would, and read only when told to."""

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

#: No test waits longer than this for something that should happen.
PATIENCE_S = 20.0


class BareSocket:
    """One connection to 127.0.0.1. Nothing is read that is not asked for; the kernel's buffer is small."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._loop.sock_sendall(self._socket, data)

    async def read_until(self, end: bytes) -> bytes:
        """Return what comes up to `end`, and behind it whatever came along."""
        data = b""
        async with asyncio.timeout(PATIENCE_S):
            while end not in data:
                more = await self._loop.sock_recv(self._socket, 65_536)
                assert more, f"the connection ended behind {data[-200:]!r}"
                data += more
        return data

    async def read_to_end(self) -> bytes:
        """Return all that comes until the server ends the connection."""
        data = []
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionResetError):
                while more := await self._loop.sock_recv(self._socket, 1_048_576):
                    data.append(more)
        return b"".join(data)

    def reset(self) -> None:
        """Go without a word."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._socket.close()


@asynccontextmanager
async def bare_socket(port: int) -> AsyncIterator[BareSocket]:
    """Connect; disconnect at the end."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        yield BareSocket(connection)
    finally:
        connection.close()


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    """Return a GET request."""
    lines = [f"GET {path} HTTP/{version}", "Host: localhost", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def upgrade(path: str) -> bytes:
    """Return a WebSocket handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    return get(
        path, "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"
    )


def frames_of(data: bytes) -> list[Frame]:
    """Return the WebSocket frames behind the answer to a handshake."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    client.receive_data(data.partition(b"\r\n\r\n")[2])
    assert client.parser_exc is None
    return [event for event in client.events_received() if isinstance(event, Frame)]


def close_of(data: bytes) -> Close:
    """Return the close frame that ends the frames behind the answer to a handshake."""
    last = frames_of(data)[-1]
    assert last.opcode is Opcode.CLOSE, last
    return Close.parse(bytes(last.data))
