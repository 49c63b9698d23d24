"""How fast an endpoint is called after a rest, and when it has too much to do, by a clock that is held in the hand."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from publishing.webhooks.pace import MAX_AT_ONCE, RELEASE_STEPS, Pace, Takes, release_rate


def take_all(pace: Pace, now: float) -> int | None:
    allowed = pace.allowed(now)
    pace.took(allowed or 0)
    return allowed


def test_an_endpoint_that_is_well_is_called_as_fast_as_one_likes():
    pace = Pace()

    assert (pace.allowed(5.0), pace.wait_s(5.0)) == (None, 0.0)


def test_after_a_rest_calls_are_let_go_at_1_2_4_in_each_second():
    pace = Pace(released_at=100.0)
    begun = 0
    by_second = []
    for step in range(RELEASE_STEPS * 10):  # looked at ten times a second
        begun += take_all(pace, 100.0 + step / 10) or 0
        if step % 10 == 9:
            by_second.append(begun)
            begun = 0

    assert all(
        least <= count <= 2 * least for least, count in zip((1, 2, 4, 8, 16, 32, 64, 128), by_second, strict=True)
    )
    assert pace.allowed(100.0 + RELEASE_STEPS) is None


def test_steps_can_be_shorter():
    assert release_rate(100.0, 99.99, 0.001) is None
    assert release_rate(100.0, 100.0, 0.0) is None
    assert release_rate(100.0, None, 1.0) is None
    assert release_rate(102.5, 100.0, 1.0) == 4.0
    assert release_rate(99.0, 100.0, 1.0) == 1.0  # clocks differ


def test_what_an_endpoint_takes_is_halved_down_to_one_a_minute_and_each_success_adds_to_it():
    takes, seen = Takes(), []
    for _ in range(10):
        takes = takes.slower(failures_in_row=9)
        seen.append((takes.at_once, takes.per_minute))
    successes = 0
    while takes.per_minute is not None:
        takes = takes.faster()
        successes += 1
    for _ in range(20):
        takes = takes.faster()

    assert seen[:3] == [(5, None), (2, None), (1, None)]
    assert [per_minute for _, per_minute in seen[3:]] == [30, 15, 7, 3, 1, 1, 1]
    assert successes == 17  # one more, until a quarter is more than one
    assert takes == Takes(MAX_AT_ONCE)


@pytest.mark.parametrize(
    ("share", "most_by_minute", "least_at_once"),
    [(0.12, 200, 8), (0.3, 4_000, 3)],
    ids=["one of eight calls fails", "three of ten fail"],
)
def test_errors_now_and_then_slow_an_endpoint_down_but_not_to_calls_a_minute_for_good(
    share: float, most_by_minute: int, least_at_once: int
) -> None:
    chance, takes, seen = random.Random(1), Takes(), Counter[int]()
    in_row = 0
    for _ in range(20_000):
        in_row = in_row + 1 if chance.random() < share else 0
        takes = takes.slower(failures_in_row=in_row) if in_row else takes.faster()
        seen[takes.at_once if takes.per_minute is None else 0] += 1  # 0: calls a minute

    assert seen[0] < most_by_minute
    assert sum(seen[at_once] for at_once in range(least_at_once, MAX_AT_ONCE + 1)) > 10_000
    assert Takes(1).slower(failures_in_row=2) == Takes(1)


def test_the_next_of_so_many_a_minute_is_counted_from_the_end_of_the_last():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def wait_s(per_minute: int | None, after_s: float) -> float:
        return Takes(1, per_minute).wait_s(noon, noon + timedelta(seconds=after_s))

    assert [wait_s(1, after_s) for after_s in (0, 45, 60, 500)] == [60, 15, 0, 0]
    assert (wait_s(30, 0.5), wait_s(None, 0)) == (1.5, 0)
    assert Takes(1, 1).wait_s(None, noon) == 0
    assert Takes(1, 1).wait_s(noon, noon, minute_s=0.0) == 0
