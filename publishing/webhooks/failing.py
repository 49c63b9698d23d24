"""Whether an endpoint is failing: many attempts failed in a row, or hardly one of the newest succeeded. Pure.

What is kept of the newest attempts is one number for each: when it ended, in seconds since 1970, negative if it failed.
Nothing is kept while none of them failed: an endpoint that is well costs no writing.
"""

from collections.abc import Sequence
from datetime import datetime

#: So many failures in a row, or less than such a part good of so many attempts within so long: failing.
FAILURES_IN_ROW = 10
NEWEST = 50
NEWEST_WITHIN_S = 600
LEAST_GOOD_PERCENT = 20
#: A failing endpoint rests once so many have failed one after the other within so long.
FAILURES_BEFORE_REST = 5
FAILED_WITHIN_S = 300


def remember_attempt(recent: Sequence[int], at: datetime, *, is_good: bool) -> list[int]:
    """Return the newest attempts with one more, none older than `NEWEST_WITHIN_S`; none at all if all were good."""
    now = int(at.timestamp())
    kept = [one for one in [*recent, now if is_good else -now] if abs(one) > now - NEWEST_WITHIN_S][-NEWEST:]
    return kept if any(one < 0 for one in kept) else []


def find_poor_share(recent: Sequence[int]) -> int | None:
    """Return the share of good ones among the newest attempts, in percent, if it is too small; None: it is not."""
    if len(recent) < NEWEST:
        return None
    percent = sum(one > 0 for one in recent) * 100 // len(recent)
    return percent if percent < LEAST_GOOD_PERCENT else None


def has_failed_lately(recent: Sequence[int]) -> bool:
    """Return whether the newest attempts failed one after the other, within a short time."""
    newest = recent[-FAILURES_BEFORE_REST:]
    is_all = len(newest) == FAILURES_BEFORE_REST and all(one < 0 for one in newest)
    return is_all and abs(newest[-1]) - abs(newest[0]) <= FAILED_WITHIN_S


def say_cause(failures_in_row: int, share: int | None) -> str:
    """Return why an endpoint is failing, in words; empty: it is not. `share` is what `find_poor_share` found last."""
    if share is not None:
        since = f"; the last {failures_in_row} failed" if failures_in_row > 1 else ""
        return f"{share} % of {NEWEST} attempts succeeded{since}"
    return f"{failures_in_row} attempts failed in a row" if failures_in_row >= FAILURES_IN_ROW else ""
