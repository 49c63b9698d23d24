"""Subscribers of an edge while Redis crashes under it: they stay, catch up, and are told when something was lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.edge.hub.housekeeping import run_hub
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.limits import EdgeLimits
from tests.broker.redis_brokers import HELLO, LIMITS, REALM, Opened
from tests.edge.worlds import RecordingSubscriber
from tests.fakes.activity import RecordingActivity
from tests.servers.redis import RedisServer

PATIENCE_S = 20.0


@asynccontextmanager
async def running_edge(url: str) -> AsyncIterator[Hub]:
    """One edge's hub on a broker of its own."""
    clock = SystemClock()
    broker = RedisBroker(url, clock, limits=LIMITS)
    hub = Hub(broker=broker, activity=RecordingActivity(REALM), limits=EdgeLimits(position_check_s=1.0), clock=clock)
    await broker.start()
    running = asyncio.create_task(run_hub(hub, broker))
    try:
        yield hub
    finally:
        running.cancel()
        await asyncio.wait([running])
        await broker.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - the sink of a subscriber has no event
            await asyncio.sleep(0.01)


async def restart(server: RedisServer) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def test_a_crash_of_a_redis_that_syncs_always_is_not_noticed_by_subscribers(redis_server: RedisServer) -> None:
    redis_server.options = ["--appendonly", "yes", "--appendfsync", "always"]
    await restart(redis_server)
    async with running_edge(redis_server.url) as hub, Opened(redis_server.url) as publisher:
        subscriber = RecordingSubscriber()
        hub.register(subscriber)
        await hub.join(subscriber, [(HELLO, None)])

        for n in range(30):
            if n in (10, 20):
                await restart(redis_server)
            await publisher.publish_until_stored(str(n))

        await until(lambda: len(subscriber.numbers) == 30)
        assert subscriber.numbers == list(range(30))
        assert "reset" not in subscriber.kinds
        assert not subscriber.is_closed


async def test_a_crash_that_loses_items_is_told_and_nothing_new_is_skipped(redis_server: RedisServer) -> None:
    redis_server.options = ["--save", "3600", "1"]
    await restart(redis_server)
    async with running_edge(redis_server.url) as hub, Opened(redis_server.url) as publisher:
        subscriber = RecordingSubscriber()
        hub.register(subscriber)
        await hub.join(subscriber, [(HELLO, None)])
        await publisher.publish(*range(5))
        await publisher.command("SAVE")
        await publisher.publish(5, 6)  # lost, but this subscriber has them
        await until(lambda: len(subscriber.numbers) == 7)

        await restart(redis_server)
        await publisher.listener.wait_until(lambda: publisher.listener.reconnects == 1)
        await until(lambda: "reset" in subscriber.kinds)
        for n in range(100, 110):  # as many as were lost, and more
            await publisher.publish_until_stored(str(n))

        await until(lambda: 109 in subscriber.numbers)
        assert subscriber.numbers == [*range(7), *range(100, 110)]
        assert subscriber.kinds.count("reset") == 1
        assert not subscriber.is_closed
