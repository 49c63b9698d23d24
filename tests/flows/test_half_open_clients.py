"""Clients that begin and do not go on, that vanish, that ask without reading: bounded in time and in memory."""

import asyncio
import json
import random

import pytest

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.edge.connections import first_request, http_protocol
from fanoutcloud.edge.connections.sinks import Send
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.site.responses import Headers, respond
from fanoutcloud.edge.transports import long_poll
from tests.edge.worlds import until
from tests.flows.edges import REALM, RunningEdge, running_edge
from tests.flows.sockets import PATIENCE_S, bare_socket, get, upgrade

SITE = f"/r/{REALM}"
PATHS = ["/fanout/ws", "/fanout/sse", "/fanout/stream", "/fanout/poll"]


def _request(path: str, *, since: str = "") -> bytes:
    query = f"?channel=hello{since}"
    return upgrade(SITE + path + query) if path == "/fanout/ws" else get(SITE + path + query)


@pytest.mark.parametrize("begun", [b"", b"GET /r/0a1b", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1"])
async def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    for module in (first_request, http_protocol):
        monkeypatch.setattr(module, "HEAD_TIMEOUT_S", 0.1)
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as client:
        await client.send(begun)

        assert await client.read_to_end() == b""


async def test_a_second_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.1)
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as client:
        await client.send(get(f"{SITE}/fanout/poll?channel=a&timeout=0") + b"GET /r/0a1b")

        answer = await client.read_to_end()

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_subscriber_is_not_under_the_limit_of_heads(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    for module in (first_request, http_protocol):
        monkeypatch.setattr(module, "HEAD_TIMEOUT_S", 0.05)
    async with running_edge(EdgeLimits(keep_alive_s=1)) as edge, bare_socket(edge.port) as client:
        await client.send(_request(path, since="" if path != "/fanout/poll" else "&timeout=1"))

        mark = b"cursor" if path == "/fanout/poll" else b"keep-alive"
        answer = await client.read_until(mark)

    assert answer.startswith(b"HTTP/1.1 101 " if path == "/fanout/ws" else b"HTTP/1.1 200 ")


async def test_connections_that_vanish_at_any_moment_leave_no_subscriber() -> None:
    chance = random.Random(4711)

    async def come_and_go(edge: RunningEdge) -> None:
        path = chance.choice(PATHS)
        request = _request(path)
        async with bare_socket(edge.port) as client:
            await client.send(request[: chance.choice([len(request), len(request), chance.randrange(len(request))])])
            for _ in range(chance.randrange(20)):
                await asyncio.sleep(0)  # another moment of the server's work
            if chance.random() < 0.5:
                client.reset()

    async with running_edge(EdgeLimits()) as edge:
        for _ in range(10):
            async with asyncio.TaskGroup() as tasks:
                for _ in range(20):
                    tasks.create_task(come_and_go(edge))
                tasks.create_task(edge.publish("hello", *map(str, range(20))))

        async with asyncio.timeout(PATIENCE_S):
            while edge.hub.subscribers:
                await edge.publish("hello", "0")
                await asyncio.sleep(0.01)
        assert all(channel.is_empty for channel in edge.hub.channels.values())


async def test_a_client_that_asks_for_polls_and_never_reads_does_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every answer is a mebibyte; only few of them may wait for one client."""
    answered: list[int] = []

    async def count_and_respond(send: Send, status: int, body: bytes, *, headers: Headers) -> None:
        if len(body) > 1_000_000:
            answered.append(len(body))
        await respond(send, status, body, headers=headers)

    monkeypatch.setattr(long_poll, "respond", count_and_respond)
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as client:
        cursor = await _read_cursor(edge)
        poll = get(f"{SITE}/fanout/poll?channel=hello&since={cursor}&timeout=20")
        await client.send(poll)
        await until(lambda: bool(edge.hub.subscribers))
        await edge.publish("hello", json.dumps("x" * 1_000_000))
        await client.send(poll * 50)

        for _ in range(30):
            await _read_cursor(edge)  # the server has had time enough for all of the client's polls

        assert len(answered) <= 5


async def _read_cursor(edge: RunningEdge) -> str:
    async with bare_socket(edge.port) as client:
        await client.send(get(f"{SITE}/fanout/poll?channel=hello&timeout=0"))
        answer = await client.read_until(b"}\n")
        cursor: str = json.loads(answer.partition(b"\r\n\r\n")[2])["cursor"]
        return cursor


@pytest.mark.parametrize("path", ["/fanout/sse", "/fanout/stream"])
async def test_requests_behind_a_stream_are_never_answered_into_it(path: str) -> None:
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as client:
        await client.send(_request(path))
        await client.read_until(b"subscribed")
        await client.send(get(f"{SITE}/fanout/poll?channel=hello&timeout=0") * 3)
        await edge.publish("hello", '"behind"')

        assert b"HTTP/1.1" not in await client.read_until(b"behind")


@pytest.mark.parametrize("path", ["/fanout/sse", "/fanout/stream"])
async def test_a_request_sent_along_with_a_stream_does_not_disturb_it(path: str) -> None:
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as client:
        await client.send(_request(path) * 2)
        await client.read_until(b"subscribed")
        await edge.publish("hello", '"both"')

        assert b"both" in await client.read_until(b"both")
        assert len(edge.hub.subscribers) == 1


@pytest.mark.parametrize("path", ["/fanout/sse", "/fanout/stream"])
async def test_a_client_of_http_1_0_is_served_without_chunks(path: str) -> None:
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as client:
        await client.send(get(f"{SITE}{path}?channel=hello", version="1.0"))
        head = await client.read_until(b"subscribed")
        await edge.publish("hello", '"old"')

        assert b"chunked" not in head.lower()
        assert b'"data":"old"' in await client.read_until(b"old")


@pytest.mark.parametrize("path", PATHS[:3])
async def test_a_client_that_never_reads_is_slow_and_lets_go_of_its_memory(path: str) -> None:
    limits = EdgeLimits(outbox_bytes=50_000, stuck_s=0.2)
    async with running_edge(limits) as edge, bare_socket(edge.port) as client:
        await client.send(_request(path))
        await client.read_until(b"subscribed")
        [subscriber] = edge.hub.subscribers
        async with asyncio.timeout(PATIENCE_S):
            while edge.hub.subscribers:  # the kernel's buffers take some megabytes first
                await edge.publish("hello", json.dumps("x" * 40_000))
                await asyncio.sleep(0)

            assert subscriber.close_reason.reason == "slow"
        await until(lambda: not subscriber.sink.unsent_bytes())


async def test_a_client_of_http_1_0_that_never_reads_is_let_go() -> None:
    limits = EdgeLimits(outbox_bytes=50_000, stuck_s=0.2)
    async with running_edge(limits) as edge, bare_socket(edge.port) as client:
        await client.send(get(f"{SITE}/fanout/sse?channel=hello", version="1.0"))
        await client.read_until(b"subscribed")
        [subscriber] = edge.hub.subscribers
        async with asyncio.timeout(PATIENCE_S):
            while edge.hub.subscribers:
                await edge.publish("hello", json.dumps("x" * 40_000))
                await asyncio.sleep(0)

        assert subscriber.close_reason is CloseReason.SLOW
