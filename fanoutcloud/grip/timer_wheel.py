"""One timer for all held connections of a process: thousands of keep-alives cost one wake-up per tick."""

import asyncio
from collections.abc import Callable

from fanoutcloud.core.clock import Clock

TICK_S = 0.25

#: Called when its time has come; returns the seconds until the next time, or None for never again.
Due = Callable[[], float | None]


class TimerWheel:
    """Calls come at most a tick late, never early. Ticks only while something waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[int, list[Due]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def put(self, delay_s: float, due: Due) -> None:
        """Call `due` in `delay_s` seconds."""
        if not self._buckets:
            self._next = int(self._clock.monotonic() / TICK_S)
        at = max(int((self._clock.monotonic() + max(delay_s, 0.0)) / TICK_S) + 1, self._next)
        self._buckets.setdefault(at, []).append(due)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._on_timer)

    def tick(self) -> None:
        """Call all whose time has come."""
        now = int(self._clock.monotonic() / TICK_S)
        while self._next <= now and self._buckets:
            at, self._next = self._next, self._next + 1
            for due in self._buckets.pop(at, ()):
                again_s = due()
                if again_s is not None:
                    self.put(again_s, due)

    def close(self) -> None:
        """Call nobody any more."""
        self._buckets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        self.tick()
        if self._buckets and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._on_timer)
