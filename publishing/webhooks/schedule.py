"""When a delivery is tried again, and what an answer means for it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: Seconds from the end of each attempt to the next: ten attempts over 71 h 35 min.
DELAYS_S = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 72_000.0)
MAX_ATTEMPTS = len(DELAYS_S) + 1
#: Each delay is multiplied by something between, so that what failed together does not come back together.
JITTER = (0.8, 1.2)
MAX_RETRY_AFTER = timedelta(hours=24)
#: What was refused because of its address is tried once more, and given up then.
BLOCKED_DELAY_S = 3_600.0
BLOCKED_ATTEMPTS = 2

_HONOUR_RETRY_AFTER = {408, 425, 429, 502, 503, 504}
#: Answers that say that the server has too much to do.
SLOWS = {429, *range(500, 600)}
GONE = 410
_ABORT = (b"webhook-delivery", b"abort-message")

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt came to: `cause` is empty when delivered, `message` and `cure` are sentences."""

    cause: str = ""
    message: str = ""
    cure: str = ""
    status: int | None = None
    retry_after: timedelta | None = None
    is_final: bool = False  # not to be tried again
    is_gone: bool = False  # nor anything else to this endpoint

    @property
    def is_delivered(self) -> bool:
        return not self.cause


def judge_answer(status: int, headers: Headers, now: datetime) -> Verdict:
    """Return what an answer means."""
    if 200 <= status < 300:
        return Verdict(status=status)
    is_aborted = _find(headers, _ABORT[0]).lower() == _ABORT[1]
    if 300 <= status < 400:
        location = _find(headers, b"location").decode("latin-1")[:200]
        where = f" to {location}" if location else ""
        message = f"the endpoint redirects{where}, and redirects are not followed"
        return Verdict("redirect", message, "set the final URL", status, is_final=is_aborted)
    message = f"the endpoint answered {status}"
    if status == GONE:
        cure = "remove the endpoint, or resume it when it is there again"
        return Verdict("status", f"{message}: it wants no more", cure, status, is_final=True, is_gone=True)
    retry_after = parse_retry_after(_find(headers, b"retry-after"), now) if status in _HONOUR_RETRY_AFTER else None
    cure = "look into the receiver's log" if status >= 500 else "see what the receiver expects, and what it answered"
    return Verdict("status", message, cure, status, retry_after=retry_after, is_final=is_aborted)


def parse_retry_after(value: bytes, now: datetime) -> timedelta | None:
    """Return how long to wait, by seconds or a date (RFC 9110 §10.2.3), a day at most; None for nonsense."""
    text = value.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(moment - now, MAX_RETRY_AFTER) if moment > now else None


def next_attempt(
    verdict: Verdict, tries: int, now: datetime, choose: Callable[[float, float], float]
) -> datetime | None:
    """Return when to try again after the attempt number `tries` (from 1) has failed; None: give up.

    `choose` picks a number between two, such as `random.uniform`.
    """
    if verdict.is_final or tries >= (BLOCKED_ATTEMPTS if verdict.cause == "blocked" else MAX_ATTEMPTS):
        return None
    delay_s = BLOCKED_DELAY_S if verdict.cause == "blocked" else DELAYS_S[tries - 1]
    due = now + timedelta(seconds=delay_s * choose(*JITTER))
    return due if verdict.retry_after is None else max(due, now + verdict.retry_after)


def _find(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name.lower() == wanted), b"")
