"""Who fails too often is not looked at for a while."""

import pytest

from fanoutcloud.core import failures
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.statistics import LimitStatistics
from tests.fakes.clock import SteppedClock

THERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def few(clock: SteppedClock) -> FailuresByAddress:
    """Three failures at once, one per second for long."""
    return FailuresByAddress(clock, LimitStatistics(), rate=Rate(per_s=1, burst=3))


def fail(few: FailuresByAddress, times: int, address: str = THERE, about: str = "alice") -> None:
    for _ in range(times):
        few.note(address, about)


def test_some_failures_are_nothing(few: FailuresByAddress):
    fail(few, 2)

    few.check(THERE, "alice")


def test_too_many_are_refused_with_the_limit_and_when(few: FailuresByAddress):
    fail(few, 3)

    with pytest.raises(LimitReached, match="may fail 1 times per second, 3 at once") as refused:
        few.check(THERE, "alice")

    assert (refused.value.code, refused.value.retry_after_s) == ("too_many_failures", 1)


def test_they_are_forgotten_by_and_by(few: FailuresByAddress, clock: SteppedClock):
    fail(few, 10)
    clock.pass_time(1)
    few.check(THERE, "alice")
    fail(few, 1)

    with pytest.raises(LimitReached):
        few.check(THERE, "alice")


def test_others_are_not_hurt(few: FailuresByAddress):
    fail(few, 10)

    few.check(ELSEWHERE, "alice")
    few.check(THERE, "another realm")


def test_all_addresses_of_one_ipv6_network_are_one(few: FailuresByAddress):
    for number in range(3):
        fail(few, 1, f"2001:db8:0:1::{number:x}")

    with pytest.raises(LimitReached):
        few.check("2001:db8:0:1:ffff::1", "alice")
    few.check("2001:db8:0:2::1", "alice")
    few.check("::ffff:192.0.2.9", "alice")
    few.check("no:address", "alice")


def test_what_has_no_address_is_not_counted(few: FailuresByAddress):
    fail(few, 10, "")

    few.check("", "alice")


def test_what_is_kept_is_bounded(few: FailuresByAddress, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(failures, "MAX_ADDRESSES", 10)
    for number in range(50):
        fail(few, 1, f"198.51.100.{number}")

    assert len(few._left) == 10
