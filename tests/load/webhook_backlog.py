"""Backlogs of webhooks: what a dead endpoint with a million deliveries, and a slow one, cost a quick one beside."""

import asyncio
from pathlib import Path
from statistics import median

from tests.load.scenarios import Figure, Options
from tests.load.webhook_web import running_web
from tests.load.webhooks import run_worker, running_postgres_for, running_receiver

#: Deliveries that wait, for each of `--subscribers`: a million as a rule.
ROWS_PER_SUBSCRIBER = 100


async def measure_backlog(options: Options, folder: Path) -> list[Figure]:
    """Fill the database for an endpoint that hangs and one that is slow, then send events to another one."""
    return await asyncio.to_thread(_measure, folder, options.subscribers * ROWS_PER_SUBSCRIBER)


def _measure(folder: Path, backlog: int) -> list[Figure]:
    with (
        running_postgres_for(folder) as (_, environment),
        running_receiver() as (port, _),
        running_web(folder, environment) as web,
    ):
        web_before_mb = web.memory_mb
        told = run_worker("tests.load.webhook_backlog_worker", [f"http://127.0.0.1:{port}", backlog], environment)
        web_after_mb = web.memory_mb
    rows = [
        Figure("webhook-backlog", "an event of the quick endpoint, p50, alone", median(told["without"]), "ms"),
        Figure("webhook-backlog", "an event of the quick endpoint, p90, alone", _p90(told["without"]), "ms"),
    ]
    for kind, count in (("dead", backlog), ("slow", backlog // 10)):
        rows += _compare(told["without"], told[kind], f"{count:,} wait for a {kind} endpoint")
    walks = f"{told['walks'][0]}" if told["walks"] else ""
    unready = f"/readyz: {web.not_ready[0]}" if web.not_ready else ""
    return [
        *rows,
        Figure("webhook-backlog", "the worker grows by", told["after_mb"] - told["before_mb"], "MB", "", walks),
        Figure("webhook-backlog", "the web process grows by", web_after_mb - web_before_mb, "MB", "", unready),
        Figure("webhook-backlog", "/readyz, p50", median(web.took_ms), "ms"),
        Figure("webhook-backlog", "/readyz, the slowest", max(web.took_ms), "ms"),
    ]


def _compare(without: list[float], with_: list[float], what: str) -> list[Figure]:
    fault = f"{len(without)} arrived without, {len(with_)} with" if len(without) != len(with_) else ""
    return [
        Figure("webhook-backlog", f"{what}: the quick one's p50", median(with_), "ms", "", fault),
        Figure("webhook-backlog", f"{what}: p50, with to without", median(with_) / median(without), "ratio"),
        Figure("webhook-backlog", f"{what}: p90, with to without", _p90(with_) / _p90(without), "ratio", "≤ 1.01"),
    ]


def _p90(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.9)]
