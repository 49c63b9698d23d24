"""A shared token bucket without a round trip per use."""

import asyncio

from fanoutcloud.broker.limit_store import Bucket, Taken
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.broker.token_leases import TokenLeases
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.names import RealmId
from tests.fakes.clock import SteppedClock

ALICE = RealmId("0a1b2c3d")
RATE = Rate(per_s=1000, burst=2000)  # a chunk is 100 tokens


class CountingStore(MemoryLimitStore):
    """Counts what would be round trips."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked: list[int] = []

    async def take(self, realm: RealmId, bucket: Bucket, tokens: int, rate: Rate, *, may_owe: bool = False) -> Taken:
        self.asked.append(tokens)
        await asyncio.sleep(0)
        return await super().take(realm, bucket, tokens, rate, may_owe=may_owe)


class LeaseWorld:
    """Two processes on one store."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.store = CountingStore(self.clock)
        self.here, self.there = (TokenLeases(self.store, "publish_items", self.clock) for _ in range(2))


async def test_a_thousand_publishes_cost_ten_round_trips():
    world = LeaseWorld()

    waits = [await world.here.take(ALICE, 1, RATE) for _ in range(1000)]

    assert waits == [0.0] * 1000
    assert world.store.asked == [100] * 10


async def test_callers_at_once_share_a_round_trip():
    world = LeaseWorld()

    waits = await asyncio.gather(*[world.here.take(ALICE, 50, RATE) for _ in range(30)])

    assert set(waits) == {0.0}
    assert world.store.asked == [1500]


async def test_two_processes_together_get_what_the_bucket_holds():
    world = LeaseWorld()

    waits = [await leases.take(ALICE, 1, RATE) for _ in range(1500) for leases in (world.here, world.there)]

    assert waits.count(0.0) == 2000


async def test_an_empty_bucket_is_remembered_so_that_refusals_cost_no_round_trip():
    world = LeaseWorld()
    await world.here.take(ALICE, 2000, RATE)
    first = await world.here.take(ALICE, 10, RATE)
    asked = len(world.store.asked)

    waits = [await world.here.take(ALICE, 10, RATE) for _ in range(100)]

    assert first == 0.01
    assert set(waits) == {0.01}
    assert len(world.store.asked) == asked
    assert world.here.refusal_s(ALICE, 1, RATE) > 0


async def test_refusals_end_when_the_bucket_can_have_filled():
    world = LeaseWorld()
    await world.here.take(ALICE, 2000, RATE)
    wait_s = await world.here.take(ALICE, 10, RATE)
    world.clock.pass_time(wait_s + 0.001)

    assert world.here.refusal_s(ALICE, 10, RATE) == 0
    assert await world.here.take(ALICE, 10, RATE) == 0


async def test_a_refusal_leaves_room_for_what_is_smaller():
    world = LeaseWorld()
    await world.here.take(ALICE, 1995, RATE)

    assert await world.here.take(ALICE, 50, RATE) > 0
    assert await world.here.take(ALICE, 5, RATE) == 0


async def test_what_is_idle_is_given_back_for_others():
    world = LeaseWorld()
    await world.here.take(ALICE, 1, RATE)
    await world.there.take(ALICE, 1900, RATE)
    world.clock.pass_time(0.0001)
    await world.here.give_back_idle()
    is_kept = await world.there.take(ALICE, 50, RATE) > 0
    await world.here.give_back_idle(idle_s=0.0)
    world.clock.pass_time(0.1)

    assert is_kept
    assert world.store.asked[-1] == -99
    assert await world.there.take(ALICE, 100, RATE) == 0  # came meanwhile
    assert await world.there.take(ALICE, 90, RATE) == 0  # was given back


async def test_a_large_request_takes_a_full_bucket_and_owes_the_rest():
    world = LeaseWorld()

    assert await world.here.take(ALICE, 5000, RATE) == 0
    assert await world.here.take(ALICE, 1, RATE) > 3
    assert await world.there.take(ALICE, 1, RATE) > 3
