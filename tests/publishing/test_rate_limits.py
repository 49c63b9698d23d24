"""How fast a realm may publish."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.directory import PublishRate
from fanoutcloud.core.errors import RateLimited
from fanoutcloud.core.names import RealmId
from publishing import rate_limits
from publishing.rate_limits import PublishLimiter
from tests.fakes.clock import SteppedClock

ALICE, CHARLIE = RealmId("0a1b2c3d"), RealmId("cc00cc00")
RATE = PublishRate(items_per_s=10, burst_items=20)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def limiter(clock: SteppedClock) -> PublishLimiter:
    return PublishLimiter(clock)


def refusal_of(limiter: PublishLimiter, count: int) -> RateLimited:
    with pytest.raises(RateLimited) as refused:
        limiter.take(ALICE, count, RATE)
    return refused.value


def test_as_much_as_the_bucket_holds_may_come_at_once(limiter: PublishLimiter):
    limiter.take(ALICE, 15, RATE)
    limiter.take(ALICE, 5, RATE)

    refused = refusal_of(limiter, 1)

    assert refused.line == "this realm may publish 10 items per second, 20 at once; try again in 1 s"


def test_a_refusal_takes_nothing(limiter: PublishLimiter):
    limiter.take(ALICE, 15, RATE)
    refusal_of(limiter, 6)

    limiter.take(ALICE, 5, RATE)


def test_the_bucket_fills_by_and_by_and_no_further_than_full(limiter: PublishLimiter, clock: SteppedClock):
    limiter.take(ALICE, 20, RATE)
    clock.pass_time(0.5)
    limiter.take(ALICE, 5, RATE)
    refusal_of(limiter, 1)
    clock.pass_time(3600)
    limiter.take(ALICE, 20, RATE)

    refusal_of(limiter, 1)


@pytest.mark.parametrize(("count", "seconds"), [(1, 1), (10, 1), (11, 2), (20, 2)])
def test_after_the_time_that_is_told_it_works(limiter: PublishLimiter, clock: SteppedClock, count: int, seconds: int):
    limiter.take(ALICE, 20, RATE)
    refused = refusal_of(limiter, count)
    assert refused.retry_after_s == seconds
    clock.pass_time(refused.retry_after_s)

    limiter.take(ALICE, count, RATE)


def test_a_request_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_for_later(
    limiter: PublishLimiter, clock: SteppedClock
):
    limiter.take(ALICE, 50, RATE)
    clock.pass_time(3)
    refused = refusal_of(limiter, 1)
    clock.pass_time(refused.retry_after_s)

    limiter.take(ALICE, 1, RATE)


def test_realms_do_not_slow_each_other(limiter: PublishLimiter):
    limiter.take(CHARLIE, 20, RATE)

    limiter.take(ALICE, 20, RATE)


def test_a_realm_without_a_rate_is_not_limited(limiter: PublishLimiter):
    for _ in range(3):
        limiter.take(ALICE, 1_000_000, None)


def test_what_is_remembered_is_bounded_and_the_busy_are_kept(limiter: PublishLimiter, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rate_limits, "MAX_BUCKETS", 10)
    for number in range(20):
        limiter.take(RealmId(f"realm-{number}"), 1, RATE)
        limiter.take(ALICE, 1, RATE)

    refusal_of(limiter, 1)
    assert len(limiter._buckets) == 10


@given(takes=st.lists(st.tuples(st.integers(1, 30), st.floats(0, 5)), max_size=50))
def test_over_any_time_no_more_passes_than_rate_and_bucket_allow(takes: list[tuple[int, float]]):
    clock = SteppedClock()
    limiter, began, passed = PublishLimiter(clock), clock.monotonic(), 0
    for count, wait_s in takes:
        clock.pass_time(wait_s)
        try:
            limiter.take(ALICE, count, RATE)
        except RateLimited:
            continue
        passed += count

    most_of_one = max((count for count, _ in takes), default=0)
    assert passed <= (clock.monotonic() - began) * RATE.items_per_s + max(RATE.burst_items, most_of_one) + 1e-3
