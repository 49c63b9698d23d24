"""How fast an endpoint is called that is not to have all at once: after a rest, or with too much to do. Pure."""

from dataclasses import dataclass
from datetime import datetime

#: Calls at once to one endpoint.
MAX_AT_ONCE = 10
#: After a rest, calls are let go at 1, 2, 4 … in each second; after so many seconds, as fast as the endpoint is.
RELEASE_STEPS = 8
#: One call at a time that still is too much is halved on: from one a second down to one a minute.
MOST_PER_MINUTE = 60
#: So many failures in a row say that one call at a time is too much.
TOO_MUCH_AFTER = 3


@dataclass(frozen=True, slots=True)
class Takes:
    """How much an endpoint takes: so many calls at once; where one at a time is too much, so many in a minute."""

    at_once: int = MAX_AT_ONCE
    per_minute: int | None = None

    def slower(self, *, failures_in_row: int) -> "Takes":
        """Return half of it, but one a minute. `failures_in_row`: how many attempts have failed up to now.

        One call at a time is too much only where three fail one after the other: else an endpoint that answers an error
        now and then would come to a few calls a minute, and stay there.
        """
        if self.at_once > 1:
            return Takes(self.at_once // 2)
        if failures_in_row < TOO_MUCH_AFTER:
            return self
        return Takes(1, max(1, (self.per_minute or MOST_PER_MINUTE) // 2))

    def faster(self) -> "Takes":
        """Return one more at once; a quarter more in a minute, and one at least.

        One more in a minute each time would leave an endpoint where three of ten calls fail at ten calls a minute.
        """
        if self.per_minute is not None:
            more = self.per_minute + max(1, self.per_minute // 4)
            return Takes(1, more if more < MOST_PER_MINUTE else None)
        return Takes(min(MAX_AT_ONCE, self.at_once + 1))

    def wait_s(self, last_at: datetime | None, now: datetime, *, minute_s: float = 60.0) -> float:
        """Return after how long a call may be begun; `last_at` is when the last one ended."""
        if self.per_minute is None or last_at is None:
            return 0.0
        return max(0.0, minute_s / self.per_minute - (now - last_at).total_seconds())


ALL = Takes()


@dataclass(slots=True)
class Pace:
    """How an endpoint is let go after a rest. Times are monotonic, in seconds."""

    released_at: float | None = None
    step_s: float = 1.0  # how long a second of `RELEASE_STEPS` is
    _saved: float = 0.0  # calls that may be begun
    _saved_at: float = 0.0

    def allowed(self, now: float) -> int | None:
        """Return how many calls may be begun now; None: as many as one likes."""
        rate = release_rate(now, self.released_at, self.step_s)
        if rate is None:
            return None
        most = max(1.0, rate)
        self._saved = min(most, self._saved + max(0.0, now - self._saved_at) * rate)
        self._saved_at = now
        return int(self._saved + 1e-9)

    def took(self, count: int) -> None:
        """Know that so many are begun."""
        self._saved = max(0.0, self._saved - count)

    def wait_s(self, now: float) -> float:
        """Return after how long one call may be begun."""
        rate = release_rate(now, self.released_at, self.step_s)
        return 0.0 if rate is None else max(0.0, (1.0 - self._saved) / rate - (now - self._saved_at))


def release_rate(now: float, released_at: float | None, step_s: float) -> float | None:
    """Return how many calls a second are let go after a rest; None: it is long ago."""
    if released_at is None or now - released_at >= RELEASE_STEPS * step_s:
        return None
    return 2.0 ** int(max(0.0, now - released_at) / step_s) / step_s
