"""The broker behind Sentinels: it finds the primary, and follows when another server becomes it."""

import asyncio

import pytest

from fanoutcloud.broker.announcer import RedisAnnouncer
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_address import parse_broker_url
from fanoutcloud.broker.redis_connection import RedisLimits
from fanoutcloud.broker.redis_sentinel import SentinelLocator
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.streams import StreamPosition
from tests.broker.redis_brokers import HELLO, LIMITS, REALM, Opened, until
from tests.servers.redis import RedisServer, free_port
from tests.servers.sentinel import SentinelInstallation, sentinels

__all__ = ["sentinels"]


async def test_when_the_primary_dies_publishes_go_on_and_readers_are_told(sentinels: SentinelInstallation) -> None:
    async with Opened(sentinels.url + "?replicas=1") as opened:
        start = await opened.broker.subscribe(REALM, HELLO)
        await opened.publish(1, 2, 3)
        old = sentinels.primary
        await asyncio.to_thread(old.kill)
        with pytest.raises(Unavailable):
            await opened.publish("lost")
    await until(lambda: asyncio.to_thread(lambda: sentinels.primary is not old))

    async with Opened(sentinels.url) as opened:
        await opened.broker.subscribe(REALM, HELLO)
        result = await opened.publish_until_stored("after")
        assert result.position is not None
        assert result.position.epoch != start.epoch
        assert await opened.read(start) == ["1", "2", "3"]  # acknowledged with a replica: still there
        assert await opened.is_lost(StreamPosition(start.epoch, 3))
        await opened.listener.wait_for(1)


async def test_a_running_broker_follows_a_fail_over(sentinels: SentinelInstallation) -> None:
    async with Opened(sentinels.url) as opened:
        start = await opened.broker.subscribe(REALM, HELLO)
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        opened.broker.listen("control", heard.put_nowait)
        await opened.publish("before")

        await asyncio.to_thread(sentinels.primary.kill)
        await opened.listener.wait_until(lambda: opened.listener.reconnects >= 1)
        result = await opened.publish_until_stored("after")

        await opened.listener.wait_until(lambda: "after" in opened.listener.texts(REALM))
        assert result.position is not None
        assert result.position.epoch != start.epoch
        announcer = RedisAnnouncer(sentinels.url)
        await asyncio.to_thread(announcer.announce, "control", b"from a thread")
        assert await asyncio.wait_for(heard.get(), 10) == b"from a thread"
        announcer.close()


async def test_a_primary_that_only_hangs_is_left_for_the_new_one(sentinels: SentinelInstallation) -> None:
    async with Opened(sentinels.url) as opened:
        await opened.broker.subscribe(REALM, HELLO)
        old = sentinels.primary
        old.pause()
        try:
            await opened.publish_until_stored("after")
            await opened.listener.wait_until(lambda: opened.listener.reconnects >= 1)
            await opened.publish_until_stored("live")
            await opened.listener.wait_until(lambda: "live" in opened.listener.texts(REALM))
        finally:
            old.resume()

        for n in range(20):  # the old one comes back, and must not be written to
            await opened.publish_until_stored(f"later {n}")
        assert (await opened.position()).offset == 22


async def test_sentinels_that_are_gone_are_passed_over(redis_server: RedisServer) -> None:
    gone = free_port()
    target = parse_broker_url(f"redis+sentinel://127.0.0.1:{gone},127.0.0.1:{redis_server.port}/main")
    locator = SentinelLocator(target.servers, target.primary_name, target.server, limits=RedisLimits())

    with pytest.raises(Unavailable):  # one is gone, the other is no Sentinel
        await locator.locate()
    with pytest.raises(Unavailable):
        await RedisBroker(f"redis+sentinel://127.0.0.1:{gone}/main", SystemClock(), limits=LIMITS).start()
