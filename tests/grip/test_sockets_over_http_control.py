"""What an origin does with a WebSocket over HTTP between messages: keep-alives, detaching, control messages."""

import asyncio
from typing import Any

import pytest

from fanoutcloud.core.items import WsMessage
from fanoutcloud.grip.ws_over_http import Event
from tests.edge.worlds import until
from tests.grip.exchanges import HoldWorld
from tests.grip.links import GRIP, SUBSCRIBE, Link, Origin, opened, told


@pytest.fixture
async def world() -> Any:
    async with HoldWorld().running() as world:
        yield world


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
