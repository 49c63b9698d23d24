"""What a realm's subscribers are sent is counted over all processes, and who is over it is told to all."""

import pytest

from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.core.directory import Rate, RealmLimits
from fanoutcloud.core.errors import LimitReached, Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.statistics import LimitStatistics
from tests.fakes.clock import SteppedClock

ALICE, CHARLIE = RealmId("0a1b2c3d"), RealmId("cc00cc00")
LIMITS = RealmLimits(egress_bytes=Rate(per_s=1000, burst=5000))


class MuteBroker(MemoryBroker):
    """Can't announce: its server is gone."""

    async def announce(self, topic: str, payload: bytes) -> None:
        raise Unavailable("the broker does not answer")


class EgressWorld:
    """Two processes: an edge, and one that takes publishes."""

    def __init__(self, broker: type[MemoryBroker] = MemoryBroker) -> None:
        self.clock = SteppedClock()
        store, self.broker = MemoryLimitStore(self.clock), broker(self.clock)
        self.statistics = LimitStatistics()
        self.edge, self.publisher = (
            EgressMeter(store, self.broker, self.clock, self.statistics, find_limits=lambda _: LIMITS) for _ in range(2)
        )

    async def write(self, size_bytes: int, realm: RealmId = ALICE) -> None:
        self.edge.count(realm, size_bytes)
        await self.edge.report()


async def test_what_is_within_the_limit_is_nobodys_business():
    world = EgressWorld()

    await world.write(5000)

    world.publisher.check(ALICE, LIMITS)
    assert world.statistics.hits == {}


async def test_who_owes_is_refused_in_every_process_until_it_is_made_good():
    world = EgressWorld()
    await world.write(7500)

    for meter in (world.edge, world.publisher):
        with pytest.raises(LimitReached, match="1,000 bytes per second, 5,000 at once") as refused:
            meter.check(ALICE, LIMITS)
        assert (refused.value.limit, refused.value.retry_after_s) == ("egress_bytes", 3)
    world.clock.pass_time(2.5)
    world.publisher.check(ALICE, LIMITS)
    assert world.statistics.hits == {"egress_bytes": 2}


async def test_a_debt_is_a_realms_own():
    world = EgressWorld()

    await world.write(50_000)

    world.publisher.check(CHARLIE, LIMITS)
    with pytest.raises(LimitReached):
        world.publisher.check(ALICE, LIMITS)


async def test_what_was_written_is_charged_once():
    world = EgressWorld()
    await world.write(5000)
    for _ in range(10):
        await world.edge.report()

    world.publisher.check(ALICE, LIMITS)
    assert world.statistics.hits == {}


async def test_a_debt_holds_here_although_it_can_not_be_announced():
    world = EgressWorld(MuteBroker)
    await world.write(6000)

    with pytest.raises(LimitReached):
        world.edge.check(ALICE, LIMITS)


async def test_without_a_limit_nothing_is_owed():
    world = EgressWorld()
    await world.write(50_000)

    world.publisher.check(ALICE, RealmLimits())
    assert world.statistics.hits == {}
