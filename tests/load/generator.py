"""The load generator from Python: compile fanbench.c, run it, and read what it says."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

SOURCE = Path(__file__).with_name("fanbench.c")
BUILD = SOURCE.parents[2] / "build"
FLAGS = ["-O2", "-std=c11", "-Wall", "-Wextra"]


class NotMeasured(Exception):
    """There are no figures, or none that count; the text is the sentence that says why."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to do: so many subscribers with this request, so many rounds of this publish."""

    port: int
    subscribers: int
    request: bytes
    ready: str
    publish: bytes
    publish_port: int = 0  # 0: the same port
    connects_at_once: int = 256
    items: int = 1
    rounds: int = 9
    pause_ms: int = 100
    deadline_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What the generator saw; see fanbench.c for the fields of a round."""

    load: Load
    held: dict[str, Any]
    rounds: list[dict[str, Any]]
    end: dict[str, Any]

    def median(self, field: str) -> float:
        """Return the median of a field over the rounds."""
        return median(one[field] for one in self.rounds)

    def faults(self) -> list[str]:
        """Return what makes the figures void: each subscriber must get each item of each round exactly once."""
        found = []
        if self.held["ready"] != self.load.subscribers:
            found.append(f"{self.held['ready']} of {self.load.subscribers} subscribers were answered")
        if len(self.rounds) != self.load.rounds or self.end["timed_out"]:
            found.append(f"{len(self.rounds)} of {self.load.rounds} rounds ended in time")
        for one in self.rounds:
            if not 200 <= one["status"] < 300:
                found.append(f"round {one['round']}: the publish was answered with {one['status']}")
            if one["arrived"] != self.load.subscribers * self.load.items or one["missing"] or one["extra"]:
                found.append(f"round {one['round']}: {one['missing']} missed it, {one['extra']} too many arrived")
        if self.end["lost"] or self.end["extra"]:
            found.append(f"{self.end['lost']} connections were lost, {self.end['extra']} late messages arrived")
        return found


def build(source: Path = SOURCE) -> Path:
    """Compile a generator unless that is done; return the program."""
    program = BUILD / source.stem
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise NotMeasured("There is no C compiler to build the load generator with: apt-get install gcc libc6-dev")
    program.parent.mkdir(exist_ok=True)
    built = subprocess.run([compiler, *FLAGS, "-o", program, source], capture_output=True, text=True, check=False)
    if built.returncode:
        raise NotMeasured(f"The load generator does not compile:\n{built.stderr}")
    return program


def run(load: Load, folder: Path, *, when_held: Callable[[], None] = lambda: None) -> Measured:
    """Run the generator once; `when_held` is called while all subscribers are connected and nothing is published."""
    request, publish = folder / "request", folder / "publish"
    request.write_bytes(load.request)
    publish.write_bytes(load.publish)
    numbers = [load.items, load.rounds, load.pause_ms, load.deadline_s, load.connects_at_once]
    publish_port = load.publish_port or load.port
    command = [build(), load.port, load.subscribers, request, load.ready, publish_port, publish, *numbers]
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        held = process.stdout.readline()
        if held:
            when_held()
        rest, complaints = process.communicate("\n", timeout=load.deadline_s + 30)
    events = [json.loads(line) for line in [held, *rest.splitlines()] if line]
    if process.returncode or not events or events[-1]["event"] != "end":
        raise NotMeasured(f"The load generator failed: {complaints.strip()}")
    return Measured(load, events[0], events[1:-1], events[-1])
