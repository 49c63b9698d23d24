"""`make cluster`: many processes, one installation."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.command import Command, clean_environment, free_port, started

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="starts PostgreSQL and Redis as Debian has them"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder that PostgreSQL's account can reach, too: pytest's own is closed to others."""
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    return tmp_path / "data"


@pytest.fixture
def cluster(folder: Path) -> Iterator[Command]:
    environment = clean_environment(DATA_DIR=str(folder), PORT=str(free_port()), EDGES="2")
    with started([sys.executable, "deploy/cluster.py"], folder=ROOT, environment=environment) as command:
        command.wait_for_line("manage.py beside it: ", timeout_s=START_TIMEOUT_S)
        yield command


def test_a_publish_to_any_process_reaches_the_subscribers_of_all(cluster: Command, folder: Path) -> None:
    web = cluster.wait_for_line("ready: ", timeout_s=1.0).removeprefix("ready: ")
    doors = [web, *cluster.wait_for_line("edges: ", timeout_s=1.0).removeprefix("edges: ").split()]
    realm = create_realm(folder)
    streams = [
        urllib.request.urlopen(f"{door}/r/{realm['realm']}/fanout/stream?channel=hello", timeout=20) for door in doors
    ]
    for stream in streams:
        wait_for(stream, "subscribed")

    for number, door in enumerate(doors):
        publish(door, realm, number)

    assert len(doors) == 3
    for stream in streams:
        assert [wait_for(stream, "item")["data"] for _ in doors] == [0, 1, 2]
        stream.close()

    os.kill(cluster.process.pid, signal.SIGTERM)
    assert cluster.wait_for_end(timeout_s=STOP_TIMEOUT_S) == 0
    assert processes_in(folder) == []
    assert "Traceback" not in cluster.output


def test_a_process_that_dies_is_reported_and_ends_the_cluster(cluster: Command, folder: Path) -> None:
    edge = next(pid for pid in children_of(cluster.process.pid) if "edge" in command_of(pid))

    os.kill(edge, signal.SIGKILL)

    assert cluster.wait_for_end(timeout_s=STOP_TIMEOUT_S) == 1
    assert "ended by itself with status -9; stopping the cluster" in cluster.output
    assert processes_in(folder) == []


def create_realm(folder: Path) -> dict[str, str]:
    """Make a realm as the cluster's last line says: in a shell that has read the environment file."""
    line = 'set -a; . "$0"; exec "$1" manage.py create_realm --owner alice@example.com --json'
    words = ["sh", "-c", line, str(folder / "cluster" / "environment"), sys.executable]
    made = subprocess.run(words, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True)
    described: dict[str, str] = json.loads(made.stdout)
    return described


def publish(door: str, realm: dict[str, str], number: int) -> None:
    """Publish `number` at one process."""
    request = urllib.request.Request(
        f"{door}/realm/{realm['realm']}/publish/",
        data=json.dumps({"items": [{"channel": "hello", "json-object": number}]}).encode(),
        headers={"Authorization": f"Bearer {realm['key']}"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.read() == b"Published\n"


def wait_for(stream: "Iterator[bytes]", kind: str) -> dict[str, object]:
    """Return the next message of this kind."""
    for line in stream:
        message: dict[str, object] = json.loads(line)
        if message["type"] == kind:
            return message
    raise AssertionError(f"the stream ended before {kind}")


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def processes_in(folder: Path) -> list[str]:
    """Return what still runs on the cluster's data."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder) in (entry / "environ").read_text(errors="replace"):
                found.append(command_of(int(entry.name)))
        except OSError:
            continue  # it has ended, or is another user's
    return found
