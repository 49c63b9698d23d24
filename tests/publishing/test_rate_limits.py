"""What a realm may publish: how fast, how large, and not while it owes egress."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.core.directory import Rate, RealmLimits, RealmSnapshot, Retention
from fanoutcloud.core.errors import ItemTooLarge, LimitReached
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.core.statistics import LimitStatistics
from publishing.rate_limits import PublishLimiter
from tests.fakes.clock import SteppedClock

RATE = Rate(per_s=10, burst=20)


def realm(name: str = "0a1b2c3d", **limits: object) -> RealmSnapshot:
    return RealmSnapshot(RealmId(name), (), Retention(), RealmLimits(**limits))  # type: ignore[arg-type]


ALICE, CHARLIE = realm(publish_items=RATE), realm("cc00cc00", publish_items=RATE)


def items(count: int, size: int = 1) -> list[Item]:
    return [Item(ChannelName("hello"), json_object=b"x" * size)] * count


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def limiter(clock: SteppedClock) -> PublishLimiter:
    return PublishLimiter(clock)


async def refusal_of(limiter: PublishLimiter, count: int) -> LimitReached:
    with pytest.raises(LimitReached) as refused:
        await limiter.take(ALICE, items(count))
    return refused.value


async def test_as_much_as_the_bucket_holds_may_come_at_once(limiter: PublishLimiter):
    await limiter.take(ALICE, items(15))
    await limiter.take(ALICE, items(5))

    refused = await refusal_of(limiter, 1)

    assert refused.line == (
        "this realm may publish 10 items per second, 20 at once (limit publish_items); try again in 1 s"
    )
    assert (refused.code, refused.limit, refused.retry_after_s) == ("rate_limited", "publish_items", 1)


async def test_a_refusal_takes_nothing(limiter: PublishLimiter):
    await limiter.take(ALICE, items(15))
    await refusal_of(limiter, 6)

    await limiter.take(ALICE, items(5))
    assert (await refusal_of(limiter, 1)).limit == "publish_items", "five were left, and no more"


async def test_the_bucket_fills_by_and_by_and_no_further_than_full(limiter: PublishLimiter, clock: SteppedClock):
    await limiter.take(ALICE, items(20))
    clock.pass_time(0.5)
    await limiter.take(ALICE, items(5))
    await refusal_of(limiter, 1)
    clock.pass_time(3600)
    await limiter.take(ALICE, items(20))

    assert (await refusal_of(limiter, 1)).retry_after_s == 1


@pytest.mark.parametrize(("count", "seconds"), [(1, 1), (10, 1), (11, 2), (20, 2)])
async def test_after_the_time_that_is_told_it_works(
    limiter: PublishLimiter, clock: SteppedClock, count: int, seconds: int
):
    await limiter.take(ALICE, items(20))
    refused = await refusal_of(limiter, count)
    assert refused.retry_after_s == seconds
    clock.pass_time(refused.retry_after_s)

    await limiter.take(ALICE, items(count))


async def test_a_request_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_for_later(
    limiter: PublishLimiter, clock: SteppedClock
):
    await limiter.take(ALICE, items(50))
    clock.pass_time(2)
    refused = await refusal_of(limiter, 1)
    assert refused.retry_after_s == 2, "ten are owed still, and one is asked for"
    clock.pass_time(refused.retry_after_s + 0.1)

    await limiter.take(ALICE, items(1))


async def test_realms_do_not_slow_each_other(limiter: PublishLimiter):
    await limiter.take(CHARLIE, items(20))

    await limiter.take(ALICE, items(20))
    for one in (CHARLIE, ALICE):
        with pytest.raises(LimitReached):
            await limiter.take(one, items(1))


async def test_a_realm_without_a_rate_is_not_limited(clock: SteppedClock):
    statistics = LimitStatistics()
    limiter = PublishLimiter(clock, statistics=statistics)
    for _ in range(3):
        await limiter.take(realm(), items(100_000))

    assert statistics.hits == {}


async def test_nothing_can_be_published_is_known_before_a_body_is_parsed(limiter: PublishLimiter, clock: SteppedClock):
    limiter.check(ALICE)
    await limiter.take(ALICE, items(20))
    await refusal_of(limiter, 1)

    with pytest.raises(LimitReached):
        limiter.check(ALICE)
    clock.pass_time(1)
    limiter.check(ALICE)


async def test_an_item_that_is_too_large_is_named(clock: SteppedClock):
    statistics = LimitStatistics()
    limiter = PublishLimiter(clock, statistics=statistics)

    with pytest.raises(ItemTooLarge) as refused:
        await limiter.take(realm(item_bytes=100), [*items(2, 100), *items(1, 101)])

    assert (refused.value.http_status, refused.value.field) == (413, "items[2]")
    assert "101 bytes" in str(refused.value)
    assert "limit is 100" in str(refused.value)
    assert statistics.hits == {"item_bytes": 1}


async def test_a_realm_that_owes_egress_publishes_nothing_until_it_is_made_good(clock: SteppedClock):
    store, debtor = MemoryLimitStore(clock), realm(egress_bytes=Rate(per_s=100, burst=1000))
    egress = EgressMeter(store, MemoryBroker(clock), clock, LimitStatistics(), find_limits=lambda _: debtor.limits)
    limiter = PublishLimiter(clock, store=store, egress=egress)
    egress.count(debtor.realm, 1300)
    await limiter.take(debtor, items(1))  # nobody has reported yet
    await egress.report()

    for refuse in (limiter.take(debtor, items(1)), asyncio.to_thread(limiter.check, debtor)):
        with pytest.raises(LimitReached) as refused:
            await refuse
        assert (refused.value.code, refused.value.retry_after_s) == ("egress_limited", 3)
    clock.pass_time(3)
    await limiter.take(debtor, items(1))


@given(takes=st.lists(st.tuples(st.integers(1, 30), st.floats(0, 5)), max_size=50))
def test_over_any_time_no_more_passes_than_rate_and_bucket_allow(takes: list[tuple[int, float]]):
    clock = SteppedClock()

    async def run() -> tuple[float, int]:
        limiter, began, passed = PublishLimiter(clock), clock.monotonic(), 0
        for count, wait_s in takes:
            clock.pass_time(wait_s)
            try:
                await limiter.take(ALICE, items(count))
            except LimitReached:
                continue
            passed += count
        return clock.monotonic() - began, passed

    took_s, passed = asyncio.run(run())

    most_of_one = max((count for count, _ in takes), default=0)
    assert passed <= took_s * RATE.per_s + max(RATE.burst, most_of_one) + 1e-3


# -- channel rules


def ruled(**members: object) -> RealmSnapshot:
    """Return Alice's realm with a rule for `orders.*`."""
    rule = ChannelRule(pattern=parse_pattern("orders.*"), **members)  # type: ignore[arg-type]
    return replace(ALICE, rules=make_rules([rule]), limits=RealmLimits(item_bytes=100))


