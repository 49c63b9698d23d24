"""Shared counts under one roof: what two processes see, in memory and on a real Redis."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fanoutcloud.broker.limit_store import LimitStore
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_limit_store import RedisLimitStore
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.names import RealmId
from tests.contracts.brokers import RedisWorld
from tests.fakes.clock import SteppedClock

#: Short, for Redis's clock can't be moved; long enough for a busy machine.
HOLD_S = 0.6
NOTE_S = 0.6


class LimitWorld:
    """Two processes that share counts, and a realm of its own."""

    def __init__(self, here: LimitStore, there: LimitStore) -> None:
        self.here = here
        self.there = there
        self.realm = RealmId(secrets.token_hex(4))
        self.other_realm = RealmId(secrets.token_hex(4))

    async def pass_time(self, seconds: float) -> None:
        raise NotImplementedError


class MemoryLimitWorld(LimitWorld):
    """One process, asked twice."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        store = MemoryLimitStore(self.clock, hold_s=HOLD_S, note_s=NOTE_S)
        super().__init__(store, store)

    async def pass_time(self, seconds: float) -> None:
        self.clock.pass_time(seconds)


class RedisLimitWorld(LimitWorld):
    """Two connections to one Redis."""

    def __init__(self, url: str, here: LimitStore, there: LimitStore) -> None:
        super().__init__(here, there)
        self._redis = RedisWorld(url)

    async def pass_time(self, seconds: float) -> None:
        await self._redis.pass_time(seconds)


@asynccontextmanager
async def redis_limit_world(url: str) -> AsyncIterator[RedisLimitWorld]:
    """Connect twice."""
    brokers = [RedisBroker(url, SystemClock()) for _ in range(2)]
    try:
        for broker in brokers:
            await broker.start()
        here, there = (RedisLimitStore(broker.connection_for, hold_s=HOLD_S, note_s=NOTE_S) for broker in brokers)
        yield RedisLimitWorld(url, here, there)
    finally:
        for broker in brokers:
            await broker.close()
