"""Limits go on while Redis is gone: each process decides alone, and that is counted."""

import asyncio

import pytest

from fanoutcloud.broker import limit_store
from fanoutcloud.broker.limit_store import STORE_RETRY_S, Bucket, DegradingLimitStore, Taken
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_connection import RedisLimits
from fanoutcloud.broker.redis_limit_store import RedisLimitStore
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.statistics import LimitStatistics
from tests.contracts.brokers import PATIENCE_S
from tests.fakes.clock import SteppedClock
from tests.servers.redis import RedisServer

ALICE = RealmId("0a1b2c3d")
RATE = Rate(per_s=1.0, burst=10)


class BreakableStore(MemoryLimitStore):
    """Shared counts whose server can go, loudly or in silence."""

    is_gone = is_silent = False
    asked = 0

    async def take(self, realm: RealmId, bucket: Bucket, tokens: int, rate: Rate, *, may_owe: bool = False) -> Taken:
        self.asked += 1
        if self.is_gone:
            raise Unavailable("gone")
        if self.is_silent:
            await asyncio.get_running_loop().create_future()
        return await super().take(realm, bucket, tokens, rate, may_owe=may_owe)


class DegradingWorld:
    """One process, and the store it shares."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.shared = BreakableStore(self.clock)
        self.statistics = LimitStatistics()
        self.store = DegradingLimitStore(self.shared, MemoryLimitStore(self.clock), self.clock, self.statistics)

    async def take(self, tokens: int) -> int:
        return (await self.store.take(ALICE, "publish_items", tokens, RATE)).tokens


async def test_the_shared_counts_decide_while_they_are_there():
    world = DegradingWorld()
    await world.shared.take(ALICE, "publish_items", 8, RATE)

    assert await world.take(5) == 2
    assert world.statistics.degraded == {}
    assert world.statistics.store_calls == {"publish_items": 1}


async def test_while_they_are_gone_the_whole_limit_holds_for_this_process_alone():
    world = DegradingWorld()
    await world.take(10)
    world.shared.is_gone = True

    assert [await world.take(6), await world.take(6)] == [6, 4]
    assert world.statistics.degraded == {"publish_items": 2}


async def test_a_store_that_failed_is_left_alone_for_a_while_then_asked_again():
    world = DegradingWorld()
    world.shared.is_gone = True
    for _ in range(5):
        await world.take(1)
    assert world.shared.asked == 1
    world.shared.is_gone = False
    world.clock.pass_time(STORE_RETRY_S)

    assert await world.take(10) == 10
    assert world.shared.asked == 2


async def test_a_store_that_says_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limit_store, "STORE_TIMEOUT_S", 0.01)
    world = DegradingWorld()
    world.shared.is_silent = True

    async with asyncio.timeout(PATIENCE_S):
        assert await world.take(3) == 3
    assert world.statistics.degraded == {"publish_items": 1}


async def test_all_limits_go_on_when_redis_is_killed(redis_server: RedisServer):
    statistics, clock = LimitStatistics(), SystemClock()
    broker = RedisBroker(redis_server.url, clock, limits=RedisLimits(connect_s=1.0, answer_s=0.6, ping_s=0.3))
    store = DegradingLimitStore(RedisLimitStore(broker.connection_for), MemoryLimitStore(clock), clock, statistics)
    await broker.start()
    try:
        await store.note(ALICE, "channels", ["a", "b"], limit=2)
        redis_server.kill()

        assert (await store.take(ALICE, "publish_items", 20, RATE)).tokens == 10
        assert await store.hold(ALICE, "connections", holder="here", used=0, wanted=7, limit=5) == 5
        assert await store.note(ALICE, "channels", ["a", "c"], limit=2) == [True, False]
        assert statistics.degraded == {"publish_items": 1, "connections": 1, "channels": 1}
    finally:
        await broker.close()
