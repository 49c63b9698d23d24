"""When it is tried again, by a clock that is held in the hand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from publishing.webhooks.schedule import MAX_ATTEMPTS, Verdict, judge_answer, next_attempt, parse_retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED = Verdict("status", "the endpoint answered 500", status=500)


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_ten_attempts_take_72_hours():
    moment, dues = NOW, [NOW]
    for tries in range(1, MAX_ATTEMPTS):
        due = next_attempt(FAILED, tries, moment, middle)
        assert due is not None
        dues.append(due)
        moment = due

    waits = [(after - before).total_seconds() for before, after in pairwise(dues)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 72000]
    assert dues[-1] - NOW == timedelta(hours=71, minutes=35, seconds=5)
    assert next_attempt(FAILED, MAX_ATTEMPTS, moment, middle) is None


def test_waits_differ_by_a_fifth_at_most():
    soonest = next_attempt(FAILED, 2, NOW, lambda low, high: low)
    latest = next_attempt(FAILED, 2, NOW, lambda low, high: high)

    assert (soonest, latest) == (NOW + timedelta(seconds=240), NOW + timedelta(seconds=360))


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (b"120", timedelta(seconds=120)),
        (b"0", timedelta(0)),
        (b"Sun, 01 Mar 2026 13:00:00 GMT", timedelta(hours=1)),
        (b"999999999999", timedelta(hours=24)),
        (b"Sun, 01 Mar 2026 11:00:00 GMT", None),
        (b"1.5", None),
        (b"-3", None),
        (b"soon", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(value: bytes, wait: timedelta | None):
    assert parse_retry_after(value, NOW) == wait


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_counts_if_it_is_later_than_the_schedule(status: int):
    early, late = (judge_answer(status, [(b"Retry-After", value)], NOW) for value in (b"1", b"600"))

    assert next_attempt(early, 1, NOW, middle) == NOW + timedelta(seconds=5)
    assert next_attempt(late, 1, NOW, middle) == NOW + timedelta(seconds=600)
    assert judge_answer(404, [(b"Retry-After", b"600")], NOW).retry_after is None


@pytest.mark.parametrize(
    ("status", "headers", "cause", "is_final"),
    [
        (200, [], "", False),
        (299, [], "", False),
        (301, [(b"Location", b"https://acme.com/")], "redirect", False),
        (404, [], "status", False),
        (410, [], "status", True),
        (500, [(b"Webhook-Delivery", b"abort-message")], "status", True),
        (302, [(b"webhook-delivery", b"Abort-Message")], "redirect", True),
        (400, [(b"webhook-delivery", b"anything")], "status", False),
        (500, [], "status", False),
        (999, [], "status", False),
    ],
)
def test_what_answers_mean(status: int, headers: list[tuple[bytes, bytes]], cause: str, is_final: bool):
    verdict = judge_answer(status, headers, NOW)

    assert (verdict.cause, verdict.is_final, verdict.is_delivered) == (cause, is_final, not cause)
    assert verdict.is_gone is (status == 410)
    assert (next_attempt(verdict, 1, NOW, middle) is None) is is_final


def test_a_redirect_is_told_with_where_it_leads_and_what_to_do():
    verdict = judge_answer(307, [(b"location", b"https://acme.com/new")], NOW)

    assert verdict.message == "the endpoint redirects to https://acme.com/new, and redirects are not followed"
    assert verdict.cure == "set the final URL"


def test_what_is_blocked_is_tried_once_more():
    blocked = Verdict("blocked", "the address is not allowed (loopback)")

    assert next_attempt(blocked, 1, NOW, middle) == NOW + timedelta(hours=1)
    assert next_attempt(blocked, 2, NOW, middle) is None
