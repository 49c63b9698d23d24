"""Edges of one installation: `manage.py edge` as processes on one port, a Redis and a realm for all of them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers import prepared_folder
from tests.servers.command import Command, clean_environment, free_port, started
from tests.servers.product import ProductRealm, run_python

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0


class Installation:
    """Where edges run. All of them share port, data and Redis."""

    def __init__(self, data_dir: Path, redis_url: str, **variables: str) -> None:
        self.data_dir = data_dir
        self.take_port()
        self.environment = clean_environment(
            DATA_DIR=str(data_dir), PORT=str(self.port), REDIS_URL=redis_url, PYTHONUNBUFFERED="1", **variables
        )
        prepared_folder.fill(data_dir, self.environment)
        self.realm = ProductRealm(**json.loads(self._run("create_realm", "--owner", "alice@example.com", "--json")))

    def take_port(self) -> None:
        """Have the edges that are started from now on serve another port."""
        self.port = free_port()

    @property
    def control(self) -> Path:
        """Where the edge of the port is asked to hand over."""
        return self.data_dir / f"edge-{self.port}.sock"

    def run_python(self, code: str, *arguments: str) -> None:
        """Run code beside the edges, on their database."""
        run_python(code, *arguments, environment=self.environment)

    def _run(self, *words: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            check=True,
            timeout=START_TIMEOUT_S,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    @contextlib.contextmanager
    def edge(self, *options: str) -> Iterator[Command]:
        """Run an edge that serves; what is left of it is killed at the end."""
        with self.starting_edge(*options) as edge:
            edge.wait_for_line("ready: ", timeout_s=START_TIMEOUT_S)
            yield edge

    def starting_edge(self, *options: str) -> "contextlib.AbstractContextManager[Command]":
        """Run an edge without waiting for it."""
        words = [sys.executable, "manage.py", "edge", "--port", str(self.port), *options]
        return started(words, folder=ROOT, environment=self.environment)


def end(edge: Command, *, timeout_s: float = 30.0) -> int:
    """End an edge as an operator does; return its status."""
    os.kill(edge.process.pid, signal.SIGTERM)
    return edge.wait_for_end(timeout_s=timeout_s)
