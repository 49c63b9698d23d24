"""A real Redis Cluster of three primaries, and of replicas when asked for, on free ports."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.redis import RedisServer, free_port
from tests.servers.sentinel import ask

_START_TIMEOUT_S = 30.0
_SLOTS = 16384


class RedisCluster:
    """Three primaries with a third of the slots each; `replicas` of the first."""

    def __init__(self, directory: Path, *, replicas: int = 0) -> None:
        self.servers = [self._make(directory / str(number)) for number in range(3)]
        self.replicas = [self._make(directory / f"replica-{number}") for number in range(replicas)]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def start(self) -> None:
        """Start all; returns when every node calls the Cluster healthy."""
        everybody = self.servers + self.replicas
        for server in everybody:
            server.start()
        for number, server in enumerate(self.servers):
            first, end = number * _SLOTS // 3, (number + 1) * _SLOTS // 3
            ask(server.port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(end - 1))
            ask(server.port, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        meeting = self.servers[0]
        for server in everybody[1:]:
            ask(meeting.port, "CLUSTER", "MEET", "127.0.0.1", str(server.port), self._bus_port(server))
        known = f"cluster_known_nodes:{len(everybody)}"
        self.wait(lambda: all(known in self._info(server) for server in everybody))
        for replica in self.replicas:
            ask(replica.port, "CLUSTER", "REPLICATE", self.id_of(meeting))
            self.wait(lambda replica=replica: "master_link_status:up" in ask(replica.port, "INFO", "replication"))
        self.wait(lambda: all("cluster_state:ok" in self._info(server) for server in everybody))

    def stop(self) -> None:
        for server in self.servers + self.replicas:
            server.kill()

    def id_of(self, server: RedisServer) -> str:
        """Return the name of the node in the Cluster."""
        return ask(server.port, "CLUSTER", "MYID").split("\r\n")[1]

    def server_of(self, slot: int) -> RedisServer:
        """Return the primary that was given the slot at first."""
        return next(s for n, s in enumerate(self.servers) if slot < (n + 1) * _SLOTS // 3)

    def begin_move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Let the slot be on its way; its keys are where they were."""
        ask(target.port, "CLUSTER", "SETSLOT", str(slot), "IMPORTING", self.id_of(source))
        ask(source.port, "CLUSTER", "SETSLOT", str(slot), "MIGRATING", self.id_of(target))

    def end_move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Move the keys of the slot, and tell everybody."""
        keys = [word for word in self._keys_in(source, slot) if word.startswith("fo:")]
        for key in keys:
            ask(source.port, "MIGRATE", "127.0.0.1", str(target.port), key, "0", "5000")
        for server in (target, source, *self.servers):
            ask(server.port, "CLUSTER", "SETSLOT", str(slot), "NODE", self.id_of(target))

    @staticmethod
    def wait(condition: Callable[[], bool]) -> None:
        """Return when the condition holds; a server that does not answer is asked again."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        pytest.fail("the Cluster did not get there")

    @staticmethod
    def _keys_in(server: RedisServer, slot: int) -> list[str]:
        return ask(server.port, "CLUSTER", "GETKEYSINSLOT", str(slot), "100").split("\r\n")

    @staticmethod
    def _info(server: RedisServer) -> str:
        return ask(server.port, "CLUSTER", "INFO")

    @staticmethod
    def _bus_port(server: RedisServer) -> str:
        return server.options[server.options.index("--cluster-port") + 1]

    @staticmethod
    def _make(directory: Path) -> RedisServer:
        directory.mkdir()
        bus = ["--cluster-port", str(free_port()), "--cluster-node-timeout", "1500"]
        sync = ["--repl-diskless-sync-delay", "0", "--cluster-require-full-coverage", "no"]
        return RedisServer(directory, options=["--cluster-enabled", "yes", *bus, *sync])


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """A Cluster that all tests of the session share: use names of your own in it, and leave the slots alone."""
    yield from _run()


@pytest.fixture
def own_cluster(request: pytest.FixtureRequest) -> Iterator[RedisCluster]:
    """A Cluster of one test, with as many replicas of its first primary as the test says."""
    yield from _run(replicas=getattr(request, "param", 0))


def _run(*, replicas: int = 0) -> Iterator[RedisCluster]:
    with tempfile.TemporaryDirectory(prefix="fanout-cluster-") as directory:
        cluster = RedisCluster(Path(directory), replicas=replicas)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
