"""Endless responses over plain ASGI: they end with the client, with the hub, and with a peer that takes nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.transports.http_stream import HttpStreamTransport
from fanoutcloud.edge.transports.sse import SseTransport
from fanoutcloud.edge.transports.websocket import WebSocketTransport
from tests.edge.worlds import PATIENCE_S, REALM, EdgeWorld, until

REALM_SNAPSHOT = RealmSnapshot(REALM, keys=(), retention=Retention())

Transport = HttpStreamTransport | SseTransport | WebSocketTransport


class PlainClient:
    """The server's side of one ASGI connection."""

    def __init__(self, kind: type[Transport], world: EdgeWorld) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_stuck = False
        self._is_websocket = kind is WebSocketTransport
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect" if self._is_websocket else "http.request"})
        scope = {"query_string": b"channel=hello", "headers": [], "client": ("192.0.2.1", 1)}
        self.serving = asyncio.create_task(
            kind(world.hub).serve(REALM_SNAPSHOT, scope, self._incoming.get, self._send)  # type: ignore[arg-type]
        )

    @property
    def content(self) -> str:
        bodies = [message.get("body") or message.get("text", "").encode() for message in self.sent]
        return b"".join(bodies).decode()

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect" if self._is_websocket else "http.disconnect"})

    async def _send(self, message: Any) -> None:
        if self.is_stuck:
            await asyncio.get_running_loop().create_future()
        self.sent.append(message)


@pytest.fixture(params=[HttpStreamTransport, SseTransport, WebSocketTransport])
def kind(request: pytest.FixtureRequest) -> type[Transport]:
    found: type[Transport] = request.param
    return found


@pytest.fixture
async def world() -> AsyncIterator[EdgeWorld]:
    async with EdgeWorld(EdgeLimits(stuck_s=0.05)).running() as world:
        yield world


@pytest.fixture
async def client(kind: type[Transport], world: EdgeWorld) -> AsyncIterator[PlainClient]:
    client = PlainClient(kind, world)
    await until(lambda: "subscribed" in client.content)
    yield client
    client.serving.cancel()
    await asyncio.wait([client.serving])


async def test_items_are_sent_until_the_client_leaves(world: EdgeWorld, client: PlainClient) -> None:
    await world.publish(41, 42)
    await until(lambda: '"data":42' in client.content)

    client.leave()
    await asyncio.wait_for(client.serving, PATIENCE_S)

    assert world.hub.subscribers == set()
    assert client.content.index('"data":41') < client.content.index('"data":42')


async def test_the_hub_can_end_it(world: EdgeWorld, client: PlainClient) -> None:
    [subscriber] = world.hub.subscribers
    subscriber.close(CloseReason.DRAINING)

    await asyncio.wait_for(client.serving, PATIENCE_S)

    last = client.sent[-1]
    assert last in (
        {"type": "http.response.body", "body": b""},
        {"type": "websocket.close", "code": 4012, "reason": "draining"},
    )


async def test_a_peer_that_takes_nothing_is_let_go_for_good(world: EdgeWorld, client: PlainClient) -> None:
    [subscriber] = world.hub.subscribers
    client.is_stuck = True
    await world.publish(1)

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait([client.serving])

    assert subscriber.close_reason is CloseReason.SLOW
    assert world.hub.subscribers == set()


async def test_a_server_that_ends_the_request_leaves_no_subscriber(world: EdgeWorld, client: PlainClient) -> None:
    client.serving.cancel()
    await asyncio.wait([client.serving])

    assert world.hub.subscribers == set()
