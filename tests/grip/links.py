"""An origin that is asked over HTTP, and the client whose WebSocket that is, both of which obey the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fanoutcloud.core.items import WsMessage
from fanoutcloud.edge.connections.held_relay_socket import RelayOwner
from fanoutcloud.grip.client_sockets import plain_message
from fanoutcloud.grip.control_messages import Message
from fanoutcloud.grip.exchange import OriginFailed, OriginResponse
from fanoutcloud.grip.instructions import Answer
from fanoutcloud.grip.sockets_over_http import SocketOverHttp
from fanoutcloud.grip.ws_over_http import Event, decode_events, encode_events
from fanoutcloud.outbound.messages import Headers
from tests.edge.worlds import PATIENCE_S, until
from tests.fakes.sink import RecordingSink
from tests.grip.exchanges import FakeExchange, HoldWorld, response

EVENTS = "Content-Type: application/websocket-events"
GRIP = "Sec-WebSocket-Extensions: grip"
SUBSCRIBE = Event("TEXT", b'c:{"type":"subscribe","channel":"room"}')


class FakeSocket(RecordingSink):
    """An accepted client."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: tuple[str, bytes] | None = None
        self.is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def close_as(self, content: bytes) -> None:
        self.ended = self.ended or ("close", content)

    def drop(self) -> None:
        self.ended = self.ended or ("drop", b"")


class FakeHandshake:
    """A client that waits. Its socket gets a letter for the type and the content."""

    def __init__(self) -> None:
        self.socket: FakeSocket | None = None
        self.owner: RelayOwner | None = None
        self.headers: Headers = []
        self.rejected: Answer | None = None
        self.has_left = False

    @staticmethod
    def encode_message(message: Message) -> bytes:
        return plain_message(message) or message.type[:2].encode() + message.content

    async def accept(self, owner: RelayOwner, headers: Headers) -> Any:
        if self.has_left:
            return None
        self.owner, self.headers, self.socket = owner, headers, FakeSocket()
        return self.socket

    async def reject(self, answer: Answer) -> None:
        self.rejected = answer

    async def serve(self) -> None:
        pass


class Origin:
    """Answers requests by a script; keeps what it was sent."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.requests: list[Any] = []

    @property
    def events(self) -> list[list[Event]]:
        return [decode_events(request.body) for request in self.requests]

    async def __call__(self, request: Any) -> OriginResponse:
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else told()
        if callable(answer):
            answer = await answer()
        if isinstance(answer, OriginFailed):
            raise answer
        return answer


def told(*events: Event, lines: tuple[str, ...] = ()) -> OriginResponse:
    return response(EVENTS, *lines, body=encode_events(events))


def opened(*events: Event, lines: tuple[str, ...] = (GRIP,)) -> OriginResponse:
    return told(Event("OPEN"), *events, lines=lines)


class Link:
    """One client, its edge and its origin."""

    def __init__(self, world: HoldWorld, origin: Origin) -> None:
        self.world = world
        self.origin = origin
        self.exchange = FakeExchange(world)
        self.exchange.post = origin  # type: ignore[attr-defined]
        self.handshake = FakeHandshake()

    @asynccontextmanager
    async def run(self) -> AsyncIterator["Link"]:
        task = asyncio.create_task(
            SocketOverHttp(self.world.holds.services, self.exchange, self.handshake).run()  # type: ignore[arg-type]
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await until(lambda: task.done() or self.handshake.socket is not None)
                for _ in range(20):
                    await asyncio.sleep(0)
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    @property
    def socket(self) -> FakeSocket:
        assert self.handshake.socket is not None
        return self.handshake.socket

    @property
    def client(self) -> RelayOwner:
        assert self.handshake.owner is not None
        return self.handshake.owner

    @property
    def got(self) -> list[bytes]:
        return self.socket.frames

    async def asked(self, count: int) -> None:
        """Wait until the origin was sent that many requests."""
        await until(lambda: len(self.origin.requests) >= count)
        for _ in range(5):
            await asyncio.sleep(0)

    async def publish(self, **members: Any) -> None:
        await self.world.publish_to("room", ws_message=WsMessage(**members))
