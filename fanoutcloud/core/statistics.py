"""What the parts of a process count: plain numbers, written where things happen, read when somebody asks for metrics.

No part knows of the metrics system; `fanoutcloud.ops.metrics` reads these. Numbers are kept per broadcast, publish or
connection, never per recipient, and under closed sets of names: never a realm, channel, user or address.
All belong to one event loop: no locks.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

#: Upper bounds in seconds. Fan-out of one item takes microseconds to tens of milliseconds.
FAN_OUT_BOUNDS_S = (0.00001, 0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
#: Answers of the broker, and how late the event loop is.
WAIT_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Histogram:
    """Counts durations by their upper bounds. Observing costs a bisection: about 0.2 µs."""

    __slots__ = ("bounds", "counts", "total_s")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last one: above all bounds
        self.total_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total_s += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(slots=True)
class PublishStatistics:
    """Publish requests of this process."""

    requests: Counter[str] = field(default_factory=Counter)  # "accepted", or the code of the refusal
    items: Counter[str] = field(default_factory=Counter)  # outcome: stored, duplicate, waiting
    broker_answers: Histogram = field(default_factory=lambda: Histogram(WAIT_BOUNDS_S))


@dataclass(slots=True)
class EdgeStatistics:
    """Subscribers of this process, and what they were sent."""

    connects: Counter[str] = field(default_factory=Counter)  # transport
    open_now: Counter[str] = field(default_factory=Counter)  # transport
    closes: Counter[tuple[str, str]] = field(default_factory=Counter)  # transport, reason
    refusals: Counter[str] = field(default_factory=Counter)  # code
    items_in: int = 0  # live items from the broker
    items_written: Counter[str] = field(default_factory=Counter)  # transport; one per recipient: read `items_out`
    gather: Callable[[], None] | None = None  # adds to `items_written` what is counted elsewhere
    bytes_out: int = 0
    fan_outs: Histogram = field(default_factory=lambda: Histogram(FAN_OUT_BOUNDS_S))
    resets: Counter[str] = field(default_factory=Counter)  # reason; one per channel and subscriber
    gap_fills: int = 0
    catch_ups: int = 0
    overflows: int = 0  # subscribers with more unsent than allowed
    stuck: int = 0  # subscribers whose unsent bytes did not get fewer
    broker_reconnects: int = 0

    @property
    def items_out(self) -> Counter[str]:
        """Items by transport, one per recipient: complete when it is asked for."""
        if self.gather is not None:
            self.gather()
        return self.items_written


@dataclass(slots=True)
class OriginStatistics:
    """Requests of this process to realms' origins."""

    requests: Counter[str] = field(default_factory=Counter)  # "answered", or the cause of the failure
    head_waits: Histogram = field(default_factory=lambda: Histogram(WAIT_BOUNDS_S))


@dataclass(slots=True)
class LimitStatistics:
    """Limits that were reached here, and how often the shared counts could not be had."""

    hits: Counter[str] = field(default_factory=Counter)  # limit
    degraded: Counter[str] = field(default_factory=Counter)  # limit; decided with this process's numbers alone
    store_calls: Counter[str] = field(default_factory=Counter)  # limit; round trips for shared limits


@dataclass(slots=True)
class WebhookStatistics:
    """What waits for webhooks, and what came of calls; of all processes that share a Redis."""

    waiting: int = 0  # events in the outbox
    oldest_s: float = 0.0  # the age of the oldest of them
    calls: Counter[str] = field(default_factory=Counter)  # "delivered", or the cause of the failure


@dataclass(slots=True)
class ProcessStatistics:
    """The event loop, and what the health probes saw."""

    loop_lags: Histogram = field(default_factory=lambda: Histogram(WAIT_BOUNDS_S))
    broker_probes: Histogram = field(default_factory=lambda: Histogram(WAIT_BOUNDS_S))
    failed_probes: Counter[str] = field(default_factory=Counter)  # part: broker, database


@dataclass(slots=True)
class Statistics:
    """All that one process counts. Made by the composition, handed to the parts."""

    publish: PublishStatistics = field(default_factory=PublishStatistics)
    edge: EdgeStatistics = field(default_factory=EdgeStatistics)
    limits: LimitStatistics = field(default_factory=LimitStatistics)
    origins: OriginStatistics = field(default_factory=OriginStatistics)
    webhooks: WebhookStatistics = field(default_factory=WebhookStatistics)
    process: ProcessStatistics = field(default_factory=ProcessStatistics)
