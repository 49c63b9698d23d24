"""A WebSocket's handshake on our own server: from the parsed request to the held connection (RFC 6455 §4.2)."""

import asyncio
import binascii
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from fanoutcloud.edge.connections.held_relay_socket import HeldRelaySocket, RelayOwner
from fanoutcloud.edge.connections.held_websocket import HeldDeflatedWebSocket, HeldWebSocket
from fanoutcloud.edge.connections.sinks import Message, Scope, SinkOwner
from fanoutcloud.edge.encoding.compression import ANSWER
from fanoutcloud.edge.limits import EdgeLimits

logger = logging.getLogger(__name__)

_Held = TypeVar("_Held", bound=HeldWebSocket)

#: What a client may send before the handshake is answered; more ends the connection.
MAX_EARLY_BYTES = 32_768
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class HandshakeUnderWay(Protocol):
    """What has the connection until the handshake is answered."""

    connections: set[Any]  # Any: uvicorn's own protocol classes and ours
    early: bytes  # what the client has sent behind its request


class WebSocketOffer:
    """`fanout.sink` of a WebSocket: call `hold` instead of sending `websocket.accept`."""

    __slots__ = ("_accept", "_handshake", "_limits", "_transport")

    def __init__(
        self, transport: asyncio.Transport, accept: bytes, *, limits: EdgeLimits, handshake: "HandshakeUnderWay"
    ) -> None:
        self._transport = transport
        self._accept = accept
        self._limits = limits
        self._handshake = handshake

    def hold(self, owner: SinkOwner, *, first: bytes = b"") -> HeldWebSocket | None:
        """Answer the handshake and take the connection over; None when the client has gone already.

        `first` are frames that go out with the answer: each write is a packet, and wakes the receiver.
        """
        return self._hold(HeldWebSocket, owner, (), first)

    def hold_deflated(self, owner: SinkOwner, *, first: bytes = b"") -> HeldWebSocket | None:
        """The same, agreeing to compression: only if the client `accepts_compression`."""
        return self._hold(HeldDeflatedWebSocket, owner, [ANSWER], first)

    def hold_relayed(self, owner: RelayOwner, headers: Sequence[tuple[bytes, bytes]]) -> HeldRelaySocket | None:
        """The same for a WebSocket whose messages, pings and closes are somebody else's to answer."""
        return self._hold(HeldRelaySocket, owner, headers)

    @property
    def has_left(self) -> bool:
        """Whether the client has gone already."""
        return self._transport.is_closing()

    def reject(self, response: bytes) -> None:
        """Answer the handshake with a whole HTTP response, and end the connection."""
        if not self._transport.is_closing():
            self._transport.write(response)
            self._transport.close()

    def _hold(
        self,
        kind: Callable[..., _Held],
        owner: SinkOwner,
        headers: Sequence[tuple[bytes, bytes]],
        first: bytes = b"",
    ) -> _Held | None:
        if self._transport.is_closing():
            return None
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n%b\r\n%b"
            % (self._accept, b"".join([b"%b: %b\r\n" % header for header in headers]), first)
        )
        handshake = self._handshake
        held = kind(self._transport, owner, limits=self._limits, connections=handshake.connections)
        handshake.connections.discard(handshake)
        if handshake.early:
            asyncio.get_running_loop().call_soon(held.data_received, handshake.early)
        return held


class Handshake(asyncio.Protocol):
    """Holds the transport between a WebSocket request and the application's answer; keeps early frames."""

    def __init__(self, connections: set[Any]) -> None:
        self.early = b""
        self.connections = connections
        self._transport: asyncio.Transport | None = None

    def watch(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.connections.add(self)
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self.early += data
        if len(self.early) > MAX_EARLY_BYTES and self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)

    def shutdown(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def answer_handshake(app: Any, scope: Scope, transport: asyncio.Transport, handshake: Handshake) -> None:
    """Run the application, which takes the connection over through the offer; end the connection if it did not."""

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        raise RuntimeError("a site's WebSocket is answered through its sink")

    try:
        await app(scope, receive, send)
    except Exception:
        logger.exception("websocket_request_failed")
    if transport.get_protocol() is handshake and not transport.is_closing():
        transport.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()


def find_accept(method: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """Return the answer to the handshake's key, or None if this is no handshake.

    RFC 6455 §4.2.1: a GET of version 13 with a key of 16 bytes in Base64.
    """
    key = version = None
    for name, value in headers:
        if name == b"sec-websocket-key" and key is None:
            key = value.strip()
        elif name == b"sec-websocket-version" and version is None:
            version = value.strip()
    try:
        is_key = key is not None and len(binascii.a2b_base64(key, strict_mode=True)) == 16
    except binascii.Error:
        return None
    if key is None or not is_key or method != b"GET" or version != b"13":
        return None
    digest = hashlib.sha1(key + _WEBSOCKET_GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)
