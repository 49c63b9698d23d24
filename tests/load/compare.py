"""Ours beside its peers: the same load on each in turn, several times over, so that all meet the same machine."""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from tests.load.generator import Load, Measured, run
from tests.load.measure import SETTLE_S, load_of
from tests.load.peers import NotInstalled, make_folder, running_nchan, running_pushpin
from tests.load.server import Server, running_server

OURS = "Fanout Cloud"
ROUNDS_PER_TURN = 3


class Candidate(Protocol):
    """Whatever is measured."""

    @property
    def name(self) -> str: ...

    def load(self, transport: str, *, subscribers: int, rounds: int) -> Load: ...

    def resident_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Ours:
    """Our server as a candidate."""

    server: Server
    name: str = OURS

    def load(self, transport: str, *, subscribers: int, rounds: int) -> Load:
        """Return the load for one transport."""
        return load_of(self.server, transport, subscribers=subscribers, items=1, rounds=rounds)

    def resident_bytes(self) -> int:
        """Return how much memory its process has now."""
        return self.server.resident_bytes()


@dataclass
class Tally:
    """What was measured of one candidate and transport, over all turns."""

    name: str
    transport: str
    turns: list[Measured] = field(default_factory=list)
    bytes_per_connection: float = 0.0  # of the first turn: later ones reuse memory

    def median(self, name: str) -> float:
        """Return the median of a round's field over all rounds."""
        return median(one[name] for turn in self.turns for one in turn.rounds)

    def row(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "name": self.name,
            "transport": self.transport,
            "connects_per_s": median(turn.held["connects_per_s"] for turn in self.turns),
            "bytes_per_connection": self.bytes_per_connection,
            **{name: self.median(name) for name in ("messages_per_s", "p50_ms", "p99_ms", "last_ms")},
            "faults": [fault for turn in self.turns for fault in turn.faults()],
        }


def compare(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Measure ours and every peer that is installed; return a row for each and transport."""
    tallies: list[Tally] = []
    for transport in arguments.transports:
        with contextlib.ExitStack() as stack:  # all anew for each transport: memory once used hides what is needed
            own = make_folder(folder, transport)
            server = stack.enter_context(running_server(own))
            candidates: list[Candidate] = [Ours(server), *_peers(stack, own)]
            row_of = {candidate.name: Tally(candidate.name, transport) for candidate in candidates}
            for _ in range(arguments.turns):
                for candidate in candidates:
                    take_turn(candidate, row_of[candidate.name], arguments.subscribers, own)
            tallies += row_of.values()
    return [tally.row() for tally in tallies]


def _peers(stack: contextlib.ExitStack, folder: Path) -> Iterator[Candidate]:
    for name, running in (("nchan", running_nchan), ("pushpin", running_pushpin)):
        try:
            yield stack.enter_context(running(make_folder(folder, name)))
        except NotInstalled as hint:
            sys.stderr.write(f"left out: {hint}\n")


def take_turn(candidate: Candidate, tally: Tally, subscribers: int, folder: Path) -> None:
    before = candidate.resident_bytes()
    held = before

    def weigh() -> None:
        nonlocal held
        time.sleep(SETTLE_S)
        held = candidate.resident_bytes()

    load = candidate.load(tally.transport, subscribers=subscribers, rounds=ROUNDS_PER_TURN)
    measured = run(load, folder, when_held=weigh)
    if not tally.turns:
        tally.bytes_per_connection = (held - before) / subscribers
    tally.turns.append(measured)
    time.sleep(SETTLE_S)


def ratios(rows: list[dict[str, Any]], field: str = "messages_per_s") -> dict[str, float]:
    """Return a figure of ours, messages per second, over each peer's, by `PEER TRANSPORT`."""
    ours = {row["transport"]: row[field] for row in rows if row["name"] == OURS}
    return {
        f"{row['name']} {row['transport']}": ours[row["transport"]] / row[field]
        for row in rows
        if row["name"] != OURS and row[field]
    }


def draw_chart(rows: list[dict[str, Any]], path: Path) -> None:
    """Write messages per second as bars, in an SVG of its own."""
    most = max(row["messages_per_s"] for row in rows)
    bars = []
    for i, row in enumerate(rows):
        y, width = 40 + i * 34, 420 * row["messages_per_s"] / most
        colour = "#f5b31b" if row["name"] == OURS else "#8a8778"
        bars.append(
            f'<text x="190" y="{y + 17}" text-anchor="end">{row["name"]}, {row["transport"]}</text>'
            f'<rect x="200" y="{y}" width="{width:.0f}" height="24" rx="3" fill="{colour}"/>'
            f'<text x="{206 + width:.0f}" y="{y + 17}">{row["messages_per_s"]:,.0f}</text>'
        )
    height = 60 + len(rows) * 34
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" font-family="sans-serif"'
        f' font-size="13">'
        f'<rect width="720" height="{height}" fill="#fff"/>'
        f'<text x="200" y="24" font-weight="bold">Messages delivered per second, one process</text>'
        f"{''.join(bars)}</svg>\n"
    )
