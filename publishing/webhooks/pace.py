"""How fast an endpoint is called that is not to have all at once: after a rest, or with too much to do. Pure."""

from dataclasses import dataclass

#: After a rest, calls are let go at 1, 2, 4 … in each second; after so many seconds, as fast as the endpoint is.
RELEASE_STEPS = 8
#: One call at a time that still is too much is halved on: from one a second down to one a minute. Each success adds one
#: a minute.
MOST_PER_S = 1.0
LEAST_PER_S = ONE_PER_S = 1 / 60


@dataclass(slots=True)
class Pace:
    """Of one endpoint, in one worker. Times are monotonic, in seconds."""

    per_s: float | None = None  # what the endpoint takes; None: more than one a second
    released_at: float | None = None  # when it was let go after a rest
    step_s: float = 1.0  # how long a second of `RELEASE_STEPS` is
    _saved: float = 0.0  # calls that may be begun
    _saved_at: float = 0.0

    def allowed(self, now: float) -> int | None:
        """Return how many calls may be begun now; None: as many as one likes."""
        rate = self._rate(now)
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
        rate = self._rate(now)
        return 0.0 if rate is None else max(0.0, (1.0 - self._saved) / rate - (now - self._saved_at))

    def slow_down(self) -> None:
        """Know that one call at a time is too much."""
        self.per_s = MOST_PER_S / 2 if self.per_s is None else max(LEAST_PER_S, self.per_s / 2)

    def speed_up(self) -> None:
        """Know that a call succeeded."""
        if self.per_s is not None:
            faster = self.per_s + ONE_PER_S
            self.per_s = None if faster >= MOST_PER_S else faster

    def _rate(self, now: float) -> float | None:
        released = release_rate(now, self.released_at, self.step_s)
        rates = [rate for rate in (self.per_s, released) if rate is not None]
        return min(rates) if rates else None


def release_rate(now: float, released_at: float | None, step_s: float) -> float | None:
    """Return how many calls a second are let go after a rest; None: it is long ago."""
    if released_at is None or now - released_at >= RELEASE_STEPS * step_s:
        return None
    return 2.0 ** int(max(0.0, now - released_at) / step_s) / step_s
