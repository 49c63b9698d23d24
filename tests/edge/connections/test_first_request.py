"""Subscribers that are held at once, without an ASGI call: nobody can tell them from the others."""

import asyncio
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fanoutcloud.edge.connections.first_request import FirstRequest, TrustedProxies
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.takeover import state
from tests.edge.worlds import until
from tests.flows.edges import REALM, RunningEdge, running_edge
from tests.flows.sockets import PATIENCE_S, BareSocket, bare_socket, get, upgrade

_PATHS = ["/fanout/ws", "/fanout/sse", "/fanout/stream", "/fanout/stream?mode=raw"]


def _request(path: str, *headers: str, channel: str = "hello") -> bytes:
    path += f"{'&' if '?' in path else '?'}channel={channel}"
    return upgrade(f"/r/{REALM}{path}") if "/ws" in path else get(f"/r/{REALM}{path}", *headers)


async def _open(edge: RunningEdge, client: BareSocket, path: str) -> bytes:
    """Subscribe; return all that comes until an item has."""
    there = len(edge.hub.subscribers)
    await client.send(_request(path))
    await until(lambda: len(edge.hub.subscribers) > there)
    await until(lambda: all(subscriber.is_at_rest for subscriber in edge.hub.subscribers))
    await edge.publish("hello", '"4711"')
    return await client.read_until(b"4711")


