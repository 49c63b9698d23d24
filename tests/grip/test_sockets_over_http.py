"""WebSockets as requests: every event in both directions, and what origins do wrong."""

import asyncio
from typing import Any

import pytest

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.grip.exchange import OriginFailed, OriginResponse
from fanoutcloud.grip.sockets_over_http import SocketOverHttp
from fanoutcloud.grip.ws_over_http import Event
from tests.edge.worlds import until
from tests.grip.exchanges import HoldWorld, response
from tests.grip.links import EVENTS, GRIP, SUBSCRIBE, Link, Origin, opened, told


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
        await until(lambda: len(link.got) == 2)

        assert link.got == [b"tyou said hi", b"pox"]


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
