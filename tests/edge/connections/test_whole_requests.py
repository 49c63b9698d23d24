"""Connections whose requests come whole: answered without ASGI, in order, and left to HTTP for anything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fanoutcloud.edge.connections import whole_requests
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.connections.whole_requests import Answer, Answerer, WholeRequests
from fanoutcloud.edge.takeover import state
from tests.edge.worlds import until
from tests.flows.sockets import BareSocket, bare_socket, get
from tests.servers.in_process import serve_in_process

_PATH = "/echo"


def _post(body: bytes, *headers: str, path: str = _PATH, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", *headers]
    if not any(header.startswith("Transfer-Encoding") for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _ok(body: bytes) -> Answer:
    return 200, [(b"x-way", b"direct"), (b"content-length", b"%d" % len(body))], body


class World:
    """A server that answers with what it was sent, and says which way that came; `held` bodies wait for `let_go`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clients: list[Any] = []
        self.begun: list[bytes] = []
        self.asgi_paths: list[str] = []
        self.let_go = asyncio.Event()

    def find(self, scope: Scope) -> Answerer | None:
        if scope["path"] != _PATH:
            return None
        self.clients.append(scope["client"][0])
        return self.answer

    async def answer(self, body: bytes) -> Answer:
        self.begun.append(body)
        if body.startswith(b"held"):
            await self.let_go.wait()
        if body == b"fails":
            raise ValueError("a fault of the application")
        return _ok(body)

    async def serve(self, scope: Scope, receive: Any, send: Any) -> None:
        self.asgi_paths.append(scope["path"])
        body, has_more = b"", True
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            has_more = message.get("more_body", False)
        headers = [(b"x-way", b"asgi"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def _running(**options: Any) -> AsyncIterator[World]:
    world = World(0)
    async with serve_in_process(
        world.serve, accept_at_once=lambda scope: False, find_answerer=world.find, **options
    ) as world.port:
        yield world


async def _read(client: BareSocket, body: bytes, way: bytes = b"direct") -> bytes:
    """Return the next answer, which must be alone and have come this way with this body."""
    answer = await client.read_until(b"\r\n\r\n" + body)
    head, _, content = answer.partition(b"\r\n\r\n")
    assert (content, b"x-way: " + way in head) == (body, True), answer
    return head


async def test_requests_of_one_connection_are_answered_without_asgi():
    async with _running() as world, bare_socket(world.port) as client:
        for body, headers in ((b"one", []), (b"two", []), (b"three", []), (b"four", ["X-More: 1"])):
            await client.send(_post(body, *headers))
            head = await _read(client, body)
            assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")

    assert (world.begun, world.asgi_paths) == ([b"one", b"two", b"three", b"four"], [])
    assert world.clients == ["127.0.0.1"] * 3, "a head that comes again is not looked at again"


async def test_the_client_is_who_a_trusted_proxy_says():
    async with (
        _running(proxy_headers=True, forwarded_allow_ips="127.0.0.1") as world,
        bare_socket(world.port) as client,
    ):
        for number in (1, 2):
            await client.send(_post(b"one", f"X-Forwarded-For: 192.0.2.{number}"))
            await _read(client, b"one")

    assert world.clients == ["192.0.2.1", "192.0.2.2"]


async def test_requests_sent_at_once_are_answered_in_order_one_after_the_other():
    async with _running() as world, bare_socket(world.port) as client:
        await client.send(_post(b"held 1") + _post(b"held 2") + _post(b"three")[:-2])
        await until(lambda: bool(world.begun))
        await client.send(b"ee" + _post(b"four") + get("/other"))
        assert world.begun == [b"held 1"]

        world.let_go.set()
        answers = await client.read_until(b"four")
        while b"asgi" not in answers:
            answers += await client.read_until(b"\r\n\r\n")

    assert world.begun == [b"held 1", b"held 2", b"three", b"four"]
    contents = [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 200 OK")[1:]]
    assert contents == [b"held 1", b"held 2", b"three", b"four", b""]
    assert world.asgi_paths == ["/other"]


async def test_a_body_may_come_in_pieces():
    async with _running() as world, bare_socket(world.port) as client:
        request = _post(b"x" * 1000)
        await client.send(request)
        await _read(client, b"x" * 1000)
        for start in range(0, len(request), 97):
            await client.send(request[start : start + 97])
            await asyncio.sleep(0)
        answer = await client.read_until(b"x" * 1000)
        assert answer.endswith(b"x" * 1000)


@pytest.mark.parametrize(
    "request_",
    [
        _post(b"one", path="/other"),
        _post(b"one", version="1.0"),
        _post(b"one", "Connection: close"),
        _post(b"3\r\none\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        _post(b"one", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"),
        _post(b"one").replace(b"POST", b"PUT"),
        _post(b"x" * (whole_requests.MAX_WHOLE_BODY_BYTES + 1)),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
async def test_anything_else_is_served_as_ever(request_: bytes, is_first: bool):
    async with _running() as world, bare_socket(world.port) as client:
        if not is_first:
            await client.send(_post(b"before"))
            await _read(client, b"before")
        await client.send(request_)

        body = b"x" * 1000 if b"x" * 1000 in request_ else b"one"
        answer = await client.read_until(body)

    assert b"x-way: asgi" in answer
    assert world.asgi_paths == [request_.split(b" ")[1].decode()]


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on():
    async with _running() as world, bare_socket(world.port) as client:
        await client.send(_post(b"one", "Expect: 100-continue")[:-3])
        assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await client.send(b"one")
        await _read(client, b"one", b"asgi")


async def test_what_is_no_http_is_refused():
    async with _running() as world, bare_socket(world.port) as client:
        await client.send(_post(b"one"))
        await _read(client, b"one")
        await client.send(b"POST no HTTP\r\n\r\n")

        assert (await client.read_to_end()).startswith(b"HTTP/1.1 400 ")


async def test_a_connection_that_says_nothing_more_is_closed():
    async with _running(timeout_keep_alive=0.1) as world, bare_socket(world.port) as client:
        await client.send(_post(b"one"))
        answers = await client.read_to_end()

    assert answers.endswith(b"one")


async def test_a_body_that_is_slow_to_come_is_waited_for_by_the_application():
    async with _running(timeout_keep_alive=0.1) as world, bare_socket(world.port) as client:
        await client.send(_post(b"slow")[:-1])
        await until(lambda: bool(world.asgi_paths))
        await client.send(b"w")

        await _read(client, b"slow", b"asgi")


async def test_an_answer_that_takes_long_is_no_silence():
    async with _running(timeout_keep_alive=0.05) as world, bare_socket(world.port) as client:
        await client.send(_post(b"held"))
        await asyncio.sleep(0.2)
        world.let_go.set()

        await _read(client, b"held")


async def test_a_fault_of_the_application_ends_the_connection_with_500():
    async with _running() as world, bare_socket(world.port) as client:
        await client.send(_post(b"fails") + _post(b"one"))
        answers = await client.read_to_end()

    assert answers.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"connection: close" in answers
    assert world.begun == [b"fails"]


async def test_a_client_that_left_harms_nobody():
    async with _running() as world, bare_socket(world.port) as other:
        async with bare_socket(world.port) as client:
            await client.send(_post(b"held"))
            await until(lambda: bool(world.begun))
            client.reset()
        world.let_go.set()
        await other.send(_post(b"one"))
        await _read(other, b"one")


class FakeTransport(asyncio.Transport):
    """Notes what is done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_paused = False
        self.is_closed = False
        self.protocol: Any = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.is_closed = True


class ServerState:
    """As uvicorn's."""

    def __init__(self) -> None:
        self.total_requests = 0
        self.connections: set[Any] = set()
        self.tasks: set[Any] = set()
        self.default_headers = [(b"date", b"today")]


@pytest.fixture
async def alone() -> AsyncIterator[tuple[WholeRequests, FakeTransport, World]]:
    """A connection without a server."""
    transport, world = FakeTransport(), World(0)
    held = WholeRequests(
        transport,
        ServerState(),  # type: ignore[arg-type]
        find=lambda scope: world.answer,
        begin_http=lambda transport, data: None,
        is_full=lambda: False,
        keep_alive_s=60.0,
    )
    yield held, transport, world
    held.connection_lost(None)


async def test_a_client_that_takes_no_answers_is_asked_no_more(alone: tuple[WholeRequests, FakeTransport, World]):
    held, transport, world = alone
    held.pause_writing()
    held.data_received(_post(b"one"))
    assert (transport.is_paused, world.begun) == (True, [])

    held.resume_writing()
    await until(lambda: len(transport.written) == 1)

    assert (transport.is_paused, world.begun) == (False, [b"one"])


async def test_a_connection_moves_between_its_requests_only(alone: tuple[WholeRequests, FakeTransport, World]):
    held, transport, world = alone
    assert (state.may_move(held), held.is_at_rest) == (True, True)

    held.pause_writing()
    assert not held.is_at_rest
    held.resume_writing()
    held.data_received(_post(b"held")[:-1])
    assert not held.is_at_rest
    held.data_received(b"d")
    await until(lambda: bool(world.begun))
    assert not held.is_at_rest
    world.let_go.set()
    await until(lambda: bool(transport.written))

    assert held.is_at_rest


async def test_a_server_that_ends_finishes_its_answers(alone: tuple[WholeRequests, FakeTransport, World]):
    held, transport, world = alone
    held.data_received(_post(b"held"))
    await until(lambda: bool(world.begun))

    held.shutdown()
    assert not transport.is_closed
    world.let_go.set()
    await until(lambda: transport.is_closed)

    [answer] = transport.written
    assert b"connection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nheld")


async def test_a_server_that_ends_closes_what_is_idle(alone: tuple[WholeRequests, FakeTransport, World]):
    held, transport, _ = alone

    held.shutdown()

    assert (transport.is_closed, transport.written) == (True, [])


async def test_an_answer_that_is_the_same_has_the_date_of_now(
    alone: tuple[WholeRequests, FakeTransport, World], monkeypatch: pytest.MonkeyPatch
):
    held, transport, _ = alone
    same = _ok(b"same")

    async def answer(body: bytes) -> Answer:
        return same

    monkeypatch.setattr(held, "_find", lambda scope: answer)
    for number, today in enumerate((b"today", b"today", b"tomorrow"), 1):
        if held._state.default_headers != [(b"date", today)]:
            held._state.default_headers = [(b"date", today)]
        held.data_received(_post(b"one"))
        await until(lambda number=number: len(transport.written) == number)  # type: ignore[misc]

    assert [b"date: tomorrow" in one for one in transport.written] == [False, False, True]
    assert [one.partition(b"\r\n\r\n")[2] for one in transport.written] == [b"same"] * 3
