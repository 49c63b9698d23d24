"""Ours beside Pushpin as GRIP edges: one origin holds everybody, streams and WebSockets over HTTP, in turns.

`connects_per_s` is the rate at which holds are accepted: a subscriber counts once what the origin said has arrived.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.load.compare import OURS, Candidate, Tally, take_turn
from tests.load.generator import Load
from tests.load.peers import (
    MARKER,
    NotInstalled,
    Peer,
    make_folder,
    pushpin_loads,
    running_origin,
    running_pushpin_before,
)
from tests.load.server import WEBSOCKET_LINES, Server, running_server

_AT_ONCE = 50  # Pushpin answers some with 502 when they come faster


@dataclass(frozen=True, slots=True)
class OursByGrip:
    """Our server before the origin."""

    server: Server
    name: str = OURS

    def load(self, transport: str, *, subscribers: int, rounds: int) -> Load:
        """Return the load for one transport."""
        server = self.server
        lines = WEBSOCKET_LINES if transport == "websocket" else ("Accept: text/event-stream",)
        path = "/ws" if transport == "websocket" else "/sse"
        request = [f"GET {path} HTTP/1.1", f"Host: {server.realm}.localhost:{server.port}", *lines, "", ""]
        formats = {"http-stream": {"content": f"data: {MARKER}\n\n"}, "ws-message": {"content": MARKER}}
        return Load(
            port=server.port,
            subscribers=subscribers,
            request="\r\n".join(request).encode(),
            ready="held",
            publish=server.publish(json.dumps({"items": [{"channel": "g", "formats": formats}]}).encode()),
            rounds=rounds,
            connects_at_once=_AT_ONCE,
        )

    def resident_bytes(self) -> int:
        """Return how much memory its process has now."""
        return self.server.resident_bytes()


def compare_holds(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Measure ours and Pushpin, if it is installed; return a row for each and transport."""
    tallies: list[Tally] = []
    for transport in arguments.transports:
        with contextlib.ExitStack() as stack:
            own = make_folder(folder, f"holds-{transport}")
            origin_port = stack.enter_context(running_origin(own))
            server = stack.enter_context(running_server(own))
            _lead_to(server, origin_port)
            candidates: list[Candidate] = [OursByGrip(server), *_pushpin(stack, own, origin_port)]
            row_of = {candidate.name: Tally(candidate.name, transport) for candidate in candidates}
            for _ in range(arguments.turns):
                for candidate in candidates:
                    take_turn(candidate, row_of[candidate.name], arguments.subscribers, own)
            tallies += row_of.values()
    return [tally.row() for tally in tallies]


def _pushpin(stack: contextlib.ExitStack, folder: Path, origin_port: int) -> Iterator[Candidate]:
    try:
        running = running_pushpin_before(origin_port, make_folder(folder, "pushpin"))
        port, publish_port, pid = stack.enter_context(running)
        yield Peer("Pushpin", [pid], pushpin_loads(port, publish_port))
    except NotInstalled as hint:
        sys.stderr.write(f"left out: {hint}\n")


def _lead_to(server: Server, origin_port: int) -> None:
    """Make the origin that of the realm's own domain."""
    data = f"host=127.0.0.1&port={origin_port}".encode()
    url = f"http://localhost:{server.port}/realm/{server.realm}/http/default/"
    with urlopen(Request(url, data, headers=server.credential), timeout=10):
        return
