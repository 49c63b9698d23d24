"""Metrics as Prometheus reads them."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from fanoutcloud.core.statistics import Statistics
from fanoutcloud.ops.metrics import Metrics

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "howto" / "monitor.md"


def busy_statistics() -> Statistics:
    """Return statistics in which everything has happened once."""
    statistics = Statistics()
    statistics.publish.requests.update(["accepted", "rate_limited"])
    statistics.publish.items["stored"] += 3
    statistics.publish.broker_answers.observe(0.0007)
    edge = statistics.edge
    edge.connects["sse"] = edge.open_now["sse"] = 2
    edge.closes["sse", "slow"] = 3
    edge.stuck = 1
    edge.refusals["too_many_connections"] += 1
    edge.items_out["sse"] += 20
    edge.fan_outs.observe(0.002)
    edge.resets["epoch_changed"] += 1
    statistics.limits.hits["connections"] += 1
    statistics.limits.degraded["channels"] += 1
    statistics.limits.store_calls["publish_items"] += 1
    statistics.webhooks.calls.update({"delivered": 5, "timeout": 1})
    statistics.webhooks.waiting, statistics.webhooks.oldest_s = 7, 2.5
    statistics.process.failed_probes["broker"] += 1
    return statistics


def samples_of(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value for family in families for sample in family.samples
    }


def test_what_was_counted_is_shown():
    samples = samples_of(Metrics(busy_statistics(), lambda: {"fanout_broker_up": ("up", 1.0)}))

    assert samples["fanout_publish_requests_total", ("rate_limited",)] == 1
    assert samples["fanout_publish_items_total", ("stored",)] == 3
    assert samples["fanout_edge_subscribers", ("sse",)] == 2
    assert samples["fanout_edge_closes_total", ("slow", "sse")] == 3
    assert samples["fanout_edge_slow_total", ("overflow",)] == 2
    assert samples["fanout_edge_slow_total", ("stuck",)] == 1
    assert samples["fanout_limits_hits_total", ("connections",)] == 1
    assert samples["fanout_webhook_calls_total", ("timeout",)] == 1
    assert samples["fanout_webhook_outbox_events", ()] == 7
    assert samples["fanout_webhook_outbox_oldest_seconds", ()] == 2.5
    assert samples["fanout_broker_up", ()] == 1


def test_a_histogram_is_cumulative_and_ends_with_everything():
    samples = samples_of(Metrics(busy_statistics()))

    assert samples["fanout_edge_fan_out_seconds_bucket", ("0.001",)] == 0
    assert samples["fanout_edge_fan_out_seconds_bucket", ("0.005",)] == 1
    assert samples["fanout_edge_fan_out_seconds_bucket", ("+Inf",)] == 1
    assert samples["fanout_edge_fan_out_seconds_count", ()] == 1
    assert samples["fanout_edge_fan_out_seconds_sum", ()] == 0.002


def test_two_processes_in_one_interpreter_have_registries_of_their_own():
    busy, idle = Metrics(busy_statistics()), Metrics(Statistics())

    assert ("fanout_publish_items_total", ("stored",)) in samples_of(busy)
    assert ("fanout_publish_items_total", ("stored",)) not in samples_of(idle)


def test_names_and_labels_follow_the_rules():
    families = text_string_to_metric_families(Metrics(busy_statistics()).text().decode())
    ours = [family for family in families if family.name.startswith("fanout_")]
    labels = {label for family in ours for sample in family.samples for label in sample.labels}

    assert len(ours) > 20
    assert labels <= {"outcome", "transport", "reason", "code", "cause", "limit", "part", "le"}
    assert all(
        re.fullmatch(r"fanout_(publish|edge|broker|limits|origin|webhook|loop|health)_[a-z_]+", f.name) for f in ours
    )


def test_every_metric_is_in_the_manual():
    families = text_string_to_metric_families(Metrics(busy_statistics()).text().decode())
    names = {family.name for family in families if family.name.startswith("fanout_")}
    manual = MANUAL.read_text()

    assert sorted(name for name in names if name not in manual) == []
