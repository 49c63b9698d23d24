"""A backlog of webhooks: what a dead endpoint with a million deliveries costs a quick one beside it."""

import asyncio
from pathlib import Path
from statistics import median

from tests.load.scenarios import Figure, Options
from tests.load.webhooks import run_worker, running_postgres_for, running_receiver

#: Deliveries that wait, for each of `--subscribers`: a million as a rule.
ROWS_PER_SUBSCRIBER = 100


async def measure_backlog(options: Options, folder: Path) -> list[Figure]:
    """Fill the database for an endpoint that hangs, then send events to another one."""
    return await asyncio.to_thread(_measure, folder, options.subscribers * ROWS_PER_SUBSCRIBER)


def _measure(folder: Path, backlog: int) -> list[Figure]:
    with running_postgres_for(folder) as (_, environment), running_receiver() as (port, _):
        told = run_worker("tests.load.webhook_backlog_worker", [f"http://127.0.0.1:{port}", backlog], environment)
    without, with_ = sorted(told["without"]), sorted(told["with"])
    fault = f"what is due is not found by its index: {told['walks'][0]}" if told["walks"] else ""
    if len(with_) != len(without) or not with_:
        fault = f"{len(without)} arrived without the backlog and {len(with_)} with it"
    what = f"{backlog:,} wait for a dead endpoint"
    return [
        Figure("webhook-backlog", "an event of the quick endpoint, p50, alone", median(without), "ms"),
        Figure("webhook-backlog", f"{what}: an event of the quick one, p50", median(with_), "ms", "", fault),
        Figure("webhook-backlog", "with the dead one to without, p50", median(with_) / median(without), "ratio"),
        Figure("webhook-backlog", "with the dead one to without, p90", _p90(with_) / _p90(without), "ratio"),
        Figure("webhook-backlog", f"{what}: the worker grows by", told["after_mb"] - told["before_mb"], "MB"),
    ]


def _p90(ordered: list[float]) -> float:
    return ordered[int(len(ordered) * 0.9)]
