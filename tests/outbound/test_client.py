"""The HTTP client against servers that behave: methods, answers, connections used again, other protocols."""

import asyncio

import pytest

from fanoutcloud.outbound.client import OutboundClient, Upgraded, encode_head
from fanoutcloud.outbound.errors import BrokenOff
from fanoutcloud.outbound.messages import Request
from tests.edge.worlds import until
from tests.outbound.worlds import TENANT, endpoint_of, fetch, get, read
from tests.servers.origin import Caller, answering, each, origin_server, repeating, sending


async def test_an_answer_comes_whole(client: OutboundClient) -> None:
    async with origin_server(answering(b"hello", status="201 Made It", headers=["X-A: 1", "x-a: 2"])) as origin:
        response = await fetch(client, origin, get(b"/a//b?c=%20d"))

        assert (response.status, response.reason, response.length) == (201, b"Made It", 5)
        assert response.headers == [(b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Length", b"5")]
        assert await read(response) == b"hello"
        assert (origin.requests[0].method, origin.requests[0].target) == ("GET", "/a//b?c=%20d")
        assert origin.requests[0].headers == [("Host", "app.example")]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "X-ANY"])
async def test_every_method_goes_out_with_its_body(client: OutboundClient, method: str) -> None:
    async with origin_server(answering(b"ok")) as origin:
        response = await fetch(client, origin, get(method=method.encode(), body=b"data"))

        assert await read(response) == b"ok"
        assert (origin.requests[0].method, origin.requests[0].body) == (method, b"data")


async def test_an_empty_post_says_so_and_a_get_says_nothing(client: OutboundClient) -> None:
    async with origin_server(answering()) as origin:
        for method in (b"POST", b"GET"):
            await read(await fetch(client, origin, get(method=method)))

        assert [seen.header("content-length") for seen in origin.requests] == ["0", None]


