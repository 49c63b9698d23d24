"""`make bench`: what this machine can do, load generators included. `--scenario` chooses; without it, everything.

`fan-out`: for each transport a fresh server, N subscribers on one channel, some rounds of one publish each; medians
over the rounds. `peers`: the same beside Nchan and Pushpin, in turns; `holds`: beside
Pushpin before one origin. The others are in `scenarios`. Figures count only
if every subscriber got every item exactly once; the exit status says so.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.load.compare import OURS, compare, draw_chart, ratios
from tests.load.generator import NotMeasured
from tests.load.holds import compare_holds
from tests.load.measure import Figures, measure
from tests.load.scenarios import SCENARIOS as SCENARIOS_OF_EDGES
from tests.load.scenarios import Figure, Options
from tests.load.server import ROOT
from tests.load.webhook_backlog import measure_backlog
from tests.load.webhook_fan_out import measure_fan_out
from tests.load.webhooks import measure_webhooks
from tests.load.xmpp import measure_xmpp
from tests.load.yardsticks import accepts_beside_nchan, publishing_beside_pushpin

SCENARIOS = SCENARIOS_OF_EDGES | {
    "publish": publishing_beside_pushpin,
    "accepts": accepts_beside_nchan,
    "webhooks": measure_webhooks,
    "webhook-backlog": measure_backlog,
    "webhook-fan-out": measure_fan_out,
    "xmpp": measure_xmpp,
}
REPORT = ROOT / "build" / "bench.json"
CHART = ROOT / "build" / "bench.svg"
Columns = tuple[tuple[str, str, str], ...]
COLUMNS: Columns = (
    ("transport", "transport", "{}"),
    ("subscribers", "subscribers", "{:,}"),
    ("connects_per_s", "connects/s", "{:,.0f}"),
    ("messages_per_s", "msg/s", "{:,.0f}"),
    ("first_ms", "first ms", "{:.1f}"),
    ("p50_ms", "p50 ms", "{:.1f}"),
    ("p99_ms", "p99 ms", "{:.1f}"),
    ("last_ms", "last ms", "{:.1f}"),
    ("answered_ms", "publish ms", "{:.1f}"),
    ("bytes_per_connection", "KB/connection", "{:.1f}"),
    ("cpu_us_per_message", "CPU us/msg", "{:.2f}"),
)
SCENARIO_COLUMNS: Columns = (
    ("scenario", "scenario", "{}"),
    ("what", "what", "{}"),
    ("value", "value", "{:,.1f}"),
    ("unit", "unit", "{}"),
    ("target", "target", "{}"),
)
PEER_COLUMNS: Columns = (
    ("name", "server", "{}"),
    ("transport", "transport", "{}"),
    ("messages_per_s", "msg/s", "{:,.0f}"),
    ("p50_ms", "p50 ms", "{:.1f}"),
    ("p99_ms", "p99 ms", "{:.1f}"),
    ("last_ms", "last ms", "{:.1f}"),
    ("connects_per_s", "connects/s", "{:,.0f}"),
    ("bytes_per_connection", "KB/connection", "{:.1f}"),
)


def main() -> None:
    """Measure each transport, print a table, write the report."""
    arguments = parse_arguments()
    if sys.platform != "linux":
        sys.exit("The load generator stands on epoll and /proc, so `make bench` runs on Linux only.")
    wanted = arguments.scenario or ["fan-out", "peers", "holds", *SCENARIOS]
    try:
        figures = [measure(transport, arguments) for transport in arguments.transports if "fan-out" in wanted]
        rows = measure_peers(arguments) if arguments.turns and "peers" in wanted else []
        held = measure_holds(arguments) if arguments.turns and "holds" in wanted else []
        others = [figure for name in SCENARIOS if name in wanted for figure in run_scenario(name, arguments)]
    except NotMeasured as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
    if figures:
        print_table([one.row() for one in figures], COLUMNS)
    if rows:
        show_comparison(rows)
    if held:
        show_holds(held)
    if others:
        print_table([asdict(one) for one in others], SCENARIO_COLUMNS)
    write_report(figures, rows + held, others)
    faults = [f"{one.transport}: {fault}" for one in figures for fault in one.measured.faults()]
    faults += [
        f"compared, {row['transport']}: {fault}"
        for row in rows + held
        if row["name"] == OURS
        for fault in row["faults"]
    ]
    faults += [f"{one.scenario}: {one.fault}" for one in others if one.fault]
    if faults:
        sys.exit("These figures are void:\n" + "\n".join(faults))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subscribers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--items", type=int, default=1, help="items per publish")
    parser.add_argument("--transports", nargs="+", choices=["websocket", "sse"], default=["websocket", "sse"])
    parser.add_argument("--scenario", nargs="+", choices=["fan-out", "peers", "holds", *SCENARIOS], help="only these")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a scenario goes on, where that matters")
    parser.add_argument("--turns", type=int, default=3, help="turns of the comparison with peers; 0 leaves it out")
    return parser.parse_args()


def run_scenario(name: str, arguments: argparse.Namespace) -> list[Figure]:
    """Measure one scenario on an installation of its own."""
    print(f"{name} …", flush=True)
    options = Options(arguments.subscribers, arguments.seconds, rounds=2 * arguments.rounds)
    with tempfile.TemporaryDirectory(prefix="fanout-bench-") as folder:
        return asyncio.run(SCENARIOS[name](options, Path(folder)))


def measure_peers(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare with the peers that are installed."""
    with tempfile.TemporaryDirectory(prefix="fanout-peers-") as name:
        return compare(arguments, Path(name))


def measure_holds(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare with Pushpin as an edge before an origin."""
    with tempfile.TemporaryDirectory(prefix="fanout-holds-") as name:
        return compare_holds(arguments, Path(name))


def show_holds(rows: list[dict[str, Any]]) -> None:
    """Print the table and ratios of holds."""
    print("\nHolds, as an origin tells with GRIP:")
    print_table(rows, PEER_COLUMNS)
    for field, what in (("messages_per_s", "messages"), ("connects_per_s", "holds accepted")):
        for peer, ratio in ratios(rows, field).items():
            print(f"{ratio:.2f} times as many {what} per second as {peer}")


def show_comparison(rows: list[dict[str, Any]]) -> None:
    """Print the peers' table and ratios, and draw the chart."""
    print("\nTurn by turn with its peers:")
    print_table(rows, PEER_COLUMNS)
    for row in rows:
        if row["name"] != OURS and row["faults"]:
            print(f"{row['name']}, {row['transport']}, lost something: {row['faults'][0]}")
    for peer, ratio in ratios(rows).items():
        print(f"{ratio:.2f} times as many messages per second as {peer}")
    CHART.parent.mkdir(exist_ok=True)
    draw_chart(rows, CHART)


def print_table(rows: list[dict[str, Any]], columns: Columns) -> None:
    """Print the rows under their headings, each column as wide as it needs."""
    lines = [[title for _, title, _ in columns]]
    for row in rows:
        shown = {**row, "bytes_per_connection": row.get("bytes_per_connection", 0) / 1000}
        lines.append([form.format(shown[field]) for field, _, form in columns])
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


def write_report(figures: list[Figures], rows: list[dict[str, Any]], others: list[Figure]) -> None:
    """Write all that was measured, and on what, to build/bench.json."""
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    report = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(
        json.dumps(
            {
                **report,
                "figures": [one.report() for one in figures],
                "peers": rows,
                "scenarios": [asdict(one) for one in others],
            },
            indent=2,
        )
        + "\n"
    )
    print(f"details: {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
