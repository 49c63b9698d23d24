"""Backlogs of webhooks: what a dead endpoint with a million deliveries, and a slow one, cost a quick one beside."""

import asyncio
from pathlib import Path
from statistics import median

from tests.load.scenarios import Figure, Options
from tests.load.webhook_web import running_web
from tests.load.webhooks import run_worker, running_postgres_for, running_receiver

#: Deliveries that wait, for each of `--subscribers`: a million as a rule.
ROWS_PER_SUBSCRIBER = 100
MAX_TURNS = 8  # of each kind
QUANTILES = (("p50", 0.5), ("p90", 0.9))

#: What each event of the quick endpoint waited for, in ms, by turn.
Turns = list[list[float]]


async def measure_backlog(options: Options, folder: Path) -> list[Figure]:
    """Fill the database for an endpoint that hangs and one that is slow, then send events to another one."""
    turns = min(options.rounds, MAX_TURNS)
    return await asyncio.to_thread(_measure, folder, options.subscribers * ROWS_PER_SUBSCRIBER, turns)


def _measure(folder: Path, backlog: int, turns_each: int) -> list[Figure]:
    with (
        running_postgres_for(folder) as (_, environment),
        running_receiver() as (port, _),
        running_web(folder, environment) as web,
    ):
        web_before_mb = web.memory_mb
        told = run_worker(
            "tests.load.webhook_backlog_worker", [f"http://127.0.0.1:{port}", backlog, turns_each], environment
        )
        web_after_mb = web.memory_mb
    rows = [
        Figure("webhook-backlog", f"an event of the quick endpoint, {name}, alone", _of(told["without"], share), "ms")
        for name, share in QUANTILES
    ]
    for kind, than, what in (
        ("dead", "without", f"{backlog:,} wait for a dead endpoint, to none"),
        ("slow", "few", f"{backlog // 10:,} wait for a slow endpoint, to 1,000"),
        ("few", "without", "a slow endpoint that takes 20 calls a second, to none"),
    ):
        rows += _compare(told[than], told[kind], what, "≤ 1.01" if kind != "few" else "")
    walks = f"{told['walks'][0]}" if told["walks"] else ""
    unready = f"/readyz: {web.not_ready[0]}" if web.not_ready else ""
    return [
        *rows,
        Figure("webhook-backlog", "the worker grows by", told["after_mb"] - told["before_mb"], "MB", "", walks),
        Figure("webhook-backlog", "the web process grows by", web_after_mb - web_before_mb, "MB", "", unready),
        Figure("webhook-backlog", "/readyz, p50", median(web.took_ms), "ms"),
        Figure("webhook-backlog", "/readyz, the slowest", max(web.took_ms), "ms"),
    ]


def _compare(before: Turns, after: Turns, what: str, target: str) -> list[Figure]:
    counts = [sum(len(turn) for turn in turns) for turns in (before, after)]
    fault = "" if counts[0] == counts[1] else f"{counts[0]} arrived before, {counts[1]} after"
    return [
        Figure("webhook-backlog", f"{what}: {name}", _of(after, share) / _of(before, share), "ratio", target, fault)
        for name, share in QUANTILES
    ]


def _of(turns: Turns, share: float) -> float:
    """Return the median, over turns, of each turn's quantile: a hiccup spoils one turn."""
    return median(sorted(turn)[int(len(turn) * share)] for turn in turns)
