"""WebSockets through the edge to origins that speak WebSocket themselves, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from fanoutcloud.core.domains import Origin
from fanoutcloud.core.items import Item, WsMessage
from fanoutcloud.core.names import ChannelName
from tests.edge.worlds import KEEP, REALM, until
from tests.grip.worlds import PATIENCE_S, ProxyWorld, passing_to, proxying
from tests.servers.origin import Caller, answering

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def sockets_to(handler: Handler, **options: Any) -> AsyncIterator[ProxyWorld]:
    """Pass WebSockets on to an origin with this handler."""
    async with serve(handler, "127.0.0.1", 0, compression=None, **options) as server, proxying() as world:
        port = next(iter(server.sockets)).getsockname()[1]
        world.set(origins=(Origin("127.0.0.1", port),), is_websocket_over_http=False)
        yield world


def client_of(world: ProxyWorld, path: str = "/", **options: Any) -> connect:
    return connect(f"ws://127.0.0.1:{world.port}{path}", proxy=None, open_timeout=PATIENCE_S, **options)


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


async def closed(socket: ClientConnection) -> tuple[int | None, str]:
    """Wait for the end; return code and reason."""
    async with asyncio.timeout(PATIENCE_S):
        await socket.wait_closed()
    return socket.close_code, socket.close_reason or ""


async def test_texts_and_bytes_pass_both_ways_in_order() -> None:
    async with sockets_to(echo) as world, client_of(world) as socket:
        sent: list[str | bytes] = ["a", b"\x00\xff", "ä" * 1000, b"", "", b"x" * 100_000]
        for message in sent:
            await socket.send(message)

        assert [await socket.recv() for _ in sent] == sent


async def test_the_handshake_arrives_less_the_clients_extensions() -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    async def handler(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append((socket.request.path, {name.lower(): value for name, value in socket.request.headers.raw_items()}))

    headers = {"Cookie": "e=f", "Grip-Sig": "forged"}
    async with sockets_to(handler) as world, client_of(world, "/a%2Fb?c=d", additional_headers=headers) as socket:
        await closed(socket)

    [(path, headers)] = seen
    assert path == "/a%2Fb?c=d"
    assert headers["cookie"] == "e=f"
    assert headers["sec-websocket-extensions"] == "grip"
    assert headers["grip-sig"].count(".") == 2
    assert headers["grip-feature"].startswith("status, session")
    assert headers["x-forwarded-for"] == "127.0.0.1"


async def test_the_origin_chooses_the_subprotocol() -> None:
    async with sockets_to(echo, subprotocols=["b"]) as world, client_of(world, subprotocols=["a", "b"]) as socket:
        assert socket.subprotocol == "b"
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_pings_are_answered_by_the_origin() -> None:
    async with sockets_to(echo) as world, client_of(world) as socket:
        async with asyncio.timeout(PATIENCE_S):
            took_s = await (await socket.ping(b"payload"))  # for a pong that says the same

    assert took_s > 0


async def test_pings_of_the_origin_are_answered_by_the_client() -> None:
    answered = asyncio.Event()

    async def handler(socket: ServerConnection) -> None:
        await (await socket.ping(b"origin"))
        answered.set()

    async with sockets_to(handler) as world, client_of(world) as socket:
        await closed(socket)
        assert answered.is_set()


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4321, "house is full"), (3000, "")])
async def test_a_close_of_the_origin_reaches_the_client(code: int, reason: str) -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.send("last words")
        await socket.close(code, reason)

    async with sockets_to(handler) as world, client_of(world) as socket:
        assert await socket.recv() == "last words"
        assert await closed(socket) == (code, reason)


async def test_a_close_of_the_client_reaches_the_origin_and_its_answer_the_client() -> None:
    ended: list[tuple[int | None, str | None]] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()
        ended.append((socket.close_code, socket.close_reason))

    async with sockets_to(handler) as world, client_of(world) as socket:
        await socket.close(4001, "enough")
        assert await closed(socket) == (4001, "enough")
        await until(lambda: bool(ended))
    assert ended == [(4001, "enough")]


async def test_a_client_that_vanishes_takes_the_origins_side_with_it() -> None:
    ended: list[int | None] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()
        ended.append(socket.close_code)

    async with sockets_to(handler) as world:
        async with client_of(world) as socket:
            socket.transport.abort()
        await until(lambda: bool(ended))
    assert ended == [1006]


async def test_an_origin_that_vanishes_is_no_clean_end() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    async with sockets_to(handler) as world, client_of(world) as socket:
        await socket.send("x")
        assert (await closed(socket))[0] == 1006


async def test_a_refusal_is_relayed_with_status_headers_and_body() -> None:
    async with passing_to(answering(b"members only", status="403 Keep Out", headers=["X-Why: because"])) as (world, _):
        world.set(is_websocket_over_http=False)
        with pytest.raises(InvalidStatus) as refused:
            await client_of(world)

    answer = refused.value.response
    assert (answer.status_code, answer.reason_phrase, answer.body) == (403, "Keep Out", b"members only")
    assert answer.headers["X-Why"] == "because"


BROKEN = {
    "another key": ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
    "no accept": [],
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_handshake_that_does_not_fit_is_a_502(name: str) -> None:
    async def script(caller: Caller) -> None:
        await caller.request()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", *BROKEN[name], "", ""]
        caller.send("\r\n".join(lines).encode())
        await caller.gone()

    async with passing_to(script) as (world, origin):
        world.set(is_websocket_over_http=False)
        with pytest.raises(InvalidStatus) as refused:
            await client_of(world)
        await until(lambda: origin.open == 0)

        assert refused.value.response.status_code == 502
        assert world.events()[0].field == "Sec-WebSocket-Accept"


async def test_an_origin_that_is_not_there_is_a_502() -> None:
    async with proxying() as world:
        world.set(origins=(Origin("127.0.0.1", 1),), is_websocket_over_http=False)
        with pytest.raises(InvalidStatus) as refused:
            await client_of(world)

        assert refused.value.response.status_code == 502
        assert world.events()[0].cause == "connect_refused"


async def test_a_loop_is_a_502() -> None:
    async with proxying() as world:
        world.set(origins=(Origin("127.0.0.1", world.port),), is_websocket_over_http=False)
        with pytest.raises(InvalidStatus) as refused:
            await client_of(world)

        assert refused.value.response.status_code == 502
        assert [event.cause for event in world.events()] == ["loop"]


async def test_a_client_that_takes_nothing_holds_the_origin_back() -> None:
    sent = 0

    async def handler(socket: ServerConnection) -> None:
        nonlocal sent
        while True:
            await socket.send(b"x" * 65536)
            sent += 65536

    async with sockets_to(handler) as world, client_of(world, max_queue=1) as socket:
        socket.transport.pause_reading()
        before = -1
        while sent != before:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.2)
        socket.transport.abort()
    assert sent < 30_000_000


async def test_an_origin_that_takes_nothing_holds_the_client_back() -> None:
    async def handler(socket: ServerConnection) -> None:
        socket.transport.pause_reading()
        await enough.wait()

    sent, enough = 0, asyncio.Event()
    async with sockets_to(handler) as world, client_of(world) as socket:
        try:
            while sent < 60_000_000:
                async with asyncio.timeout(0.5):
                    await socket.send(b"x" * 65536)
                sent += 65536
        except TimeoutError:
            pass
        enough.set()
        socket.transport.abort()
    assert sent < 60_000_000


# -- with the extension `grip`


def grip_handler(*words: str | bytes) -> Handler:
    async def handler(socket: ServerConnection) -> None:
        for word in words:
            await socket.send(word)
        async for message in socket:
            await socket.send(f"m:got {message!r}")

    return handler


def accept_grip(connection: ServerConnection, request: Any, response: Any) -> None:
    response.headers["Sec-WebSocket-Extensions"] = "grip"


async def test_an_origin_with_grip_controls_what_the_client_gets() -> None:
    subscribe = "c:" + json.dumps({"type": "subscribe", "channel": "room"})
    handler = grip_handler(subscribe, "m:welcome", "neither", b"m:bytes")
    async with sockets_to(handler, process_response=accept_grip) as world, client_of(world) as socket:
        assert [await socket.recv(), await socket.recv()] == ["welcome", b"bytes"]
        await until(lambda: any("room" in one.channels for one in world.edge.hub.subscribers))
        item = Item(channel=ChannelName("room"), ws_message=WsMessage(type="text", content=b"published"))
        await world.edge.broker.publish(REALM, [item], retention=KEEP)
        assert await socket.recv() == "published"
        await socket.send("hi")
        assert await socket.recv() == "got 'hi'"


async def test_a_detached_client_stays_when_the_origin_has_gone() -> None:
    words = ["c:" + json.dumps({"type": "subscribe", "channel": "room"}), "c:" + json.dumps({"type": "detach"})]
    async with sockets_to(grip_handler(*words), process_response=accept_grip) as world, client_of(world) as socket:
        await until(lambda: any("room" in one.channels for one in world.edge.hub.subscribers))
        await socket.send("nobody listens")
        item = Item(channel=ChannelName("room"), ws_message=WsMessage(type="text", content=b"still here"))
        await world.edge.broker.publish(REALM, [item], retention=KEEP)

        assert await socket.recv() == "still here"


async def test_a_published_close_ends_both_sides() -> None:
    ended: list[int | None] = []

    async def handler(socket: ServerConnection) -> None:
        await socket.send("c:" + json.dumps({"type": "subscribe", "channel": "room"}))
        await socket.wait_closed()
        ended.append(socket.close_code)

    async with sockets_to(handler, process_response=accept_grip) as world, client_of(world) as socket:
        await until(lambda: any("room" in one.channels for one in world.edge.hub.subscribers))
        message = WsMessage(action="close", code=4444, reason="over")
        await world.edge.broker.publish(REALM, [Item(channel=ChannelName("room"), ws_message=message)], retention=KEEP)
        assert await closed(socket) == (4444, "over")
        await until(lambda: bool(ended))


# -- over HTTP


async def test_a_websocket_goes_over_http_where_the_domain_says_so() -> None:
    async def script(caller: Caller) -> None:
        while (seen := await caller.request()) is not None:
            body = b"OPEN\r\nTEXT 2\r\nhi\r\n" if seen.body == b"OPEN\r\n" else b""
            await caller.answer(body, headers=["Content-Type: application/websocket-events"])

    async with passing_to(script) as (world, origin):
        async with client_of(world) as socket:
            assert await socket.recv() == "hi"
        seen = origin.requests[0]
        assert seen.header("content-type") == "application/websocket-events"
        assert (seen.header("grip-sig") or "").count(".") == 2


async def test_an_origin_over_http_that_is_not_there_is_a_502() -> None:
    async with proxying() as world:
        world.set(origins=(Origin("127.0.0.1", 1),))
        with pytest.raises(InvalidStatus) as refused:
            await client_of(world)

        assert refused.value.response.status_code == 502
