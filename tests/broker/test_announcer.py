"""Announcing from outside of the event loop."""

import asyncio
import logging

import pytest

from fanoutcloud.broker.announcer import LoopAnnouncer, RedisAnnouncer
from tests.contracts.brokers import RedisWorld
from tests.servers.command import free_port


async def test_a_redis_announcer_reaches_the_brokers_on_that_redis(redis_world: RedisWorld) -> None:
    broker, _ = await redis_world.open()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    broker.listen("control", heard.put_nowait)
    await broker.announce("control", b"ready")
    await asyncio.wait_for(heard.get(), 10)
    announcer = redis_world.announcer(broker)

    await asyncio.to_thread(announcer.announce, "control", b"\x00from a view")

    assert await asyncio.wait_for(heard.get(), 10) == b"\x00from a view"


def test_a_redis_that_is_away_is_counted_and_logged_but_fails_nobody(caplog: pytest.LogCaptureFixture) -> None:
    announcer = RedisAnnouncer(f"redis://:secret@127.0.0.1:{free_port()}")

    with caplog.at_level(logging.WARNING):
        announcer.announce("control", b"x")

    announcer.close()
    assert announcer.failures == 1
    assert "announcement_failed" in caplog.text
    assert "secret" not in caplog.text


def test_a_loop_that_has_ended_is_counted_but_fails_nobody() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    announcer = LoopAnnouncer(loop, lambda topic, payload: None)

    announcer.announce("control", b"x")

    assert announcer.failures == 1
