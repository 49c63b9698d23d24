"""What a process has counted, as Prometheus text. Read from `core.statistics` when asked: counting costs no lock.

Names are `fanout_<part>_<what>_<unit>`; labels come from closed sets. docs/howto/monitor.md lists them all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from fanoutcloud.core.statistics import Histogram, Statistics

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

#: Reads numbers that others keep, as gauges: name → (help, value).
Gauges = Callable[[], Mapping[str, tuple[str, float]]]


class StatisticsCollector(Collector):
    """Turns one process's statistics into metrics."""

    def __init__(self, statistics: Statistics, gauges: Gauges) -> None:
        self._statistics = statistics
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, with all its labels that have occurred."""
        yield from self._publish()
        yield from self._edge()
        yield from self._limits()
        yield from self._origins()
        yield from self._webhooks()
        yield from self._process()
        for name, (text, value) in self._gauges().items():
            yield GaugeMetricFamily(name, text, value=value)

    def _publish(self) -> Iterator[Metric]:
        publish = self._statistics.publish
        yield _by_label("fanout_publish_requests", "Publish requests by outcome", "outcome", publish.requests.items())
        yield _by_label("fanout_publish_items", "Items taken by outcome", "outcome", publish.items.items())
        yield _histogram(
            "fanout_broker_publish_seconds",
            "Time from handing items to the broker to its answer",
            publish.broker_answers,
        )

    def _edge(self) -> Iterator[Metric]:
        edge = self._statistics.edge
        slow = sum(count for (_, reason), count in edge.closes.items() if reason == "slow")
        yield _by_label("fanout_edge_connects", "Subscribers that came", "transport", edge.connects.items())
        open_now = GaugeMetricFamily("fanout_edge_subscribers", "Subscribers that are open", labels=["transport"])
        for transport, count in edge.open_now.items():
            open_now.add_metric([transport], count)
        yield open_now
        closes = CounterMetricFamily("fanout_edge_closes", "Subscribers that went", labels=["transport", "reason"])
        for labels, count in edge.closes.items():
            closes.add_metric(labels, count)
        yield closes
        yield _by_label("fanout_edge_refusals", "Subscribers and commands turned away", "code", edge.refusals.items())
        yield CounterMetricFamily("fanout_edge_items_in", "Live items from the broker", value=edge.items_in)
        yield _by_label("fanout_edge_items_out", "Items written to subscribers", "transport", edge.items_out.items())
        yield CounterMetricFamily("fanout_edge_out_bytes", "Bytes written to subscribers", value=edge.bytes_out)
        yield _histogram("fanout_edge_fan_out_seconds", "Time to write one item to all subscribers", edge.fan_outs)
        yield _by_label("fanout_edge_resets", "Subscribers told that items were lost", "reason", edge.resets.items())
        yield CounterMetricFamily("fanout_edge_gap_fills", "Gaps read from history", value=edge.gap_fills)
        yield CounterMetricFamily("fanout_edge_catch_ups", "Subscribers that read history", value=edge.catch_ups)
        causes = [("overflow", max(0, slow - edge.stuck)), ("stuck", edge.stuck)]
        yield _by_label(
            "fanout_edge_slow", "Subscribers closed as slow: too much unsent, or no progress", "cause", causes
        )
        yield CounterMetricFamily(
            "fanout_broker_reconnects", "Times that the live connection came back", value=edge.broker_reconnects
        )

    def _limits(self) -> Iterator[Metric]:
        limits = self._statistics.limits
        yield _by_label("fanout_limits_hits", "Refusals by limit", "limit", limits.hits.items())
        yield _by_label(
            "fanout_limits_degraded", "Decisions without the shared counts", "limit", limits.degraded.items()
        )
        yield _by_label(
            "fanout_limits_store_calls", "Round trips for shared counts", "limit", limits.store_calls.items()
        )

    def _origins(self) -> Iterator[Metric]:
        origins = self._statistics.origins
        yield _by_label("fanout_origin_requests", "Requests to origins by outcome", "outcome", origins.requests.items())
        yield _histogram("fanout_origin_head_seconds", "Time until an origin's answer begins", origins.head_waits)

    def _webhooks(self) -> Iterator[Metric]:
        webhooks = self._statistics.webhooks
        yield _by_label("fanout_webhook_calls", "Calls of webhooks by outcome", "outcome", webhooks.calls.items())
        waiting, oldest = "Events that wait to be stored as deliveries", "Age of the oldest of these events"
        yield GaugeMetricFamily("fanout_webhook_outbox_events", waiting, value=webhooks.waiting)
        yield GaugeMetricFamily("fanout_webhook_outbox_oldest_seconds", oldest, value=webhooks.oldest_s)

    def _process(self) -> Iterator[Metric]:
        process = self._statistics.process
        yield _histogram("fanout_loop_lag_seconds", "How late the event loop ran a timer", process.loop_lags)
        yield _histogram("fanout_broker_round_trip_seconds", "Answers to the health probe", process.broker_probes)
        yield _by_label("fanout_health_failed_probes", "Failed health probes", "part", process.failed_probes.items())


class Metrics:
    """The registry of one process: ours, and what the client library knows of processes."""

    def __init__(self, statistics: Statistics, gauges: Gauges = dict) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(StatisticsCollector(statistics, gauges))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def text(self) -> bytes:
        """Return everything in the text format. Takes about a millisecond; no I/O but reading /proc."""
        return generate_latest(self.registry)


def _by_label(name: str, text: str, label: str, counts: Iterable[tuple[str, float]]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts:
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    cumulative, buckets = 0, []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], histogram.counts, strict=True):
        cumulative += count
        buckets.append((bound, float(cumulative)))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.total_s)
