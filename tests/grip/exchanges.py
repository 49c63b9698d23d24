"""Clients and origins for holds: an exchange whose origin answers as a test wrote, on a hub that obeys the test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.held_poll import HeldPoll
from fanoutcloud.edge.connections.sinks import Message, SinkOwner
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.grip.exchange import Answer, OriginFailed, OriginRequest, OriginResponse
from fanoutcloud.grip.holds import GripHolds
from fanoutcloud.outbound.messages import Headers
from tests.edge.worlds import KEEP, PATIENCE_S, REALM, EdgeWorld, until
from tests.fakes.sink import RecordingSink
from tests.fakes.transport import FakeTransport

URL = "http://app.example.com/fruit/"


class FakeBody:
    """Pieces of a body."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration

    def close(self) -> None:
        self.is_closed = True


def response(*lines: str, body: bytes = b"", status: int = 200) -> OriginResponse:
    """Return an answer with headers written as `Name: value`."""
    pairs = (line.partition(": ") for line in lines)
    headers = [(name.encode(), value.encode()) for name, _, value in pairs]
    return OriginResponse(status, b"OK" if status == 200 else b"Other", headers, FakeBody(*[body] if body else []))


@dataclass
class Asked:
    """What the origin was asked. `url` is empty for a repeated request."""

    url: str
    last_ids: dict[str, str]
    method: bytes = b"GET"


Script = list[OriginResponse | OriginFailed | Callable[[], Any]]


class FakeExchange:
    """One client's request. The origin gives the answers of `script`, one after the other."""

    def __init__(self, world: "HoldWorld", *, method: bytes = b"GET", domain: Domain | None = None) -> None:
        self.snapshot = RealmSnapshot(REALM, (), KEEP)
        self.domain = domain or Domain()
        self.scope: dict[str, Any] = {"type": "http", "client": ("192.0.2.7", 1), "http_version": "1.1", "headers": []}
        self.request = OriginRequest(method, b"/fruit/", [])
        self.body: bytes | None = b""
        self.url = URL
        self.script: Script = []
        self.asked: list[Asked] = []
        self.failures: list[tuple[str, str, str | None]] = []
        self.answers: list[Answer] = []
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self._world = world

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def post(self, request: OriginRequest) -> OriginResponse:
        raise NotImplementedError

    async def repeat(self, last_ids: Mapping[str, str]) -> OriginResponse:
        return await self._ask(Asked("", dict(last_ids)))

    async def fetch(self, url: str, last_ids: Mapping[str, str], *, method: bytes = b"GET") -> OriginResponse:
        return await self._ask(Asked(url, dict(last_ids), method))

    async def _ask(self, asked: Asked) -> OriginResponse:
        self.asked.append(asked)
        if asked.method == b"POST":
            return response()
        answer = self.script.pop(0)
        if callable(answer):
            answer = await answer()
        if isinstance(answer, OriginFailed):
            raise answer
        assert isinstance(answer, OriginResponse)
        return answer

    @property
    def dress_key(self) -> bool | None:
        return None if self.domain.cross_origin == "auto" else False

    def dress(self, answer: Answer) -> Answer:
        if self.domain.cross_origin == "auto":
            answer.headers.append((b"X-Dressed", b"1"))
        return answer

    def dress_head(self, status: int, headers: Headers) -> Headers:
        return headers

    async def respond(self, answer: Answer) -> None:
        self.answers.append(answer)

    async def fail(self, failure: OriginFailed) -> None:
        self.answers.append(Answer(failure.status, b"", []))

    def tell_failed(self, message: str, *, cause: str, field: str | None = None) -> OriginFailed:
        self.failures.append((message, cause, field))
        return OriginFailed(message, cause=cause, field=field)

    @property
    def streamed(self) -> bytes:
        """What was sent of a streamed body."""
        return b"".join(message["body"] for message in self.sent if message["type"] == "http.response.body")

    @property
    def is_ended(self) -> bool:
        return any(message["type"] == "http.response.body" and not message.get("more_body") for message in self.sent)


@dataclass
class FakeOffer:
    """`fanout.sink` over fakes."""

    is_chunked: bool = True
    sink: RecordingSink | None = None
    head: tuple[bytes, Headers] | None = None
    transport: FakeTransport = field(default_factory=FakeTransport)
    poll: HeldPoll | None = None
    keeps_alive: bool = True
    early: list[bytes] = field(default_factory=list)

    def hold(self, headers: Sequence[tuple[bytes, bytes]], owner: SinkOwner, *, status: bytes = b"200 OK") -> Any:
        self.head = (status, list(headers))
        self.sink = RecordingSink()
        return self.sink

    def hold_poll(self, owner: Any, *, timeout_s: float) -> HeldPoll | None:
        begin_http = (lambda transport, early: self.early.append(early)) if self.keeps_alive else None
        self.poll = HeldPoll(self.transport, owner, timeout_s=timeout_s, connections=set(), begin_http=begin_http)
        return self.poll

    @property
    def written(self) -> bytes:
        """What a held stream got, as chunks."""
        assert self.sink is not None
        return b"".join(self.sink.frames)


class HoldWorld(EdgeWorld):
    """One process's hub with holds."""

    def __init__(self, limits: EdgeLimits | None = None) -> None:
        super().__init__(limits)
        self.holds = GripHolds(self.hub, self.broker)

    @property
    def wheel(self) -> Any:
        return self.holds.services.wheel

    async def publish_to(self, channel: str, **members: Any) -> None:
        """Publish one item, and let what follows from it happen."""
        await self.broker.publish(REALM, [Item(channel=ChannelName(channel), **members)], retention=KEEP)
        await asyncio.sleep(0)

    def exchange(self, *script: Any, **members: Any) -> FakeExchange:
        exchange = FakeExchange(self, **members)
        exchange.script = list(script)
        return exchange

    @asynccontextmanager
    async def held(
        self, exchange: FakeExchange, first: OriginResponse, *, is_prepared: bool = True, is_long: bool = False
    ) -> AsyncIterator[FakeOffer]:
        """Have the first answer taken over, until the block ends; on our own server, or on another one."""
        offer = FakeOffer()
        if is_prepared:
            exchange.scope["extensions"] = {EXTENSION: offer}
        body = None if is_long else await first.collect(1_000_000)
        before = len(self.hub.subscribers)
        task = asyncio.create_task(self.holds.take_over(exchange, first, body))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await until(lambda: task.done() or (len(self.hub.subscribers) > before and self.is_settled))
            if task.done():
                task.result()
            yield offer
        finally:
            task.cancel()
            await asyncio.wait([task])

    @property
    def is_settled(self) -> bool:
        """Whether everybody waits for items."""
        holds = self.hub.subscribers
        return bool(holds) and all(getattr(hold, "waiting", None) is None for hold in holds)

    @property
    def subscribed(self) -> list[str]:
        """Channels of all who are held."""
        return sorted(channel for hold in self.hub.subscribers for channel in hold.channels)
