"""Time that stands still until a test moves it."""


class SteppedClock:
    """A clock that moves when it is told to. Both of its times are the same."""

    def __init__(self, time_s: float = 1_750_000_000.0) -> None:
        self.time_s = time_s

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s

    def pass_time(self, seconds: float) -> None:
        """Stand `seconds` later."""
        self.time_s += seconds
