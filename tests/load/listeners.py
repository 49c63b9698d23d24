"""Many cheap subscribers in one process: raw connections that note every item, and come back by position.

A few thousand of them fit beside the edges that they test. Each notes what it got, so that nothing can be lost or
repeated unseen.
"""

import asyncio
import base64
import json
import random
import re
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from tests.servers.product import ProductRealm

TRANSPORTS = ("websocket", "sse", "stream", "poll")
PATIENCE_S = 60.0
_ITEM = re.compile(rb'"type":"item","channel":"([^"]+)","position":"(\w+):(\d+)"')
_SUBSCRIBED = re.compile(rb'"type":"subscribed","channel":"([^"]+)","position":"(\w+):(\d+)"')
_CURSOR = re.compile(rb'"cursor":"([^"]+)"')
_DRAINED = (b"\x0f\xac", b'"reason":"draining"')  # close code 4012, and the words of streams
_TAIL_BYTES = 400
Position = tuple[str, int]


@dataclass(slots=True)
class Crowd:
    """All listeners of a test, and what happened to them."""

    port: int
    realm: ProductRealm
    listeners: "list[Listener]" = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)
    name: str = field(default_factory=lambda: secrets.token_hex(3))  # in channels and ids, which are no other crowd's
    lost_at: list[float] = field(default_factory=list)
    is_over: bool = False
    comes_back: bool = True
    backs: "set[asyncio.Task[None]]" = field(default_factory=set)
    published_at: dict[tuple[str, int], float] = field(default_factory=dict)
    longest_delay_s: float = 0.0

    async def gather(self, count: int, channels: int, transports: Iterable[str] = TRANSPORTS) -> None:
        """Connect `count` listeners, spread over channels and transports."""
        kinds = [KINDS[name] for name in transports]
        made = [
            kinds[i % len(kinds)](self, [self.channel(i // len(kinds) % channels)], i // len(kinds))
            for i in range(count)
        ]
        self.listeners += made
        for start in range(0, count, 100):
            await asyncio.gather(*(one.connect() for one in made[start : start + 100]))

    def channel(self, number: int) -> str:
        """Return the name of one of this crowd's channels."""
        return f"{self.name}-{number}"

    def tops(self, published: dict[str, int]) -> dict[str, Position]:
        """Return the newest position of each channel that has listeners and got so many items since they came."""
        return {
            channel: (epoch, first + published[channel])
            for listener in self.listeners
            for channel, (epoch, first) in listener.began.items()
            if channel in published
        }

    @property
    def kept(self) -> int:
        """How many have never lost their connection."""
        return sum(1 for listener in self.listeners if not listener.losses)

    def faults(self, tops: dict[str, Position]) -> list[str]:
        """Return what is wrong: each listener must have each item behind its first position, once and in order."""
        found = []
        for number, listener in enumerate(self.listeners):
            for channel in listener.channels:
                epoch, first = listener.began[channel]
                wanted = list(range(first + 1, tops[channel][1] + 1)) if channel in tops else []
                if listener.got[channel] != wanted or (channel in tops and epoch != tops[channel][0]):
                    found.append(f"{listener.transport} {number} {channel}: {_differ(listener.got[channel], wanted)}")
        return found

    async def wait_until_all_have(self, tops: dict[str, Position]) -> None:
        """Return when every listener stands at the top, or patience is at its end."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if all(
                listener.at[channel][1] >= tops[channel][1]
                for listener in self.listeners
                for channel in listener.channels
                if channel in tops
            ):
                return
            await asyncio.sleep(0.05)

    async def leave(self) -> None:
        """End all connections."""
        self.is_over = True
        for back in self.backs:
            back.cancel()
        for listener in self.listeners:
            if listener.connection is not None:
                listener.connection.abort()
        await asyncio.sleep(0)


def _differ(got: list[int], wanted: list[int]) -> str:
    missing, repeated = sorted(set(wanted) - set(got)), [n for n, count in Counter(got).items() if count > 1]
    return f"missing {missing[:5]}, repeated {repeated[:5]}, {len(got)} of {len(wanted)}, in order {got == sorted(got)}"


class Listener(asyncio.Protocol):
    """One subscriber. `losses`: how often its connection ended."""

    transport: ClassVar[str]
    path: ClassVar[str]
    lines: ClassVar[str] = ""

    def __init__(self, crowd: Crowd, channels: list[str], number: int = 0) -> None:
        self.crowd = crowd
        self.number = number
        self.channels = channels
        self.began: dict[str, Position] = {}
        self.at: dict[str, Position] = {}
        self.got: defaultdict[str, list[int]] = defaultdict(list)
        self.losses = 0
        self.is_told = False
        self.connection: asyncio.Transport | None = None
        self.heard = b""
        self._ready: asyncio.Future[None] | None = None

    async def connect(self) -> None:
        """Connect, and return when all channels are subscribed."""
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        async with asyncio.timeout(PATIENCE_S):
            await loop.create_connection(lambda: self, "127.0.0.1", self.crowd.port)
            await self._ready

    def request(self) -> bytes:
        query = "&".join(f"channel={name}" for name in self.channels)
        if self.at:
            query += "&since=" + ",".join(f"{epoch}:{n}" for epoch, n in (self.at[name] for name in self.channels))
        query += self.options()
        head = f"GET /r/{self.crowd.realm.realm}/fanout/{self.path}?{query} HTTP/1.1\r\nHost: localhost\r\n"
        return (head + self.lines + "\r\n").encode()

    def options(self) -> str:
        return ""

    def say_hello(self) -> None:
        """Speak, on transports where a client does."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.connection = transport
        self.heard = b""
        transport.write(self.request())

    def data_received(self, data: bytes) -> None:
        heard = self.heard + data
        end = 0
        for found in _SUBSCRIBED.finditer(heard):
            channel, epoch, offset = found[1].decode(), found[2].decode(), int(found[3])
            self.began.setdefault(channel, (epoch, offset))
            self.at.setdefault(channel, (epoch, offset))
            end = found.end()
        for found in _ITEM.finditer(heard):
            self.take(found[1].decode(), found[2].decode(), int(found[3]))
            end = max(end, found.end())
        self.heard = heard[max(end, len(heard) - _TAIL_BYTES) :]
        if self.connection is not None and any(mark in self.heard for mark in _DRAINED):
            self.connection.close()
        if self._ready is not None and len(self.at) == len(self.channels):
            if not self._ready.done():
                self._ready.set_result(None)
                self.say_hello()
            self._ready = None

    def take(self, channel: str, epoch: str, offset: int) -> None:
        self.got[channel].append(offset)
        self.at[channel] = (epoch, offset)
        sent = self.crowd.published_at.get((channel, offset))
        if sent is not None:
            self.crowd.longest_delay_s = max(self.crowd.longest_delay_s, time.monotonic() - sent)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.crowd.is_over:
            return
        self.losses += 1
        self.crowd.lost_at.append(time.monotonic())
        told = self.is_told or any(mark in self.heard for mark in _DRAINED)
        self.is_told = False
        self.crowd.losses["told" if told else f"{self.transport} {exc!r}"] += 1
        if not self.crowd.comes_back:
            return
        back = asyncio.get_running_loop().create_task(self._come_back())
        self.crowd.backs.add(back)
        back.add_done_callback(self.crowd.backs.discard)

    async def _come_back(self) -> None:
        while not self.crowd.is_over:
            await asyncio.sleep(random.uniform(0.0, 0.2))
            try:
                await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self.crowd.port)
                return
            except OSError:
                continue


class WebSocketListener(Listener):
    transport = "websocket"
    path = "ws"
    lines = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: ZmFuYmVuY2gtZmFuYmVuYw==\r\n"
    )

    def say_hello(self) -> None:
        """Every other client speaks once, so that the edge has a parser for it."""
        if self.number % 2 and self.connection is not None:
            self.connection.write(b"\x81\x8f\x00\x00\x00\x00" + b'{"type":"ping"}')


class SseListener(Listener):
    transport = "sse"
    path = "sse"


class StreamListener(Listener):
    transport = "stream"
    path = "stream"


class PollListener(Listener):
    """Asks again on the same connection after each answer."""

    transport = "poll"
    path = "poll"

    def options(self) -> str:
        return "&timeout=50" if self.at else "&timeout=0"

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, separator, body = self.heard.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.heard = b""
        self.is_told = b"connection: close" in head
        for found in _ITEM.finditer(body):
            self.take(found[1].decode(), found[2].decode(), int(found[3]))
        cursor = _CURSOR.search(body)
        if cursor is not None:
            for channel, position in zip(self.channels, cursor[1].decode().split(","), strict=True):
                epoch, _, offset = position.partition(":")
                self.at[channel] = (epoch, int(offset))
                self.began.setdefault(channel, (epoch, int(offset)))
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        if self.connection is not None and not self.is_told:
            self.connection.write(self.request())


KINDS: dict[str, type[Listener]] = {
    kind.transport: kind for kind in (WebSocketListener, SseListener, StreamListener, PollListener)
}


class SteadyPublisher:
    """Publishes at a pace over one kept-alive connection; repeats with the same id where an answer did not come."""

    def __init__(self, crowd: Crowd, *, channels: int, per_s: float) -> None:
        self._crowd = crowd
        self._channels = channels
        self._per_s = per_s
        self._stopping = asyncio.Event()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.published: Counter[str] = Counter()
        self.retries = 0

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> dict[str, int]:
        """Publish until `stop`; return how many items each channel got."""
        number, began_at = 0, time.monotonic()
        while not self._stopping.is_set():
            channel = self._crowd.channel(number % self._channels)
            await self._publish(channel, f"{self._crowd.name}-{number}")
            self.published[channel] += 1
            number += 1
            await asyncio.sleep(max(0.0, began_at + number / self._per_s - time.monotonic()))
        if self._streams is not None:
            self._streams[1].close()
        return dict(self.published)

    async def _publish(self, channel: str, name: str) -> None:
        realm = self._crowd.realm
        body = json.dumps({"items": [{"channel": channel, "id": name, "json-object": {"name": name}}]}).encode()
        credential = base64.b64encode(f"{realm.realm}:{realm.key}".encode()).decode()
        head = (
            f"POST /realm/{realm.realm}/publish/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credential}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._crowd.published_at[channel, self.published[channel] + 1] = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while not await self._try(head.encode() + body):
                self.retries += 1
                await asyncio.sleep(0.01)

    async def _try(self, request: bytes) -> bool:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._crowd.port)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            assert head.startswith(b"HTTP/1.1 200 "), head
            return True
        except (OSError, asyncio.IncompleteReadError):
            if self._streams is not None:
                self._streams[1].close()
            self._streams = None
            return False