async def test_an_answer_to_head_has_a_length_and_no_body(client: OutboundClient) -> None:
    async with origin_server(repeating(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as origin:
        for _ in range(2):
            response = await fetch(client, origin, get(method=b"HEAD"))
            assert (response.length, await read(response)) == (1000, b"")

        assert origin.connections == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_a_body_leave_the_connection_usable(client: OutboundClient, status: bytes) -> None:
    script = repeating(b"HTTP/1.1 %b\r\nETag: x\r\n\r\n" % status)
    async with origin_server(script) as origin:
        for _ in range(2):
            assert await read(await fetch(client, origin)) == b""

        assert origin.connections == 1


async def test_chunks_and_trailers_are_read(client: OutboundClient) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
    )
    async with origin_server(repeating(answer)) as origin:
        response = await fetch(client, origin)

        assert (response.length, await read(response)) == (None, b"abcde")
        assert response.trailers == [(b"X-Sum", b"5")]
        await read(await fetch(client, origin))
        assert origin.connections == 1


async def test_a_body_may_last_until_the_connection_ends(client: OutboundClient) -> None:
    async with origin_server(sending(b"HTTP/1.0 200 OK\r\n\r\nabc", b"def")) as origin:
        assert await read(await fetch(client, origin)) == b"abcdef"


async def test_interim_answers_are_passed_over(client: OutboundClient) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with origin_server(sending(interim + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as origin:
        response = await fetch(client, origin)

        assert (response.status, await read(response)) == (200, b"ok")
        assert response.headers == [(b"Content-Length", b"2")]


async def test_the_first_bytes_come_before_the_server_has_finished(client: OutboundClient) -> None:
    go_on = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await go_on.wait()
        caller.send(b"def")
        await caller.gone()

    async with origin_server(script) as origin:
        response = await fetch(client, origin)
        assert await response.body.__anext__() == b"abc"
        go_on.set()
        assert await response.body.__anext__() == b"def"
        with pytest.raises(StopAsyncIteration):
            await response.body.__anext__()


async def test_a_connection_is_used_again_and_never_by_another_tenant(client: OutboundClient) -> None:
    async with origin_server(answering(b"ok")) as origin:
        for tenant in ("alice", "alice", "bob", "alice", "bob"):
            await read(await client.send(tenant, endpoint_of(origin), get()))

        assert origin.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naaa",
        b"HTTP/1.1 204 No Content\r\n\r\naaa",
    ],
)
async def test_a_connection_with_more_to_say_is_not_used_again(client: OutboundClient, answer: bytes) -> None:
    async with origin_server(repeating(answer)) as origin:
        for _ in range(2):
            assert await read(await fetch(client, origin)) in (b"a", b"")

        assert origin.connections == 2


async def test_a_get_is_repeated_when_a_used_connection_has_ended(client: OutboundClient) -> None:
    async def once_then_reset(caller: Caller) -> None:
        await caller.request()
        await caller.answer(b"first")
        await caller.request()
        caller.reset()

    async with origin_server(each(once_then_reset, answering(b"second"))) as origin:
        assert await read(await fetch(client, origin)) == b"first"
        assert await read(await fetch(client, origin)) == b"second"
        assert len(origin.requests) == 3


async def test_a_post_is_not_repeated(client: OutboundClient) -> None:
    async def once_then_reset(caller: Caller) -> None:
        await caller.request()
        await caller.answer(b"first")
        await caller.request()
        caller.reset()

    async with origin_server(each(once_then_reset, answering(b"second"))) as origin:
        await read(await fetch(client, origin))
        with pytest.raises(BrokenOff):
            await fetch(client, origin, get(method=b"POST", body=b"x"))
        assert len(origin.requests) == 2


async def test_a_get_is_not_repeated_once_an_answer_has_begun(client: OutboundClient) -> None:
    async def once_then_half(caller: Caller) -> None:
        await caller.request()
        await caller.answer(b"first")
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\n")
        await caller.writer.drain()

    async with origin_server(each(once_then_half, answering(b"second"))) as origin:
        await read(await fetch(client, origin))
        with pytest.raises(BrokenOff, match="in the middle of the answer's headers"):
            await fetch(client, origin)


async def test_a_get_is_not_repeated_on_a_connection_that_is_new(client: OutboundClient) -> None:
    async with origin_server(sending()) as origin:
        with pytest.raises(BrokenOff, match="without an answer"):
            await fetch(client, origin)

        assert len(origin.requests) == 1


async def test_a_connection_can_switch_to_another_protocol(client: OutboundClient) -> None:
    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nearly")
        await caller.gone()

    async with origin_server(script) as origin:
        request = Request(b"GET", b"/", [(b"Connection", b"Upgrade"), (b"Upgrade", b"x")])
        upgraded = await client.upgrade(TENANT, endpoint_of(origin), request)

        assert isinstance(upgraded, Upgraded)
        assert (upgraded.response.status, upgraded.early) == (101, b"early")
        upgraded.close()
        await until(lambda: origin.open == 0)
    assert client.pool.lent_count == 0


async def test_a_refused_switch_is_an_answer(client: OutboundClient) -> None:
    async with origin_server(answering(b"no", status="403 Forbidden")) as origin:
        response = await client.upgrade(TENANT, endpoint_of(origin), get())

        assert not isinstance(response, Upgraded)
        assert (response.status, await read(response)) == (403, b"no")


@pytest.mark.parametrize(
    "request_",
    [
        Request(b"GE T", b"/", []),
        Request(b"", b"/", []),
        Request(b"GET", b"/ HTTP/1.1\r\nX: y", []),
        Request(b"GET", b"", []),
        Request(b"GET", b"/", [(b"X\r\nY", b"z")]),
        Request(b"GET", b"/", [(b"X", b"y\r\nZ: 1")]),
        Request(b"GET", b"/", [(b"X", b"y\n")]),
        Request(b"GET", b"/", [(b"X", b"\x00")]),
        Request(b"GET", b"/", [(b"", b"x")]),
        Request(b"GET", b"/", [(b"Content-Length", b"3")]),
        Request(b"GET", b"/", [(b"transfer-encoding", b"chunked")]),
    ],
)
def test_what_would_be_another_request_on_the_wire_is_not_sent(request_: Request) -> None:
    with pytest.raises(ValueError):
        encode_head(request_)
