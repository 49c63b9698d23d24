"""Servers of tests end with the process of the tests, also where that has no time to clean up."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.lifeline_watcher import find_process

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 20.0
#: Starts one that heeds SIGTERM, one that does not, and one with a child of its own; tells their ids, and ends.
_START_AND_END = """
import os, signal, sys
from tests.servers import lifeline
sleeper = lifeline.start(["sleep", "600"])
parent = lifeline.start(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=-1, text=True)
child = int(parent.stdout.readline())
stubborn = lifeline.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], stdout=-1)
stubborn.stdout.readline()
print(sleeper.pid, parent.pid, child, stubborn.pid, flush=True)
"""


@pytest.mark.parametrize("end", ["os._exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_what_was_started_ends_when_its_starter_has_no_time_for_it(end: str) -> None:
    done = subprocess.run([sys.executable, "-c", _START_AND_END + end], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in done.stdout.split()]
    deadline = time.monotonic() + PATIENCE_S
    while (left := [pid for pid in pids if find_process(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert len(pids) == 4
    assert left == []


def test_what_has_ended_is_not_mistaken_for_what_has_its_id_now() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        running = find_process(process.pid)
        process.kill()
    assert running is not None

    assert find_process(running[0]) != running
