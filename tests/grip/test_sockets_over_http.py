"""WebSockets as requests: every event in both directions, and what origins do wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.items import WsMessage
from fanoutcloud.edge.connections.held_relay_socket import RelayOwner
from fanoutcloud.grip.client_sockets import plain_message
from fanoutcloud.grip.control_messages import Message
from fanoutcloud.grip.exchange import OriginFailed, OriginResponse
from fanoutcloud.grip.instructions import Answer
from fanoutcloud.grip.sockets_over_http import SocketOverHttp
from fanoutcloud.grip.ws_over_http import Event, decode_events, encode_events
from fanoutcloud.outbound.messages import Headers
from tests.edge.worlds import PATIENCE_S, until
from tests.fakes.sink import RecordingSink
from tests.grip.exchanges import FakeExchange, HoldWorld, response

EVENTS = "Content-Type: application/websocket-events"
GRIP = "Sec-WebSocket-Extensions: grip"
SUBSCRIBE = Event("TEXT", b'c:{"type":"subscribe","channel":"room"}')


class FakeSocket(RecordingSink):
    """An accepted client."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: tuple[str, bytes] | None = None
        self.is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def close_as(self, content: bytes) -> None:
        self.ended = self.ended or ("close", content)

    def drop(self) -> None:
        self.ended = self.ended or ("drop", b"")


class FakeHandshake:
    """A client that waits. Its socket gets a letter for the type and the content."""

    def __init__(self) -> None:
        self.socket: FakeSocket | None = None
        self.owner: RelayOwner | None = None
        self.headers: Headers = []
        self.rejected: Answer | None = None
        self.has_left = False

    @staticmethod
    def encode_message(message: Message) -> bytes:
        return plain_message(message) or message.type[:2].encode() + message.content

    async def accept(self, owner: RelayOwner, headers: Headers) -> Any:
        if self.has_left:
            return None
        self.owner, self.headers, self.socket = owner, headers, FakeSocket()
        return self.socket

    async def reject(self, answer: Answer) -> None:
        self.rejected = answer

    async def serve(self) -> None:
        pass


