"""`make bench`: fan-out of one edge process, whole-process figures, load generator on the same machine.

For each transport: a fresh server, N subscribers on one channel, some rounds of one publish each; medians over the
rounds. The figures count only if every subscriber got every item exactly once; the exit status says so.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.generator import Load, Measured, NotMeasured, run
from tests.load.server import ROOT, Server, running_server

REPORT = ROOT / "build" / "bench.json"
CHANNEL = "bench"
# Both transports say so in their first message; see docs/api/subscribe.md.
SUBSCRIBED = "subscribed"
SETTLE_S = 1.0  # for memory that is given back a moment later
COLUMNS = (
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


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one transport, and what the whole process used for it."""

    transport: str
    measured: Measured
    bytes_before: int
    bytes_held: int
    bytes_after: int
    cpu_s: float

    def row(self) -> dict[str, Any]:
        """Return the figures that the table shows, by their names in the report."""
        measured, load = self.measured, self.measured.load
        messages = sum(one["arrived"] for one in measured.rounds)
        fields = ("messages_per_s", "first_ms", "p50_ms", "p99_ms", "last_ms", "answered_ms")
        return {
            "transport": self.transport,
            "subscribers": load.subscribers,
            "connects_per_s": measured.held["connects_per_s"],
            **{field: measured.median(field) for field in fields},
            "bytes_per_connection": (self.bytes_held - self.bytes_before) / load.subscribers,
            "cpu_us_per_message": self.cpu_s / messages * 1e6 if messages else 0.0,
        }

    def report(self) -> dict[str, Any]:
        """Return everything, for build/bench.json."""
        memory = {"before": self.bytes_before, "held": self.bytes_held, "after": self.bytes_after}
        return {
            **self.row(),
            "items_per_publish": self.measured.load.items,
            "resident_bytes": memory,
            "held": self.measured.held,
            "rounds": self.measured.rounds,
            "faults": self.measured.faults(),
        }


def main() -> None:
    """Measure each transport, print a table, write the report."""
    arguments = parse_arguments()
    if sys.platform != "linux":
        sys.exit("The load generator stands on epoll and /proc, so `make bench` runs on Linux only.")
    try:
        figures = [measure(transport, arguments) for transport in arguments.transports]
    except NotMeasured as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
    print_table([one.row() for one in figures])
    write_report(figures)
    faults = [f"{one.transport}: {fault}" for one in figures for fault in one.measured.faults()]
    if faults:
        sys.exit("These figures are void:\n" + "\n".join(faults))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subscribers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--items", type=int, default=1, help="items per publish")
    parser.add_argument("--transports", nargs="+", choices=["websocket", "sse"], default=["websocket", "sse"])
    return parser.parse_args()


def measure(transport: str, arguments: argparse.Namespace) -> Figures:
    """Measure one transport on a fresh server: another one's memory would hide its own."""
    with tempfile.TemporaryDirectory(prefix="fanout-bench-") as name, running_server(Path(name)) as server:
        return measure_on(server, Path(name), transport, arguments)


def measure_on(server: Server, folder: Path, transport: str, arguments: argparse.Namespace) -> Figures:
    """Weigh the process without subscribers, with them, and after the rounds."""
    at: dict[str, float] = {}

    def weigh_held() -> None:
        time.sleep(SETTLE_S)
        at["held"], at["cpu"] = server.resident_bytes(), server.cpu_s()

    run(load_of(server, transport, subscribers=20, items=1, rounds=1), folder)  # what is made once is made now
    time.sleep(SETTLE_S)
    before = server.resident_bytes()
    load = load_of(server, transport, subscribers=arguments.subscribers, items=arguments.items, rounds=arguments.rounds)
    measured = run(load, folder, when_held=weigh_held)
    return Figures(transport, measured, before, int(at["held"]), server.resident_bytes(), server.cpu_s() - at["cpu"])


def load_of(server: Server, transport: str, *, subscribers: int, items: int, rounds: int) -> Load:
    """Return the load for one transport of `server`."""
    return Load(
        port=server.port,
        subscribers=subscribers,
        request=server.subscribe_request(transport, CHANNEL),
        ready=SUBSCRIBED,
        publish=server.publish_request(CHANNEL, items),
        items=items,
        rounds=rounds,
    )


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the rows under their headings, each column as wide as it needs."""
    lines = [[title for _, title, _ in COLUMNS]]
    for row in rows:
        shown = {**row, "bytes_per_connection": row["bytes_per_connection"] / 1000}
        lines.append([form.format(shown[field]) for field, _, form in COLUMNS])
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


def write_report(figures: list[Figures]) -> None:
    """Write all that was measured, and on what, to build/bench.json."""
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    report = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({**report, "figures": [one.report() for one in figures]}, indent=2) + "\n")
    print(f"details: {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
