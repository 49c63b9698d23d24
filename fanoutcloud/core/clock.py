"""Time, as something that is handed in, so that tests need not wait for it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Return seconds since 1970 (UTC); may jump."""

    def monotonic(self) -> float:
        """Return seconds since some moment; never goes back."""


class SystemClock:
    """The machine's clock."""

    now = staticmethod(time.time)  # the functions themselves: asked for with each item
    monotonic = staticmethod(time.monotonic)
