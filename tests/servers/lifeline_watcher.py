"""The watcher of lifeline.py: reads process ids from its input, and at the end of that ends those that still run.

Run as a program, without anything of ours to import.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PATIENCE_S = 2.0
#: Process id and when it was started, in the system's ticks: another process may get the id later.
Process = tuple[int, str]


def main() -> None:
    """Watch until the input ends."""
    watched = {found for line in sys.stdin if (found := find_process(int(line))) is not None}
    doomed = list_running(watched)
    family = doomed | list_children(doomed)
    send(doomed, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    while list_running(family) and time.monotonic() < deadline:
        time.sleep(0.05)
    send(list_running(family), signal.SIGKILL)


def find_process(pid: int) -> Process | None:
    """Return the process if it runs; None also where the system does not tell."""
    facts = read_facts(pid)
    return None if facts is None or facts[0] == "Z" else (pid, facts[19])


def list_running(processes: Iterable[Process]) -> set[Process]:
    """Return those that have not ended."""
    return {process for process in processes if find_process(process[0]) == process}


def list_children(processes: Iterable[Process]) -> set[Process]:
    """Return what these have started, and what that has started, and so on."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    parents = {pid: int(facts[1]) for pid in pids if (facts := read_facts(pid)) is not None}
    family = {pid for pid, _ in processes}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return {found for pid in family if (found := find_process(pid)) is not None}


def read_facts(pid: int) -> list[str] | None:
    """Return what /proc/PID/stat says behind the name: state, parent, … see proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None


def send(processes: Iterable[Process], number: signal.Signals) -> None:
    """Send a signal to each."""
    for pid, _ in processes:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


if __name__ == "__main__":
    main()
