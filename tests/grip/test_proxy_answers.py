"""Answers of an origin through the edge: what arrives at the client, over real connections."""

import asyncio

import pytest

from tests.edge.worlds import until
from tests.grip.worlds import origin_of, passing_to
from tests.servers.origin import Caller, answering, origin_server, repeating

# -- answers


async def test_the_first_bytes_come_before_the_origin_has_finished() -> None:
    go_on = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await go_on.wait()
        caller.send(b"3\r\ndef\r\n0\r\n\r\n")
        await caller.gone()

    async with passing_to(script) as (world, _), world.http.stream("GET", "/") as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"abc"
        go_on.set()
        assert await anext(pieces) == b"def"
        with pytest.raises(StopAsyncIteration):
            await anext(pieces)


async def test_headers_of_an_answer_arrive_less_those_of_the_connection_and_of_grip() -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n"
        b"Proxy-Authenticate: x\r\nUpgrade: h2c\r\nDate: then\r\nServer: theirs\r\nSet-Cookie: a=b\r\n"
        b"X-Case-Kept: 1\r\n\r\nok"
    )
    async with passing_to(repeating(head)) as (world, _):
        answer = await world.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer == (
        b"HTTP/1.1 200 OK\r\nDate: then\r\nServer: theirs\r\nSet-Cookie: a=b\r\nX-Case-Kept: 1\r\nContent-Length: 2\r\n"
        b"Connection: close\r\n\r\nok"
    )


async def test_an_answer_to_head_keeps_its_length() -> None:
    async with passing_to(repeating(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")) as (world, _):
        for _ in range(2):
            answer = await world.http.head("/")
            assert (answer.headers["content-length"], answer.content) == ("1234", b"")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_leaves_the_connection_in_step(status: int) -> None:
    async with passing_to(repeating(b"HTTP/1.1 %d X\r\nETag: y\r\n\r\n" % status)) as (world, origin):
        for _ in range(2):
            answer = await world.http.get("/")
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (status, b"", "y")
        assert origin.connections == 1


async def test_trailers_arrive() -> None:
    script = repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")
    async with passing_to(script) as (world, origin):
        answer = await world.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, TE\r\nTE: trailers\r\n\r\n")

        assert answer.endswith(b"\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")
        assert origin.requests[0].header("te") == "trailers"


async def test_redirects_are_the_clients_to_follow() -> None:
    headers = ["Location: http://127.0.0.1:1/internal"]
    async with passing_to(answering(status="302 Found", headers=headers)) as (world, origin):
        answer = await world.http.get("/")

        assert (answer.status_code, answer.headers["location"]) == (302, "http://127.0.0.1:1/internal")
        assert len(origin.requests) == 1


async def test_an_error_of_the_origin_is_an_answer() -> None:
    async with origin_server(answering(b"other")) as other, passing_to(answering(b"sick", status="503 Ill")) as (w, o):
        w.set(origins=(origin_of(o), origin_of(other)))
        answer = await w.http.get("/")

        assert (answer.status_code, answer.reason_phrase, answer.content) == (503, "Ill", b"sick")
        assert other.requests == []


async def test_unusual_statuses_pass() -> None:
    async with passing_to(repeating(b"HTTP/1.1 799 Odd One\r\nContent-Length: 0\r\n\r\n")) as (world, _):
        answer = await world.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 799 Odd One\r\n")


async def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    script = repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    async with passing_to(script) as (world, _):
        answer = await world.talk(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")

        assert answer.endswith(b"\r\n\r\nok")
        assert b"chunked" not in answer


async def test_connections_are_kept_on_both_sides() -> None:
    async with passing_to(answering(b"ok")) as (world, origin):
        for _ in range(10):
            assert (await world.http.get("/")).content == b"ok"

        assert origin.connections == 1


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    async def script(caller: Caller) -> None:
        while (seen := await caller.request()) is not None:
            await caller.answer(seen.target.encode())

    async with passing_to(script) as (world, _):
        ask = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = await world.talk(ask % 1 + ask % 2 + b"GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert [part[:2] for part in answer.split(b"\r\n\r\n")[1:]] == [b"/1", b"/2", b"/3"]


async def test_a_slow_client_holds_the_origin_back() -> None:
    sent = 0

    async def script(caller: Caller) -> None:
        nonlocal sent
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            caller.send(b"x" * 65536)
            await caller.writer.drain()
            sent += 65536

    async with passing_to(script) as (world, origin):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while sent != before:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.2)
        writer.transport.abort()
        await until(lambda: origin.open == 0)
    assert sent < 30_000_000


# -- the end of a process


async def test_a_request_under_way_is_answered_to_its_end_by_a_process_that_ends() -> None:
    go_on = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await go_on.wait()
        caller.send(b"def")
        await caller.gone()

    async with passing_to(script) as (world, _):
        answer = asyncio.create_task(world.talk(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        await until(lambda: any(not one.is_at_rest for one in world.connections))
        for connection in list(world.connections):
            connection.shutdown()
        go_on.set()

        assert (await answer).endswith(b"\r\n\r\nabcdef"), "and the connection is closed"