@contextmanager
def _called(port: int, request: bytes) -> Iterator[BareSocket]:
    """Connect and ask in one turn of the event loop, so that the request is there when its connection is accepted."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        connection.setblocking(False)
        yield BareSocket(connection)


def _count_packets(client: BareSocket) -> int:
    """Return how many packets with data have come (`tcpi_data_segs_in` of linux/tcp.h)."""
    told = client._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return int(struct.unpack_from("=I", told, 152)[0])


def _without_names(answer: bytes) -> bytes:
    """Return the answer without what differs for each connection, or each second."""
    answer = re.sub(rb'"connection":"[0-9a-f]+"', b"", answer)
    answer = re.sub(rb"[a-z0-9]{8}:\d+", b"", answer)  # positions
    return re.sub(rb"(?mi)^(date|sec-websocket-accept):.*\r\n", b"", answer)


@pytest.mark.parametrize("path", _PATHS)
async def test_the_second_of_a_channel_gets_the_same_without_asgi(path: str):
    async with running_edge(EdgeLimits()) as edge:
        async with bare_socket(edge.port) as first, bare_socket(edge.port) as second:
            served = await _open(edge, first, path)
            assert len(edge.asgi_paths) == 1, "its channel has to be opened first"

            held = await _open(edge, second, path)

            assert len(edge.asgi_paths) == 1
            assert _without_names(held) == _without_names(served)
            assert edge.hub.ledger.edge.open_now.total() == 2
        await until(lambda: not edge.hub.subscribers)


@pytest.mark.parametrize("path", _PATHS)
async def test_a_request_that_comes_with_its_connection_is_answered_the_same(path: str):
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first:
        served = await _open(edge, first, path)
        with _called(edge.port, _request(path)) as second:
            await until(lambda: len(edge.hub.subscribers) == 2)
            await edge.publish("hello", '"4711"')

            held = await second.read_until(b"4711")

        assert len(edge.asgi_paths) == 1
        assert _without_names(held) == _without_names(served)
        await until(lambda: len(edge.hub.subscribers) == 1)


@pytest.mark.parametrize("path", _PATHS)
async def test_the_answer_and_all_that_is_told_first_come_in_one_packet(path: str):
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first, bare_socket(edge.port) as second:
        await _open(edge, first, path)

        await second.send(_request(path))
        await until(lambda: len(edge.hub.subscribers) == 2)
        await edge.publish("hello", '"4711"')
        await second.read_until(b"4711")

        assert _count_packets(second) == 2, "the beginning, and the item"


@pytest.mark.parametrize(
    ("request_", "rest", "status"),
    [
        (get(f"/r/{REALM}/fanout/nothing?channel=hello"), b"", b"404"),
        (get(f"/r/{REALM}/fanout/sse?channel=another"), b"", b"200"),
        (get(f"/r/{REALM}/fanout/sse?channel=hello", version="1.0"), b"", b"200"),
        (get(f"/r/{REALM}/fanout/sse?channel=hello", f"Long: {'x' * 9000}"), b"", b"200"),
        (get(f"/r/{REALM}/fanout/sse?channel=hello", f"Long: {'x' * 40_000}"), b"", b"431"),
        (b"GET /r/%b/fanout/sse?chan" % REALM.encode(), b"nel=hello HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"no HTTP at all\r\n\r\n", b"", b"400"),
    ],
)
async def test_other_requests_that_come_with_their_connection_are_served_as_ever(
    request_: bytes, rest: bytes, status: bytes
):
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first:
        await _open(edge, first, "/fanout/sse")

        with _called(edge.port, request_) as second:
            if rest:
                await asyncio.sleep(0.05)
                await second.send(rest)
            answer = await second.read_until(b"\r\n")

        assert answer[9:12] == status


@pytest.mark.parametrize("path", ["/fanout/sse?channel=hello", "/fanout/nothing"])
async def test_the_end_behind_an_early_request_ends_the_connection(path: str):
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first:
        await _open(edge, first, "/fanout/sse")

        with _called(edge.port, get(f"/r/{REALM}{path}")) as second:
            second._socket.shutdown(socket.SHUT_WR)
            answer = await second.read_to_end()

        assert (b"subscribed" in answer) == path.startswith("/fanout/sse")
        await until(lambda: len(edge.hub.subscribers) == 1)


async def test_a_fault_while_an_early_request_is_looked_at_ends_its_connection(caplog: pytest.LogCaptureFixture):
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first:
        await _open(edge, first, "/fanout/sse")
        edge.hub.find_places = lambda *args: 1 / 0  # type: ignore[assignment,method-assign] # any fault of ours

        with _called(edge.port, _request("/fanout/sse")) as second:
            assert await second.read_to_end() == b""

    assert "ZeroDivisionError" in caplog.text


async def test_commands_are_taken_at_once():
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first, bare_socket(edge.port) as second:
        await _open(edge, first, "/fanout/ws")
        await _open(edge, second, "/fanout/ws")
        assert len(edge.asgi_paths) == 1

        await second.send(b"\x81\x8f\x00\x00\x00\x00" + b'{"type":"ping"}')

        assert await second.read_until(b"pong")


@pytest.mark.parametrize("is_opened", [False, True])
async def test_commands_that_come_with_the_handshake_are_taken(is_opened: bool):
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first, bare_socket(edge.port) as second:
        if is_opened:
            await _open(edge, first, "/fanout/ws")

        await second.send(_request("/fanout/ws") + b"\x81\x8f\x00\x00\x00\x00" + b'{"type":"ping"}')

        answers = await second.read_until(b"pong")
        assert answers.index(b'"subscribed"') < answers.index(b'"pong"')


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get(f"/r/{REALM}/fanout/sse?channel="), b"400"),
        (get(f"/r/{REALM}/fanout/sse?channel=hello&token=none"), b"401"),
        (get(f"/r/{REALM}/fanout/nothing?channel=hello"), b"404"),
        (upgrade(f"/r/{REALM}/fanout/sse?channel=hello"), b"101"),
        (get(f"/r/{REALM}/fanout/ws?channel=hello"), b"404"),
        (upgrade(f"/r/{REALM}/fanout/ws?channel=hello").replace(b"Version: 13", b"Version: 12"), b"400"),
        (get(f"/r/{REALM}/fanout/poll?channel=hello&timeout=0"), b"200"),
        (get(f"/r/{REALM}/fanout/sse?channel=hello", version="1.0"), b"200"),
        (get(f"/r/{REALM}/fanout/sse?channel=hello&since=abcdefgh:3"), b"200"),
    ],
)
async def test_the_others_are_served_as_ever(request_: bytes, status: bytes):
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first, bare_socket(edge.port) as second:
        await _open(edge, first, "/fanout/sse")
        served = len(edge.asgi_paths)

        await second.send(request_)

        assert (await second.read_until(b"\r\n"))[9:12] == status
        assert len(edge.asgi_paths) == served + (status != b"400" or b"channel= " in request_)
        failed = edge.hub.ledger.edge.refusals["bad_token"]
        assert failed == (status == b"401"), "a refusal is counted once"


async def test_a_full_server_refuses():
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first, bare_socket(edge.port) as second:
        await _open(edge, first, "/fanout/sse")
        [held] = edge.hub.subscribers
        connections: set[Any] = held.sink._connections  # type: ignore[attr-defined] # the server's own set
        connections.update(range(2_000_000))

        await second.send(_request("/fanout/sse"))

        assert (await second.read_until(b"\r\n")).split()[1] == b"503"
        connections.difference_update(range(2_000_000))


async def test_a_connection_that_said_nothing_yet_can_move_to_another_process():
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first, bare_socket(edge.port):
        await _open(edge, first, "/fanout/sse")
        [held] = edge.hub.subscribers
        connections: set[Any] = held.sink._connections  # type: ignore[attr-defined] # the server's own set
        await until(lambda: any(isinstance(one, FirstRequest) for one in connections))
        [silent] = [one for one in connections if isinstance(one, FirstRequest)]

        assert state.may_move(silent)
        moving = state.depart(edge.hub, silent)
        assert moving is not None
        assert (moving.state.kind, moving.subscriber) == (state.HTTP, None)

        silent.let_go()
        assert silent not in connections


async def test_what_was_read_keeps_a_connection_in_this_process():
    async with running_edge(EdgeLimits()) as edge, bare_socket(edge.port) as first:
        await _open(edge, first, "/fanout/sse")
        [held] = edge.hub.subscribers
        connections: set[Any] = held.sink._connections  # type: ignore[attr-defined] # the server's own set
        silent = None
        with _called(edge.port, get("/")):
            async with asyncio.timeout(PATIENCE_S):
                while silent is None:
                    await asyncio.sleep(0)
                    silent = next((one for one in connections if isinstance(one, FirstRequest)), None)

            assert not silent.is_at_rest
            assert state.depart(edge.hub, silent) is None


@pytest.mark.parametrize(
    ("peer", "client"), [("192.0.2.1", ("203.0.113.9", 0)), ("198.51.100.1", ("198.51.100.1", 99))]
)
def test_a_trusted_proxy_says_who_the_client_is(peer: str, client: tuple[str, int]):
    scope: dict[str, Any] = {
        "type": "websocket",
        "client": (peer, 99),
        "headers": [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")],
    }

    TrustedProxies("192.0.2.0/24").tell_client(scope)

    assert scope["client"] == client


async def test_the_address_behind_a_trusted_proxy_is_the_subscribers():
    trusting = {"proxy_headers": True, "forwarded_allow_ips": "127.0.0.1"}
    async with (
        running_edge(EdgeLimits(), **trusting) as edge,
        bare_socket(edge.port) as first,
        bare_socket(edge.port) as second,
    ):
        await _open(edge, first, "/fanout/sse")

        await second.send(_request("/fanout/sse", "X-Forwarded-For: 203.0.113.9"))
        await second.read_until(b"subscribed")

        assert {one.address for one in edge.hub.subscribers} == {"127.0.0.1", "203.0.113.9"}
        assert len(edge.asgi_paths) == 1
