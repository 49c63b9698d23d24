"""A real primary with a replica, watched by three real Sentinels that fail over within seconds."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import lifeline
from tests.servers.redis import RedisServer, free_port

PRIMARY_NAME = "fanout-main"
_START_TIMEOUT_S = 20.0
_CONFIGURATION = """
port {port}
bind 127.0.0.1
dir {directory}
sentinel monitor {name} 127.0.0.1 {primary} 2
sentinel down-after-milliseconds {name} 700
sentinel failover-timeout {name} 3000
"""


class SentinelInstallation:
    """One primary, one replica, three Sentinels. `options` are for both servers."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.servers = [RedisServer(self._make_directory(name)) for name in ("one", "two")]
        self.sentinel_ports = [free_port() for _ in range(3)]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return f"redis+sentinel://{places}/{PRIMARY_NAME}/0"

    @property
    def primary(self) -> RedisServer:
        """The server that the Sentinels name."""
        reply = ask(self.sentinel_ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME)
        return next(server for server in self.servers if str(server.port) in reply)

    def start(self) -> None:
        """Start all; returns when each Sentinel knows the replica and the other two."""
        first, second = self.servers
        second.options = ["--replicaof", "127.0.0.1", str(first.port), "--repl-diskless-sync-delay", "0"]
        first.options = ["--repl-diskless-sync-delay", "0"]
        first.start()
        second.start()
        self._wait(lambda: "master_link_status:up" in ask(second.port, "INFO", "replication"))
        for number, port in enumerate(self.sentinel_ports):
            path = self._make_directory(f"sentinel-{number}") / "sentinel.conf"
            path.write_text(
                _CONFIGURATION.format(port=port, directory=path.parent, name=PRIMARY_NAME, primary=first.port)
            )
            log = ["--logfile", str(path.parent / "log")]
            self._sentinels.append(lifeline.start([_binary(), str(path), "--sentinel", *log]))
        expected = "slaves=1,sentinels=3"
        self._wait(lambda: all(expected in ask(port, "INFO", "sentinel") for port in self.sentinel_ports))

    def stop(self) -> None:
        for process in self._sentinels:
            process.kill()
            process.wait()
        for server in self.servers:
            server.kill()

    def _make_directory(self, name: str) -> Path:
        path = self._directory / name
        path.mkdir()
        return path

    def _wait(self, condition) -> None:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not _holds(condition):
            if time.monotonic() > deadline:
                self.stop()
                pytest.fail("the Sentinels did not find each other")
            time.sleep(0.05)


def ask(port: int, *command: str) -> str:
    """Return the raw answer of a server to one command."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        words = "".join(f"${len(word)}\r\n{word}\r\n" for word in command)
        connection.sendall(f"*{len(command)}\r\n{words}".encode())
        return connection.recv(65536).decode()


def _holds(condition) -> bool:  # type: ignore[no-untyped-def]
    try:
        return bool(condition())
    except OSError:
        return False


def _binary() -> str:
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    assert binary is not None  # RedisServer.start was there before
    return binary


@pytest.fixture
def sentinels() -> Iterator[SentinelInstallation]:
    """Servers and Sentinels of one test, which may kill the primary."""
    with tempfile.TemporaryDirectory(prefix="fanout-sentinel-") as directory:
        installation = SentinelInstallation(Path(directory))
        try:
            installation.start()
            yield installation
        finally:
            installation.stop()
