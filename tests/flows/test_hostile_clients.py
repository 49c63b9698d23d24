"""Slow and hostile clients of the product: each gets a clear end, the others all items, the log no traceback."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from websockets.frames import Close, Frame, Opcode

from tests.contracts.transports import SiteUnderTest, SseReader, WebSocketReader
from tests.flows.sockets import BareSocket, bare_socket, close_of, frames_of, get, upgrade
from tests.servers.product import Product, ProductRealm, product

__all__ = ["product"]  # one for these tests: they look at its memory and its log

ITEM = "x" * 50_000
ITEMS = 110  # 5.5 MB
SLOW_CLIENTS = 12


@pytest.fixture
async def site(product: Product, realm: ProductRealm) -> AsyncIterator[SiteUnderTest]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(verify=False, timeout=20, limits=limits, trust_env=False) as client:
        yield SiteUnderTest(product, realm, client)


@pytest.fixture(autouse=True)
def _no_traceback(product: Product) -> Iterator[None]:
    """Whatever a client does is its own fault, and no reason for a traceback."""
    size_before = product.log.stat().st_size
    yield
    logged = product.log.read_bytes()[size_before:].decode()
    assert "Traceback" not in logged, logged


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _subscribe(stack: AsyncExitStack, site: SiteUnderTest, path: str, channel: str) -> BareSocket:
    client = await stack.enter_async_context(bare_socket(site.port))
    target = f"{site.path}{path}?channel={channel}"
    await client.send(upgrade(target) if path.endswith("/ws") else get(target))
    await client.read_until(b"subscribed")
    return client


async def _expect_slow(client: BareSocket, *, is_websocket: bool) -> None:
    rest = await client.read_to_end()
    if is_websocket:
        assert rest.endswith(bytes([0x88, 6]) + Close(4508, "slow").serialize())
    else:
        assert b'"reason":"slow"' in rest[-400:]
        assert rest.endswith(b"0\r\n\r\n")


async def test_subscribers_that_do_not_read_are_closed_as_slow_and_cost_the_others_nothing(
    site: SiteUnderTest, product: Product, channel: str
) -> None:
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(kind(site, channel))
            for kind in (WebSocketReader, SseReader)
            for _ in range(3)
        ]
        for reader in readers:
            await reader.ready()
        paths = ["/fanout/ws", "/fanout/stream"] * (SLOW_CLIENTS // 2)
        slow = [await _subscribe(stack, site, path, channel) for path in paths]
        before = _resident_bytes(product.pid)
        receiving = [asyncio.create_task(reader.data(ITEMS)) for reader in readers]

        for number in range(0, ITEMS, 10):
            await site.publish(channel, *([n, ITEM] for n in range(number, number + 10)))

        for received in await asyncio.gather(*receiving):
            assert [number for number, _ in received] == list(range(ITEMS))
        # 1 MiB for each slow client, 5 MB of history, and what the allocator makes of it.
        assert _resident_bytes(product.pid) - before < 60_000_000
        for path, client in zip(paths, slow, strict=True):
            await _expect_slow(client, is_websocket=path == "/fanout/ws")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 64,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /r/x HTTP/1.1\r\nHo st: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET http://[broken HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["zeros", "TLS", "HTTP/2", "words", "version", "header", "length", "URL"],
)
async def test_garbage_instead_of_http_is_refused_and_ended(site: SiteUnderTest, garbage: bytes) -> None:
    async with bare_socket(site.port) as client:
        await client.send(garbage)

        answer = await client.read_to_end()

    assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 505")), answer[:200]


@pytest.mark.parametrize("size", [33_000, 50_000, 66_000, 100_000])
@pytest.mark.parametrize("where", ["header", "headers", "url"])
async def test_a_large_head_is_refused_with_431(site: SiteUnderTest, size: int, where: str) -> None:
    path, headers = f"{site.path}/fanout/poll?channel=a&timeout=0", ["Connection: close"]
    match where:
        case "header":
            headers.append("X-Large: " + "x" * size)
        case "headers":
            headers += [f"X-{number}: {'x' * 90}" for number in range(size // 98 + 1)]
        case "url":
            path += "&x=" + "x" * size
    async with bare_socket(site.port) as client:
        await client.send(get(path, *headers))

        assert (await client.read_to_end()).startswith(b"HTTP/1.1 431 ")


async def test_a_head_of_an_allowed_size_is_served(site: SiteUnderTest) -> None:
    async with bare_socket(site.port) as client:
        path = f"{site.path}/fanout/poll?channel=a&timeout=0"
        await client.send(get(path, "X-Large: " + "x" * 30_000, "Connection: close"))

        assert (await client.read_to_end()).startswith(b"HTTP/1.1 200 OK")


_UPGRADE = ("Host: a", "Upgrade: websocket", "Connection: Upgrade")
_KEY, _VERSION = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"
_HANDSHAKES: dict[str, tuple[str, ...]] = {
    "no key": ("GET {path} HTTP/1.1", *_UPGRADE),
    "short key": ("GET {path} HTTP/1.1", *_UPGRADE, "Sec-WebSocket-Key: short", _VERSION),
    "old version": ("GET {path} HTTP/1.1", *_UPGRADE, _KEY, "Sec-WebSocket-Version: 8"),
    "method": ("POST {path} HTTP/1.1", *_UPGRADE, _KEY, _VERSION, "Content-Length: 0"),
    "URL": ("GET http://[broken HTTP/1.1", *_UPGRADE, _KEY, _VERSION),
    "no path": ("OPTIONS * HTTP/1.1", *_UPGRADE, _KEY, _VERSION),
    "no path in a URL": ("GET http://a HTTP/1.1", *_UPGRADE, _KEY, _VERSION),
    "authority": ("CONNECT localhost:80 HTTP/1.1", *_UPGRADE, _KEY, _VERSION),
    "authority without upgrade": ("CONNECT localhost:80 HTTP/1.1", "Host: a"),
}


@pytest.mark.parametrize("lines", list(_HANDSHAKES.values()), ids=list(_HANDSHAKES))
async def test_a_broken_handshake_is_refused_and_ended(site: SiteUnderTest, lines: tuple[str, ...]) -> None:
    handshake = "\r\n".join([*lines, "", ""]).format(path=f"{site.path}/fanout/ws?channel=a")
    async with bare_socket(site.port) as client:
        await client.send(handshake.encode())

        assert (await client.read_to_end()).startswith((b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 405"))


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\xff" * 1000, 1002),
        (b"\x81\x05hello", 1002),
        (Frame(Opcode.BINARY, b"\x00").serialize(mask=True), 1003),
        (Frame(Opcode.TEXT, b"\xff").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"x" * 70_000).serialize(mask=True), 1009),
        (b"\x81\xff" + b"\x7f" * 8, 1009),
    ],
    ids=["noise", "not masked", "binary", "not UTF-8", "too large", "says it is huge"],
)
async def test_garbage_frames_end_the_websocket_with_their_code(
    site: SiteUnderTest, channel: str, garbage: bytes, code: int
) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(bare_socket(site.port))
        await client.send(upgrade(f"{site.path}/fanout/ws?channel={channel}"))
        begun = await client.read_until(b"subscribed")
        await client.send(garbage)

        assert close_of(begun + await client.read_to_end()).code == code


async def test_commands_that_make_no_sense_are_answered_and_hurt_nothing(site: SiteUnderTest, channel: str) -> None:
    nonsense = ["", "{", "[]", "1", "null", '"ping"', '{"type":7}', '{"type":"subscribe"}', '{"type":"publish"}']
    nonsense += ["[" * 50_000, '{"type":"subscribe","channel":"\\u0000"}', '{"type":"unsubscribe","channel":"none"}']
    nonsense += [
        json.dumps({"type": "subscribe", "channel": "c" * 1000}),
        json.dumps({"type": "subscribe", "channel": channel}),
        json.dumps({"type": "subscribe", "channel": "b", "since": "x"}),
        '{"type":"subscribe","channel":"\\ud800"}',
    ]
    async with WebSocketReader(site, channel) as subscriber:
        await subscriber.ready()
        for text in nonsense:
            await subscriber.socket.send(text)
            error = await subscriber.next()
            assert (error["type"], error["code"]) == ("error", "invalid_request"), (text[:80], error)
            assert error["cure"], error
        await site.publish(channel, "still here")

        assert await subscriber.data(1) == ["still here"]


async def test_a_flood_of_commands_ends_the_websocket(site: SiteUnderTest, channel: str) -> None:
    """Those that begin a broker subscription each take a moment; those behind them wait, but not without end."""
    flood = b"".join(
        Frame(Opcode.TEXT, json.dumps({"type": "subscribe", "channel": f"{channel}-{n}"}).encode()).serialize(mask=True)
        for n in range(500)
    )
    async with bare_socket(site.port) as client:
        await client.send(upgrade(f"{site.path}/fanout/ws"))
        begun = await client.read_until(b"welcome")
        await client.send(flood)

        received = begun + await client.read_to_end()

    assert close_of(received) == Close(4529, "too_many_commands")
    assert len(frames_of(received)) < 500


async def test_more_channels_than_allowed_are_refused_one_by_one(site: SiteUnderTest, channel: str) -> None:
    async with WebSocketReader(site, *(f"{channel}-{number}" for number in range(200))) as subscriber:
        await subscriber.ready()

        await subscriber.send(type="subscribe", channel=channel)

        error = await subscriber.next()
        assert (error["type"], error["code"], error["field"]) == ("error", "invalid_request", "channel")


async def test_commands_in_a_hurry_wait_for_the_channels_of_the_url(site: SiteUnderTest, channel: str) -> None:
    """A channel that is left while it is being joined stays left."""
    await site.publish(channel, *range(50))
    async with WebSocketReader(site, channel, since="zzzzzzzz:0") as subscriber:
        await subscriber.send(type="unsubscribe", channel=channel)
        await subscriber.send(type="ping")
        kinds = []
        while "pong" not in kinds:
            kinds.append((await subscriber.next())["type"])
        await site.publish(channel, "for nobody")
        await subscriber.send(type="ping")

        assert kinds == ["reset", "unsubscribed", "pong"]
        assert (await subscriber.next())["type"] == "pong"
