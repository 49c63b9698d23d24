"""Connections and requests leave no garbage to collect: their objects go when the last one lets go of them."""

import asyncio

import pytest

from fanoutcloud.edge.limits import EdgeLimits
from tests.edge.worlds import until
from tests.fakes.garbage import watched_garbage
from tests.flows.edges import REALM, RunningEdge, running_edge
from tests.flows.sockets import BareSocket, bare_socket, get, upgrade

_COUNT = 20
_PATHS = ["/fanout/ws", "/fanout/sse", "/fanout/stream", "/fanout/poll"]


@pytest.mark.parametrize("path", _PATHS)
async def test_a_connection_that_ends_leaves_none(path: str) -> None:
    async with running_edge(EdgeLimits()) as edge:
        await _subscribe_and_leave(edge, path)
        with watched_garbage() as found:
            for _ in range(_COUNT):
                await _subscribe_and_leave(edge, path)
            await asyncio.sleep(0.05)

    assert not found


async def test_answered_requests_leave_none() -> None:
    request = get(f"/r/{REALM}/fanout/poll?channel=a&timeout=0")
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as client:
        await _ask(client, request)
        with watched_garbage() as found:
            for _ in range(_COUNT):
                await _ask(client, request)

    assert all(count < _COUNT // 2 for count in found.values()), found  # those of the connection itself are one each


async def _subscribe_and_leave(edge: RunningEdge, path: str) -> None:
    site_path = f"/r/{REALM}{path}?channel=a"
    async with bare_socket(edge.port) as client:
        if path == "/fanout/poll":
            await _ask(client, get(f"{site_path}&timeout=0"))
        else:
            await client.send(upgrade(site_path) if path == "/fanout/ws" else get(site_path))
            await until(lambda: bool(edge.hub.subscribers))
    await until(lambda: not edge.hub.subscribers)


async def _ask(client: BareSocket, request: bytes) -> None:
    await client.send(request)
    answer = await client.read_until(b"}\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer
