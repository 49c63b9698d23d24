"""How many connections and channels a realm may have, over all processes."""

import asyncio

import pytest

from fanoutcloud.broker.limit_store import RENEW_HOLDS_S, Count
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmLimits, RealmSnapshot, Retention
from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.statistics import LimitStatistics
from fanoutcloud.edge.access.admission import REFUSED_FOR_S, Admission
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory

ALICE = RealmId("0a1b2c3d")


class CountingStore(MemoryLimitStore):
    """Counts what would be round trips."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.holds = 0

    async def hold(self, realm: RealmId, count: Count, *, holder: str, used: int, wanted: int, limit: int) -> int:
        self.holds += 1
        await asyncio.sleep(0)
        return await super().hold(realm, count, holder=holder, used=used, wanted=wanted, limit=limit)


class AdmissionWorld:
    """Two edges, and a realm with limits."""

    def __init__(self, *, connections: int | None = None, channels: int | None = None) -> None:
        self.clock = SteppedClock()
        self.store = CountingStore(self.clock)
        self.statistics = LimitStatistics()
        self.directory = FakeDirectory()
        self.limit(connections=connections, channels=channels)
        self.here, self.there = (
            Admission(
                store=self.store,
                directory=self.directory,
                egress=None,
                clock=self.clock,
                statistics=self.statistics,
            )
            for _ in range(2)
        )

    def limit(self, *, connections: int | None = None, channels: int | None = None) -> None:
        limits = RealmLimits(connections=connections, channels=channels)
        self.realm = RealmSnapshot(ALICE, (), Retention(), limits)
        self.directory.replace(self.realm)

    async def connect(self, admission: Admission, count: int = 1) -> int:
        """Connect as often as is admitted, `count` times at most; return how often that was."""
        return sum(await asyncio.gather(*[self._connect(admission) for _ in range(count)]))

    async def _connect(self, admission: Admission) -> bool:
        try:
            await admission.admit_connection(self.realm)
        except LimitReached:
            return False
        admission.count_in(ALICE)
        return True

    async def subscribe(self, admission: Admission, *names: str) -> None:
        await admission.admit_channels(ALICE, [ChannelName(name) for name in names], known={})


async def test_processes_together_admit_as_many_as_the_realm_may_have():
    world = AdmissionWorld(connections=10)

    assert await world.connect(world.here, 7) == 7
    assert await world.connect(world.there, 7) == 3
    assert world.statistics.hits["connections"] == 4


async def test_a_refusal_says_which_limit_its_value_and_when():
    world = AdmissionWorld(connections=1)
    await world.connect(world.here)

    with pytest.raises(LimitReached) as refused:
        await world.there.admit_connection(world.realm)

    assert refused.value.line == ("this realm may have 1 connections at once (limit connections); try again in 5 s")
    assert (refused.value.code, refused.value.http_status) == ("too_many_connections", 429)


async def test_many_connects_share_few_round_trips():
    world = AdmissionWorld(connections=10_000)

    assert await world.connect(world.here, 400) == 400
    assert world.store.holds < 8  # each brings room for a hundred more


async def test_refusals_in_a_row_cost_one_round_trip():
    world = AdmissionWorld(connections=1)
    await world.connect(world.here)
    before = world.store.holds

    assert [await world.connect(world.there) for _ in range(100)] == [0] * 100
    assert world.store.holds == before + 1


async def test_who_leaves_makes_room_here_at_once_and_elsewhere_after_the_next_report():
    world = AdmissionWorld(connections=2)
    await world.connect(world.here, 2)
    world.here.count_out(ALICE)
    assert await world.connect(world.here) == 1

    world.here.count_out(ALICE)
    assert await world.connect(world.there) == 0
    await world.here.renew_connections()
    world.clock.pass_time(REFUSED_FOR_S)
    assert await world.connect(world.there) == 1


async def test_a_realm_that_was_left_by_all_is_forgotten():
    world = AdmissionWorld(connections=50)
    await world.connect(world.here, 3)
    for _ in range(3):
        world.here.count_out(ALICE)

    await world.here.renew_connections()

    assert await world.connect(world.there, 50) == 50
    assert not world.here._uses


async def test_a_killed_process_keeps_its_room_for_some_seconds_only():
    world = AdmissionWorld(connections=3)
    await world.connect(world.here, 3)
    for _ in range(4):
        world.clock.pass_time(RENEW_HOLDS_S)  # `here` renews nothing any more

    assert await world.connect(world.there, 3) == 3


async def test_a_process_that_ends_gives_its_room_back():
    world = AdmissionWorld(connections=3)
    await world.connect(world.here, 3)

    await world.here.give_back()

    assert await world.connect(world.there, 3) == 3


async def test_whoever_is_connected_stays_when_the_limit_is_lowered():
    world = AdmissionWorld(connections=5)
    await world.connect(world.here, 5)
    world.limit(connections=2)
    await world.here.renew_connections()

    assert await world.connect(world.here) == 0
    for _ in range(4):
        world.here.count_out(ALICE)
    await world.here.renew_connections()
    world.clock.pass_time(REFUSED_FOR_S)
    assert await world.connect(world.here, 3) == 1


async def test_without_a_limit_nobody_is_asked():
    world = AdmissionWorld()

    assert await world.connect(world.here, 50) == 50
    await world.subscribe(world.here, "a")
    assert world.store.holds == 0


async def test_channels_count_once_over_all_processes():
    world = AdmissionWorld(channels=2)
    await world.subscribe(world.here, "a", "b")
    await world.subscribe(world.there, "b", "a")

    with pytest.raises(LimitReached, match=r"2 channels subscribed at once \(limit channels\)") as refused:
        await world.subscribe(world.there, "c")

    assert (refused.value.code, refused.value.retry_after_s) == ("too_many_channels", 30)
    assert world.statistics.hits == {"channels": 1}


async def test_a_channel_that_is_subscribed_here_costs_nothing():
    world = AdmissionWorld(channels=1)
    await world.subscribe(world.there, "elsewhere")

    await world.here.admit_channels(ALICE, [ChannelName("a")], known={(ALICE, ChannelName("a"))})

    assert world.statistics.hits == {}
    with pytest.raises(LimitReached):
        await world.here.admit_channels(ALICE, [ChannelName("a")], known=set())


async def test_channels_in_use_are_noted_again_before_their_time_is_over():
    world = AdmissionWorld(channels=1)
    await world.subscribe(world.here, "a")
    for _ in range(5):
        world.clock.pass_time(15)
        await world.here.renew_channels([(ALICE, ChannelName("a"))])

    with pytest.raises(LimitReached):
        await world.subscribe(world.there, "b")