class Origin:
    """Answers requests by a script; keeps what it was sent."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.requests: list[Any] = []

    @property
    def events(self) -> list[list[Event]]:
        return [decode_events(request.body) for request in self.requests]

    async def __call__(self, request: Any) -> OriginResponse:
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else told()
        if callable(answer):
            answer = await answer()
        if isinstance(answer, OriginFailed):
            raise answer
        return answer


def told(*events: Event, lines: tuple[str, ...] = ()) -> OriginResponse:
    return response(EVENTS, *lines, body=encode_events(events))


def opened(*events: Event, lines: tuple[str, ...] = (GRIP,)) -> OriginResponse:
    return told(Event("OPEN"), *events, lines=lines)


class Link:
    """One client, its edge and its origin."""

    def __init__(self, world: HoldWorld, origin: Origin) -> None:
        self.world = world
        self.origin = origin
        self.exchange = FakeExchange(world)
        self.exchange.post = origin  # type: ignore[attr-defined]
        self.handshake = FakeHandshake()

    @asynccontextmanager
    async def run(self) -> AsyncIterator["Link"]:
        task = asyncio.create_task(
            SocketOverHttp(self.world.holds.services, self.exchange, self.handshake).run()  # type: ignore[arg-type]
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await until(lambda: task.done() or self.handshake.socket is not None)
                for _ in range(20):
                    await asyncio.sleep(0)
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    @property
    def socket(self) -> FakeSocket:
        assert self.handshake.socket is not None
        return self.handshake.socket

    @property
    def client(self) -> RelayOwner:
        assert self.handshake.owner is not None
        return self.handshake.owner

    @property
    def got(self) -> list[bytes]:
        return self.socket.frames

    async def asked(self, count: int) -> None:
        """Wait until the origin was sent that many requests."""
        await until(lambda: len(self.origin.requests) >= count)
        for _ in range(5):
            await asyncio.sleep(0)

    async def publish(self, **members: Any) -> None:
        await self.world.publish_to("room", ws_message=WsMessage(**members))


@pytest.fixture
async def world() -> Any:
    async with HoldWorld().running() as world:
        yield world


# -- opening


async def test_an_accepted_client_is_greeted_and_subscribed(world: HoldWorld):
    first = opened(SUBSCRIBE, Event("TEXT", b"m:welcome"), Event("BINARY", b"m:\x00"), Event("TEXT", b"dropped"))
    first.headers += [(b"Sec-WebSocket-Protocol", b"chat"), (b"Set-Meta-User", b"alice")]
    async with Link(world, Origin(first)).run() as link:
        assert link.got == [b"twelcome", b"b\x00"]
        assert link.handshake.headers == [(b"Sec-WebSocket-Protocol", b"chat")]
        assert world.subscribed == ["room"]
        assert link.origin.events == [[Event("OPEN")]]

        await link.publish(content=b"hello")
        await link.publish(content=b"\xff", type="binary")
        await link.publish(content=b"p", type="ping")
        await link.publish(content=b"p", type="pong")
        assert link.got[2:] == [b"thello", b"b\xff", b"pip", b"pop"]


async def test_without_the_extension_everything_passes(world: HoldWorld):
    async with Link(world, Origin(opened(SUBSCRIBE, lines=()))).run() as link:
        assert link.got == [b"t" + SUBSCRIBE.content]


@pytest.mark.parametrize("status", [200, 403])
async def test_a_refusal_reaches_the_client(world: HoldWorld, status: int):
    link = Link(world, Origin(response("Content-Type: text/plain", body=b"no", status=status)))
    async with link.run():
        assert link.handshake.rejected is not None
        assert (link.handshake.rejected.status, link.handshake.rejected.body) == (status, b"no")


@pytest.mark.parametrize(
    "answer",
    [
        told(),
        told(Event("TEXT", b"x"), Event("OPEN")),
        response(EVENTS, body=b"garbage"),
        response(EVENTS, body=b"x" * 1_000_001),
        OriginFailed("refused", cause="connect_refused"),
        told(Event("OPEN"), lines=('Sec-WebSocket-Extensions: grip; message-prefix="',)),
    ],
)
async def test_a_broken_answer_to_open_is_502(world: HoldWorld, answer: Any):
    link = Link(world, Origin(answer))
    async with link.run():
        assert link.handshake.rejected is not None
        assert link.handshake.rejected.status == 502


async def test_an_origin_may_have_the_client_wait(world: HoldWorld, monkeypatch: pytest.MonkeyPatch):
    waited = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    link = Link(world, Origin(told(lines=("Keep-Alive-Interval: 30",)), opened()))
    monkeypatch.setattr("fanoutcloud.grip.sockets_over_http.asyncio.sleep", sleep)
    await SocketOverHttp(world.holds.services, link.exchange, link.handshake).run()  # type: ignore[arg-type]

    assert link.origin.events == [[Event("OPEN")], [Event("OPEN")]]
    assert waited == [30]


async def test_a_client_that_left_before_the_answer_is_disconnected(world: HoldWorld):
    link = Link(world, Origin(opened()))
    link.handshake.has_left = True
    async with link.run():
        await link.asked(2)

    assert link.origin.events[1:] == [[Event("DISCONNECT")]]


# -- messages


async def test_messages_that_wait_travel_together(world: HoldWorld):
    gate = asyncio.Event()

    async def slow() -> OriginResponse:
        await gate.wait()
        return told()

    async with Link(world, Origin(opened(), slow)).run() as link:
        link.client.on_text("one")
        await link.asked(2)
        link.client.on_text("two")
        link.client.on_bytes(b"\x00\xff")
        link.client.on_ping(b"")
        link.client.on_pong(b"x")
        gate.set()
        await link.asked(3)

    assert link.origin.events[1:] == [
        [Event("TEXT", b"one")],
        [Event("TEXT", b"two"), Event("BINARY", b"\x00\xff"), Event("PING"), Event("PONG", b"x")],
    ]


async def test_every_request_bears_the_connection_and_its_meta(world: HoldWorld):
    async with Link(world, Origin(opened(lines=(GRIP, "Set-Meta-User: alice")))).run() as link:
        link.client.on_text("hi")
        await link.asked(2)

    first, second = (dict(request.headers) for request in link.origin.requests)
    assert first[b"Connection-Id"] == second[b"Connection-Id"]
    assert (b"Meta-User" in first, second[b"Meta-User"]) == (False, b"alice")


async def test_answers_reach_the_client(world: HoldWorld):
    answer = told(Event("TEXT", b"m:you said hi"), Event("PONG", b"x"))
    async with Link(world, Origin(opened(), answer)).run() as link:
        link.client.on_text("hi")
        await until(lambda: link.got == [b"tyou said hi", b"pox"])


async def test_a_client_that_says_too_much_is_paused(world: HoldWorld):
    gate = asyncio.Event()

    async def slow() -> OriginResponse:
        await gate.wait()
        return told()

    async with Link(world, Origin(opened(), slow)).run() as link:
        for _ in range(3):
            link.client.on_bytes(b"x" * 100_000)
        assert link.socket.is_paused
        gate.set()
        await until(lambda: not link.socket.is_paused)


async def test_content_that_is_not_taken_is_replayed(world: HoldWorld):
    origin = Origin(opened(), told(lines=("Content-Bytes-Accepted: 5",)), told(Event("TEXT", b"m:[ok]")))
    async with Link(world, origin).run() as link:
        link.client.on_text("[foo][hello")
        await link.asked(2)
        assert len(origin.requests) == 2
        link.client.on_text(" world]")
        await link.asked(3)
        await until(lambda: link.got == [b"t[ok]"])

    assert origin.events[2] == [Event("TEXT", b"[hello"), Event("TEXT", b" world]")]
    assert (b"Content-Bytes-Replayed", b"6") in origin.requests[2].headers


# -- ends


async def test_a_close_of_the_client_is_the_origins_to_answer(world: HoldWorld):
    async with Link(world, Origin(opened(), told(Event("CLOSE", b"\x03\xe8bye")))).run() as link:
        link.client.on_close(b"\x03\xe8bye")
        await until(lambda: link.socket.ended is not None)

    assert link.socket.ended == ("close", b"\x03\xe8bye")
    assert link.origin.events[1:] == [[Event("CLOSE", b"\x03\xe8bye")]]
    await until(lambda: not world.hub.subscribers)


async def test_a_close_without_an_answer_is_an_unclean_end(world: HoldWorld):
    async with Link(world, Origin(opened(), told())).run() as link:
        link.client.on_close(b"")
        await until(lambda: link.socket.ended is not None)

    assert link.socket.ended == ("drop", b"")


async def test_with_keep_alives_a_close_may_be_answered_later(world: HoldWorld):
    origin = Origin(opened(lines=(GRIP, "Keep-Alive-Interval: 20")), told(), told(Event("CLOSE")))
    async with Link(world, origin).run() as link:
        link.client.on_close(b"")
        await link.asked(2)
        assert link.socket.ended is None
        world.clock.pass_time(21)
        world.wheel.tick()
        await until(lambda: link.socket.ended == ("close", b""))


async def test_the_origin_may_close(world: HoldWorld):
    async with Link(world, Origin(opened(), told(Event("CLOSE", b"\x0f\xa1")))).run() as link:
        link.client.on_text("hi")
        await until(lambda: link.socket.ended == ("close", b"\x0f\xa1"))
        await asyncio.sleep(0)

    assert len(link.origin.requests) == 2


async def test_a_client_that_vanishes_is_disconnected(world: HoldWorld):
    async with Link(world, Origin(opened())).run() as link:
        link.client.on_lost()
        await link.asked(2)

    assert link.origin.events[1:] == [[Event("DISCONNECT")]]
    assert not world.hub.subscribers


async def test_a_published_close_ends_both_sides(world: HoldWorld):
    async with Link(world, Origin(opened(SUBSCRIBE))).run() as link:
        await link.publish(action="close", code=4001, reason="bye")
        await link.asked(2)

    assert link.socket.closed == (4001, "bye")
    assert link.origin.events[1:] == [[Event("CLOSE")]]


async def test_a_draining_edge_tells_both_sides(world: HoldWorld):
    async with Link(world, Origin(opened())).run() as link:
        next(iter(world.hub.subscribers)).close(CloseReason.DRAINING)
        await link.asked(2)

    assert link.socket.closed is not None
    assert link.origin.events[1:] == [[Event("CLOSE")]]


@pytest.mark.parametrize(
    "answer",
    [
        response("Content-Type: text/plain"),
        response(EVENTS, status=500),
        response(EVENTS, body=b"garbage"),
        told(Event("OPEN")),
        told(Event("DISCONNECT")),
        told(lines=("Content-Bytes-Accepted: 7",)),
        OriginFailed("broke off", cause="reset"),
    ],
)
async def test_what_goes_wrong_after_opening_drops_the_client(world: HoldWorld, answer: Any):
    async with Link(world, Origin(opened(), answer)).run() as link:
        link.client.on_text("hi")
        await until(lambda: link.socket.ended is not None)
        await asyncio.sleep(0)

    assert link.socket.ended == ("drop", b"")
    assert len(link.origin.requests) == 2


async def test_an_origin_that_is_not_reached_is_tried_again(world: HoldWorld, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fanoutcloud.grip.sockets_over_http.RETRY_DELAYS_S", (0.0, 0.0))
    monkeypatch.setattr("random.random", lambda: 0.0)
    down = OriginFailed("refused", cause="connect_refused")
    async with Link(world, Origin(opened(), down, down, told(Event("TEXT", b"m:hi")))).run() as link:
        link.client.on_text("hi")
        await until(lambda: link.got == [b"thi"])

    assert link.origin.events[1:] == [[Event("TEXT", b"hi")]] * 3


# -- keep-alive, refresh, detach


async def test_an_idle_connection_is_asked_for(world: HoldWorld):
    origin = Origin(opened(lines=(GRIP, "Keep-Alive-Interval: 5")), told(Event("TEXT", b"m:tick")))
    async with Link(world, origin).run() as link:
        world.clock.pass_time(19)
        world.wheel.tick()
        await asyncio.sleep(0)
        assert len(origin.requests) == 1
        world.clock.pass_time(2)
        world.wheel.tick()
        await until(lambda: link.got == [b"ttick"])

    assert origin.requests[1].body == b""


async def test_a_refresh_asks_at_once(world: HoldWorld):
    async with Link(world, Origin(opened(SUBSCRIBE))).run() as link:
        await link.publish(action="refresh")
        await link.asked(2)

    assert link.origin.requests[1].body == b""


async def test_a_detached_client_lives_on_without_its_origin(world: HoldWorld):
    detach = Event("TEXT", b'c:{"type":"detach"}')
    async with Link(world, Origin(opened(SUBSCRIBE, detach))).run() as link:
        await link.asked(2)
        link.client.on_text("unheard")
        await link.publish(content=b"news")
        link.client.on_close(b"\x03\xe8")

    assert link.origin.events[1:] == [[Event("CLOSE")]]
    assert link.got == [b"tnews"]
    assert link.socket.ended == ("close", b"\x03\xe8")


# -- control messages


async def test_filters_and_meta(world: HoldWorld):
    events = [
        Event("TEXT", b'c:{"type":"set-meta","name":"user","value":"alice"}'),
        Event("TEXT", b'c:{"type":"subscribe","channel":"room","filters":["skip-self","var-subst"]}'),
    ]
    async with Link(world, Origin(opened(*events))).run() as link:
        await world.publish_to("room", meta={"sender": "alice"}, ws_message=WsMessage(b"own"))
        await link.publish(content=b"hi %(user)s")
        await link.publish(content=b"%(nobody)s")
        await link.publish(content=b"plain", content_filters=())

    assert link.got == [b"thi alice"]


async def test_unsubscribing(world: HoldWorld):
    answer = told(Event("TEXT", b'c:{"type":"unsubscribe","channel":"room"}'))
    async with Link(world, Origin(opened(SUBSCRIBE), answer)).run() as link:
        link.client.on_text("leave")
        await until(lambda: world.subscribed == [])
        await link.publish(content=b"x")

    assert link.got == []


async def test_too_many_filters_close_the_client(world: HoldWorld):
    subscribe = Event("TEXT", b'c:{"type":"subscribe","channel":"a","filters":["a","b","c","d","e","f"]}')
    async with Link(world, Origin(opened(subscribe))).run() as link:
        assert link.socket.ended == ("close", b"\x03\xf3")


async def test_channels_beyond_the_twentieth_are_ignored(world: HoldWorld):
    subscribes = [Event("TEXT", b'c:{"type":"subscribe","channel":"c%d"}' % n) for n in range(25)]
    async with Link(world, Origin(opened(*subscribes))).run():
        await until(lambda: len(world.subscribed) == 20)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(world.subscribed) == 20


async def test_a_keep_alive_is_sent_when_nothing_else_is(world: HoldWorld):
    keep_alive = Event("TEXT", b'c:{"type":"keep-alive","message-type":"ping","content":"","timeout":30}')
    async with Link(world, Origin(opened(SUBSCRIBE, keep_alive))).run() as link:
        world.clock.pass_time(28)
        await link.publish(content=b"x")
        world.clock.pass_time(3)
        world.wheel.tick()
        assert link.got == [b"tx"]
        world.clock.pass_time(28)
        world.wheel.tick()

    assert link.got == [b"tx", b"pi"]


async def test_delayed_messages(world: HoldWorld):
    events = [Event("TEXT", b'c:{"type":"send-delayed","content":"%b","timeout":5}' % text) for text in (b"a", b"b")]
    async with Link(world, Origin(opened(*events))).run() as link:
        assert link.got == [b"ta"]
        world.clock.pass_time(6)
        world.wheel.tick()
        assert link.got == [b"ta", b"tb"]


async def test_delayed_messages_can_be_had_at_once(world: HoldWorld):
    events = [
        Event("TEXT", b'c:{"type":"send-delayed","content":"a","timeout":500}'),
        Event("TEXT", b'c:{"type":"flush-delayed"}'),
    ]
    async with Link(world, Origin(opened(*events))).run() as link:
        assert link.got == [b"ta"]
