"""Measuring one transport of our server: whole-process figures, on a fresh server each."""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.load.generator import Load, Measured, run
from tests.load.server import Server, running_server

CHANNEL = "bench"
# Both transports say so in their first message; see docs/api/subscribe.md.
SUBSCRIBED = "subscribed"
SETTLE_S = 1.0  # for memory that is given back a moment later


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
