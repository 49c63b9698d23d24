"""WebSockets on a server that offers no prepared sinks."""

import asyncio

from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.transports.websocket import WebSocketTransport
from tests.edge.worlds import PATIENCE_S, REALM, EdgeWorld

SCOPE: Scope = {"type": "websocket", "query_string": b"channel=hello", "headers": [], "client": ("192.0.2.1", 1)}


async def test_a_client_that_leaves_without_a_word_ends_its_websocket_without_a_fault(world: EdgeWorld) -> None:
    sent = []

    async def receive() -> dict[str, str]:
        if sent:
            await asyncio.get_running_loop().create_future()  # the server has not seen it leave yet
        return {"type": "websocket.connect"}

    async def send(message: dict[str, str]) -> None:
        sent.append(message["type"])
        if message["type"] != "websocket.accept":
            raise ConnectionResetError

    realm = RealmSnapshot(realm=REALM, keys=(), retention=Retention())
    serving = WebSocketTransport(world.hub).serve(realm, SCOPE, receive, send)
    await asyncio.wait_for(serving, PATIENCE_S)

    assert sent[:2] == ["websocket.accept", "websocket.send"]
    assert world.hub.subscribers == set()
