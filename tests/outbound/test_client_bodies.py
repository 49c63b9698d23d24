"""The HTTP client while bodies run: both ways at once, held back, broken off, given up, cancelled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from fanoutcloud.outbound.client import OutboundClient, Patience
from fanoutcloud.outbound.errors import AnswerTooLarge, BrokenOff, NoAnswer
from fanoutcloud.outbound.messages import Request
from tests.edge.worlds import until
from tests.outbound.worlds import client_of, fetch, read
from tests.servers.origin import Caller, answering, origin_server


@pytest.mark.parametrize("length", [None, 9])
async def test_a_request_body_is_sent_as_it_comes(client: OutboundClient, length: int | None) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b""
        yield b"defghi"

    async with origin_server(answering(b"ok")) as origin:
        request = Request(b"POST", b"/", [], pieces(), length)
        assert await read(await fetch(client, origin, request)) == b"ok"

        assert origin.requests[0].body == b"abcdefghi"
        assert origin.requests[0].header("content-length") == (None if length is None else "9")
        assert await read(await fetch(client, origin)) == b"ok"
        assert origin.connections == 1


async def test_bodies_go_both_ways_at_once(client: OutboundClient) -> None:
    """The server answers while the request is still being sent, and the rest of it arrives."""
    answered = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await answered.wait()
        yield b"second"

    async def echo(caller: Caller) -> None:
        await caller.head()
        caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2):
            size = int(await caller.reader.readline(), 16)
            data = (await caller.reader.readexactly(size + 2))[:-2]
            caller.send(b"%x\r\n%b\r\n" % (len(data), data))
        assert await caller.reader.readline() == b"0\r\n"
        caller.send(b"0\r\n\r\n")
        await caller.gone()

    async with origin_server(echo) as origin:
        response = await fetch(client, origin, Request(b"POST", b"/", [], pieces()))
        assert await response.body.__anext__() == b"first"
        answered.set()
        assert await read(response) == b"second"


async def test_a_request_body_that_breaks_off_breaks_the_request_off(client: OutboundClient) -> None:
    class Gone(Exception):
        pass

    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        raise Gone

    async def script(caller: Caller) -> None:
        await caller.head()
        await caller.gone()

    async with origin_server(script) as origin:
        with pytest.raises(Gone):
            await fetch(client, origin, Request(b"POST", b"/", [], pieces(), 100))
        await until(lambda: origin.open == 0)
    assert client.pool.lent_count == 0


async def test_an_answer_before_the_request_has_ended_is_given_and_the_connection_is_not_kept(
    client: OutboundClient,
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.get_running_loop().create_future()

    async def script(caller: Caller) -> None:
        await caller.head()
        await caller.answer(b"too large", status="413 Content Too Large")
        await caller.gone()

    async with origin_server(script) as origin:
        response = await fetch(client, origin, Request(b"POST", b"/", [], pieces()))
        assert (response.status, await read(response)) == (413, b"too large")
        await until(lambda: origin.open == 0)
    assert client.pool.idle_count == 0


async def test_a_server_that_sends_without_end_waits_for_the_reader(client: OutboundClient) -> None:
    sent = 0

    async def script(caller: Caller) -> None:
        nonlocal sent
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            caller.send(b"x" * 65536)
            sent += 65536
            await caller.writer.drain()

    async with origin_server(script) as origin:
        response = await fetch(client, origin)
        with pytest.raises(AnswerTooLarge):
            await response.collect(200_000)
        await until(lambda: origin.open == 0)
    assert sent < 20_000_000


async def test_a_body_that_nobody_reads_is_held_back(client: OutboundClient) -> None:
    sent = 0

    async def script(caller: Caller) -> None:
        nonlocal sent
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        caller.writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):  # the sockets' own buffers fill within this
                while True:
                    caller.send(b"x" * 65536)
                    await caller.writer.drain()
                    sent += 65536

    async with origin_server(script) as origin:
        response = await fetch(client, origin)
        await until(lambda: origin.open == 0)
        held = sent
        response.body.close()
    assert held < 30_000_000


async def test_closing_a_body_ends_the_connection(client: OutboundClient) -> None:
    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        await caller.gone()

    async with origin_server(script) as origin:
        response = await fetch(client, origin)
        response.body.close()
        response.body.close()
        with pytest.raises(BrokenOff):
            await response.body.__anext__()
        await until(lambda: origin.open == 0)
    assert client.pool.lent_count == client.pool.idle_count == 0


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async def script(caller: Caller) -> None:
        await caller.gone()

    async with client_of(patience=Patience(head_s=0.05)) as client, origin_server(script) as origin:
        with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
            await fetch(client, origin)
        assert client.pool.lent_count == 0


async def test_a_body_that_does_not_go_on_is_given_up() -> None:
    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        await caller.gone()

    async with client_of(patience=Patience(idle_s=0.05)) as client, origin_server(script) as origin:
        response = await fetch(client, origin)
        with pytest.raises(NoAnswer):
            await read(response)
        assert client.pool.lent_count == 0


async def test_a_server_that_takes_no_more_of_a_body_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    given_up = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.head()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await given_up.wait()

    async with client_of(patience=Patience(head_s=0.2, idle_s=0.2)) as client, origin_server(script) as origin:
        with pytest.raises(NoAnswer):
            await fetch(client, origin, Request(b"POST", b"/", [], endless()))
        given_up.set()


async def test_a_cancelled_request_leaves_nothing(client: OutboundClient) -> None:
    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.gone()

    async with origin_server(script) as origin:
        asking = asyncio.create_task(fetch(client, origin))
        await until(lambda: bool(origin.requests))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await until(lambda: origin.open == 0)
    assert client.pool.lent_count == 0
