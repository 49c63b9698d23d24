"""The client's side of a WebSocket that an origin controls: on our own server, or on any other by ASGI."""

import asyncio
from typing import Protocol

from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.held_relay_socket import RelayOwner
from fanoutcloud.edge.connections.sinks import PlainSink, Receive, Scope, Send, Sink, send_last
from fanoutcloud.edge.encoding.frames import OP_BINARY, OP_TEXT, websocket_frame
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.grip.control_messages import Message
from fanoutcloud.grip.instructions import Answer
from fanoutcloud.grip.published_answers import encode
from fanoutcloud.outbound.messages import Headers

OP_PING, OP_PONG = 0x9, 0xA
_OPCODES = {"text": OP_TEXT, "binary": OP_BINARY, "ping": OP_PING, "pong": OP_PONG}
#: What goes through a sink without frames begins with one of these, so that `send` knows the kind.
_PLAIN_KINDS = {"text": b"t", "binary": b"b"}


def prepared_message(message: Message) -> bytes:
    """Return the frame of a message."""
    return websocket_frame(message.content, _OPCODES[message.type])


def plain_message(message: Message) -> bytes:
    """Return what a `PlainSocket` takes; pings and pongs are the business of the server there."""
    kind = _PLAIN_KINDS.get(message.type)
    return b"" if kind is None else kind + message.content


class ClientSocket(Sink, Protocol):
    """An accepted WebSocket. As a `Sink` it takes what `encode_message` makes."""

    def pause(self) -> None:
        """Read no more from the client until `resume`."""

    def resume(self) -> None:
        """Read on."""

    def close_as(self, content: bytes) -> None:
        """Send a close with just this content, code and reason or nothing, and end."""

    def drop(self) -> None:
        """End without a close."""


class Handshake(Protocol):
    """A client that waits for the answer to its handshake."""

    @staticmethod
    def encode_message(message: Message) -> bytes:
        """Return what the accepted socket takes for a message."""

    async def accept(self, owner: RelayOwner, headers: Headers) -> ClientSocket | None:
        """Answer 101 with these headers; None when the client has gone."""

    async def reject(self, answer: Answer) -> None:
        """Answer with a response of HTTP."""

    async def serve(self) -> None:
        """Return when the connection is over, or in other hands."""


class PreparedHandshake:
    """On our own server."""

    @staticmethod
    def encode_message(message: Message) -> bytes:
        return prepared_message(message)

    def __init__(self, scope: Scope) -> None:
        self._offer = scope["extensions"][EXTENSION]

    async def accept(self, owner: RelayOwner, headers: Headers) -> ClientSocket | None:
        socket: ClientSocket | None = self._offer.hold_relayed(owner, headers)
        return socket

    async def reject(self, answer: Answer) -> None:
        self._offer.reject(encode(answer, closes=True))

    async def serve(self) -> None:
        """The connection looks after itself."""


class PlainSocket(PlainSink):
    """An accepted WebSocket of another server."""

    def __init__(self, owner: RelayOwner, limits: EdgeLimits) -> None:
        super().__init__(owner, limits)
        self.may_read = asyncio.Event()
        self.may_read.set()

    def pause(self) -> None:
        self.may_read.clear()

    def resume(self) -> None:
        self.may_read.set()

    def close_as(self, content: bytes) -> None:
        code = int.from_bytes(content[:2], "big") if len(content) >= 2 else 1000
        self.close(code, content[2:].decode("utf-8", "replace"))

    def drop(self) -> None:
        self.close(1011, "")


class PlainHandshake:
    """On any server of ASGI, which answers pings and closes by itself."""

    @staticmethod
    def encode_message(message: Message) -> bytes:
        return plain_message(message)

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: EdgeLimits) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limits = limits
        self._accepted: tuple[PlainSocket, RelayOwner] | None = None

    async def accept(self, owner: RelayOwner, headers: Headers) -> ClientSocket | None:
        if (await self._receive())["type"] != "websocket.connect":
            return None
        protocols = [value.decode("latin-1") for name, value in headers if name.lower() == b"sec-websocket-protocol"]
        others = [(name.lower(), value) for name, value in headers if name.lower() != b"sec-websocket-protocol"]
        await self._send(
            {"type": "websocket.accept", "subprotocol": protocols[0] if protocols else None, "headers": others}
        )
        socket = PlainSocket(owner, self._limits)
        self._accepted = (socket, owner)
        return socket

    async def reject(self, answer: Answer) -> None:
        await self._receive()
        if "websocket.http.response" not in self._scope.get("extensions", {}):
            await self._send({"type": "websocket.close", "code": 1008})
            return
        headers = [(name.lower(), value) for name, value in answer.headers if name.lower() != b"content-length"]
        await self._send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": answer.body})

    async def serve(self) -> None:
        if self._accepted is None:
            return
        socket, owner = self._accepted
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read(socket, owner))
            code, reason = await socket.pump(self._send_frame)
            reader.cancel()
        if reader.cancelled():
            await send_last(self._send, {"type": "websocket.close", "code": code, "reason": reason}, self._limits)
        owner.on_lost()

    async def _send_frame(self, frame: bytes) -> None:
        if frame[:1] == b"t":
            await self._send({"type": "websocket.send", "text": frame[1:].decode("utf-8", "replace")})
        else:
            await self._send({"type": "websocket.send", "bytes": frame[1:]})

    async def _read(self, socket: PlainSocket, owner: RelayOwner) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            if message.get("text") is not None:
                owner.on_text(message["text"])
            else:
                owner.on_bytes(message["bytes"])
            await socket.may_read.wait()
        code = message.get("code") or 1005
        if code != 1006:
            owner.on_close(b"" if code == 1005 else code.to_bytes(2, "big"))
        else:
            owner.on_lost()
        socket.close(1000, "")


def find_handshake(scope: Scope, receive: Receive, send: Send, limits: EdgeLimits) -> Handshake:
    """Return the client's side of the WebSocket that asks to be opened."""
    if EXTENSION in scope.get("extensions", {}):
        return PreparedHandshake(scope)
    return PlainHandshake(scope, receive, send, limits)