def on(channel: str, count: int = 1, size: int = 1) -> list[Item]:
    return [Item(ChannelName(channel), json_object=b"x" * size)] * count


async def test_a_rule_limits_each_of_its_channels_by_itself(limiter: PublishLimiter, clock: SteppedClock) -> None:
    realm = ruled(publish_items=Rate(per_s=1, burst=2))
    await limiter.take(realm, on("orders.1", 2))
    with pytest.raises(LimitReached) as refused:
        await limiter.take(realm, on("orders.1"))

    assert refused.value.limit == "channel_items"
    assert "'orders.1'" in refused.value.message
    await limiter.take(realm, [*on("orders.2", 2), *on("hello", 50)])
    clock.pass_time(1)
    await limiter.take(realm, on("orders.1"))


async def test_a_rule_sets_the_size_of_an_item(limiter: PublishLimiter) -> None:
    realm = ruled(item_bytes=10)
    await limiter.take(realm, [*on("orders.1", size=10), *on("hello", size=100)])

    with pytest.raises(ItemTooLarge) as by_rule:
        await limiter.take(realm, [*on("hello"), *on("orders.1", size=11)])
    with pytest.raises(ItemTooLarge) as by_realm:
        await limiter.take(realm, on("hello", size=101))

    assert (by_rule.value.field, by_rule.value.limit_bytes) == ("items[1]", 10)
    assert "orders.*" in by_rule.value.message
    assert by_realm.value.limit_bytes == 100


async def test_what_channels_did_not_use_is_given_back(clock: SteppedClock) -> None:
    store, realm = MemoryLimitStore(clock), ruled(publish_items=Rate(per_s=50, burst=5))
    here, early, late = (PublishLimiter(clock, store=store) for _ in range(3))
    await here.take(realm, on("orders.1"))  # and leases what it may need in a moment
    with pytest.raises(LimitReached):
        await early.take(realm, on("orders.1", 4))

    await here.give_back_idle(idle_s=0.0)

    await late.take(realm, on("orders.1", 4))
    with pytest.raises(LimitReached):
        await late.take(realm, on("orders.1"))
