"""What the demo has to tell while it runs and at its end: numbers for the page, a bar for the terminal, the report."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any, Literal

from tests.load.crowd import Crowd

Phase = Literal["starting", "connecting", "publishing", "done", "failed"]
#: Points of the curve of arrivals on the page.
CURVE_POINTS = 120
BAR_WIDTH = 40
CLIMB_STEP_S = 0.25
#: What is aimed at with 100,000 subscribers on two cores.
TARGET_LAST_S, TARGET_CONNECT_S, TARGET_BYTES = 1.0, 60.0, 1_500_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """How it went. Times are from just before the publish was sent."""

    transport: str
    subscribers: int
    edges: int
    received: int
    missing: int
    repeated: int
    lost: int
    connect_s: float
    min_ms: float
    avg_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    answered_ms: float
    edges_bytes: int
    bytes_per_connection: float

    def faults(self) -> list[str]:
        """Return what makes the demonstration fail: each subscriber must get the item exactly once."""
        found = []
        if self.missing:
            found.append(f"{self.missing:,} subscribers did not get it")
        if self.repeated:
            found.append(f"it came {self.repeated:,} times too often")
        if self.lost:
            found.append(f"{self.lost:,} connections were lost")
        return found

    def lines(self) -> list[str]:
        """Return the report as text."""
        rows = [
            ("transport", self.transport),
            ("edges", f"{self.edges}"),
            ("subscribers", f"{self.subscribers:,}"),
            ("received", f"{self.received:,}"),
            ("missing", f"{self.missing:,}"),
            ("received twice", f"{self.repeated:,}"),
            ("all connected after", f"{self.connect_s:.1f} s  (aim: {TARGET_CONNECT_S:.0f} s for 100,000)"),
            ("min", f"{self.min_ms:,.1f} ms"),
            ("average", f"{self.avg_ms:,.1f} ms"),
            ("p50", f"{self.p50_ms:,.1f} ms"),
            ("p99", f"{self.p99_ms:,.1f} ms"),
            ("max", f"{self.max_ms:,.1f} ms  (aim: {TARGET_LAST_S * 1000:,.0f} ms for 100,000)"),
            ("publish answered", f"{self.answered_ms:,.1f} ms"),
            ("edges' memory", f"{self.edges_bytes / 1e6:,.0f} MB  (aim: {TARGET_BYTES / 1e6:,.0f} MB for 100,000)"),
            ("per connection", f"{self.bytes_per_connection / 1000:.1f} KB"),
        ]
        return [f"{name:20}{value}" for name, value in rows]


@dataclass(frozen=True, slots=True)
class Moments:
    """When things happened, by the monotonic clock, and how much memory the edges had."""

    published_at: float
    answered_at: float
    connect_s: float
    bytes_before: int
    bytes_held: int


def judge(crowds: Sequence[Crowd], transport: str, moments: Moments) -> Result:
    """Put the crowds' arrivals together."""
    arrivals = sorted(1000 * (at - moments.published_at) for crowd in crowds for at in crowd.arrivals)
    subscribers = sum(crowd.subscribers for crowd in crowds)
    return Result(
        transport=transport,
        subscribers=subscribers,
        edges=len(crowds),
        received=len(arrivals),
        missing=subscribers - len(arrivals),
        repeated=sum(crowd.repeated for crowd in crowds),
        lost=sum(crowd.lost for crowd in crowds),
        connect_s=moments.connect_s,
        min_ms=quantile(arrivals, 0.0),
        avg_ms=fmean(arrivals) if arrivals else 0.0,
        p50_ms=quantile(arrivals, 0.5),
        p99_ms=quantile(arrivals, 0.99),
        max_ms=quantile(arrivals, 1.0),
        answered_ms=1000 * (moments.answered_at - moments.published_at),
        edges_bytes=moments.bytes_held,
        bytes_per_connection=(moments.bytes_held - moments.bytes_before) / subscribers,
    )


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed; 0 of none."""
    return sorted_values[int(share * (len(sorted_values) - 1))] if sorted_values else 0.0


def curve(crowds: Sequence[Crowd], published_at: float) -> list[tuple[float, int]]:
    """Return how many had it after how many milliseconds, as a line of at most `CURVE_POINTS` points."""
    arrivals = sorted(1000 * (at - published_at) for crowd in crowds for at in crowd.arrivals)
    step = max(1, len(arrivals) // CURVE_POINTS)
    places = [*range(0, len(arrivals), step), len(arrivals) - 1] if arrivals else []
    return [(round(arrivals[place], 1), place + 1) for place in places]


@dataclass
class Show:
    """Everything that the page and the terminal see. `version` grows with each change."""

    transport: str
    wanted: int
    edges: int
    phase: Phase = "starting"
    ready: int = 0
    received: int = 0
    climb: list[tuple[float, int]] = field(default_factory=list)  # seconds, connections
    arrivals: list[tuple[float, int]] = field(default_factory=list)  # milliseconds, subscribers that had it
    result: Result | None = None
    problem: str = ""
    version: int = 0
    _began_at: float = field(default_factory=time.monotonic)

    def enter(self, phase: Phase) -> None:
        """Go on to the next phase; the time of connecting counts from its own beginning."""
        self.phase = phase
        self.version += 1
        if phase == "connecting":
            self._began_at = time.monotonic()

    def note(self, *, ready: int, received: int) -> None:
        """Take new numbers."""
        self.ready, self.received = ready, received
        self.version += 1
        at = time.monotonic() - self._began_at
        if self.phase == "connecting" and (not self.climb or at - self.climb[-1][0] >= CLIMB_STEP_S):
            self.climb.append((round(at, 2), ready))

    def state(self) -> dict[str, Any]:
        """Return what the page shows."""
        names = ("transport", "wanted", "edges", "phase", "ready", "received", "climb", "arrivals", "problem")
        result = asdict(self.result) if self.result else None
        return {**{name: getattr(self, name) for name in names}, "result": result}

    def line(self) -> str:
        """Return one line for the terminal."""
        if self.phase == "starting":
            return f"starting Redis and {self.edges} edges"
        done, verb = (self.ready, "connected") if self.phase == "connecting" else (self.received, "received")
        filled = BAR_WIDTH * done // self.wanted
        seconds = time.monotonic() - self._began_at
        return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done:>7,} of {self.wanted:,} {verb}  {seconds:5.1f} s"
