"""The Redis that keeps the streams, in each arrangement that the product knows: one server, Sentinels, a Cluster.

Each knows how its processes are started and brought together, and which of them may be killed next: one whose loss
hurts, and from which the arrangement can come back with all that was acknowledged.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tests.prove.process import Process, ask, call
from tests.servers.command import free_port

SETTLE_TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.1
PRIMARY_NAME = "fanout-main"
SENTINELS = 3
NODES = 3
_SLOTS = 16384
_SENTINEL_CONFIGURATION = f"""
port {{port}}
bind 127.0.0.1
dir {{folder}}
sentinel monitor {PRIMARY_NAME} 127.0.0.1 {{primary}} 2
sentinel down-after-milliseconds {PRIMARY_NAME} 700
sentinel failover-timeout {PRIMARY_NAME} 3000
"""
#: Name, command, port → a process that is not yet running.
MakeProcess = Callable[[str, list[str], int], Process]


class DidNotSettle(Exception):
    """The servers did not find each other in time."""


class RedisServers(Protocol):
    """Where streams are kept."""

    processes: list[Process]
    url: str
    keeps_epochs: bool  # whether a kill can take nothing back, so that nobody may ever be told of a reset

    async def settle(self) -> None:
        """Bring the processes together, which all answer by now; raise `DidNotSettle` if that takes too long."""

    async def find_victim(self) -> Process | None:
        """Return the server to kill next; None: the arrangement could not bear another loss now."""

    async def cut_live_connections(self) -> None:
        """Drop the connections that live items come by; those for publishing stay."""


class OneServer:
    """One server. `keeps`: its `appendfsync`, or `nothing` for one that forgets everything when it is killed."""

    def __init__(self, make: MakeProcess, folder: Path, *, keeps: str) -> None:
        server = make("redis", *_server(folder / "redis", keeps))
        self.processes = [server]
        self.url = f"redis://127.0.0.1:{server.port}/0"
        self.keeps_epochs = keeps == "always"

    async def settle(self) -> None:
        """There is nobody to find."""

    async def find_victim(self) -> Process | None:
        return self.processes[0] if self.processes[0].is_ready.is_set() else None

    async def cut_live_connections(self) -> None:
        await _cut(self.processes)


class BehindSentinels:
    """A primary and a replica, which has an item before it is acknowledged; three Sentinels, which are spared.

    The primary that was lost comes back as it was, and is made a replica some seconds later: until then nothing is
    acknowledged. A failover begins new epochs.
    """

    keeps_epochs = False

    def __init__(self, make: MakeProcess, folder: Path) -> None:
        self._servers = [make(f"redis.{n}", *_server(folder / f"redis-{n}", "always", in_file=True)) for n in (1, 2)]
        first, second = self._servers
        with (folder / "redis-2" / "redis.conf").open("a") as file:
            file.write(f"replicaof 127.0.0.1 {first.port}\n")
        self._sentinels = [self._make_sentinel(make, folder, number) for number in range(1, SENTINELS + 1)]
        self.processes = [first, second, *self._sentinels]
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self._sentinels)
        self.url = f"redis+sentinel://{places}/{PRIMARY_NAME}/0?replicas=1"

    def _make_sentinel(self, make: MakeProcess, folder: Path, number: int) -> Process:
        own, port = folder / f"sentinel-{number}", free_port()
        own.mkdir()
        text = _SENTINEL_CONFIGURATION.format(port=port, folder=own, primary=self._servers[0].port)
        (own / "sentinel.conf").write_text(text)
        return make(f"sentinel.{number}", ["redis-server", str(own / "sentinel.conf"), "--sentinel"], port)

    async def settle(self) -> None:
        async def is_settled() -> bool:
            told = [await call(sentinel.port, "INFO", "sentinel") for sentinel in self._sentinels]
            is_known = all(f"slaves=1,sentinels={SENTINELS}" in one for one in told)
            return is_known and await self.find_victim() is not None

        await _until(is_settled)

    async def find_victim(self) -> Process | None:
        """Return the primary, once its replica has caught up."""
        named = await call(self._sentinels[0].port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME)
        primary = next((server for server in self._servers if f"\r\n{server.port}\r\n" in named), None)
        if primary is None or not primary.is_ready.is_set():
            return None
        told = await call(primary.port, "INFO", "replication")
        return primary if "role:master" in told and "state=online" in told else None

    async def cut_live_connections(self) -> None:
        await _cut(self._servers)


class Cluster:
    """Three primaries with a third of the slots each. One that is killed comes back with its file.

    While it is away, channels in its slots can't be published to, and the others can. Its return begins new epochs.
    """

    keeps_epochs = False

    def __init__(self, make: MakeProcess, folder: Path) -> None:
        self.processes = [self._make_node(make, folder, number) for number in range(1, NODES + 1)]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.processes)
        self._next = 0

    @staticmethod
    def _make_node(make: MakeProcess, folder: Path, number: int) -> Process:
        bus = ["--cluster-port", str(free_port()), "--cluster-node-timeout", "1500"]
        options = ["--cluster-enabled", "yes", *bus, "--cluster-require-full-coverage", "no"]
        command, port = _server(folder / f"node-{number}", "always")
        return make(f"redis.{number}", [*command, *options], port)

    async def settle(self) -> None:
        first = self.processes[0]
        for number, node in enumerate(self.processes):
            begin, end = number * _SLOTS // NODES, (number + 1) * _SLOTS // NODES
            await call(node.port, "CLUSTER", "ADDSLOTSRANGE", str(begin), str(end - 1))
            await call(node.port, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for node in self.processes[1:]:
            bus = node.command[node.command.index("--cluster-port") + 1]
            await call(first.port, "CLUSTER", "MEET", "127.0.0.1", str(node.port), bus)
        await _until(self._is_whole)

    async def _is_whole(self) -> bool:
        told = [await call(node.port, "CLUSTER", "INFO") for node in self.processes]
        return all("cluster_state:ok" in one and f"cluster_known_nodes:{NODES}" in one for one in told)

    async def find_victim(self) -> Process | None:
        """Return each node in its turn, once all are back."""
        if not await self._is_whole():
            return None
        self._next += 1
        return self.processes[self._next % NODES]

    async def cut_live_connections(self) -> None:
        await _cut(self.processes)


def make_servers(arrangement: str, make: MakeProcess, folder: Path, *, keeps: str) -> RedisServers:
    """Return the servers of an arrangement: `single`, `sentinel` or `cluster`."""
    if arrangement == "sentinel":
        return BehindSentinels(make, folder)
    return Cluster(make, folder) if arrangement == "cluster" else OneServer(make, folder, keeps=keeps)


def _server(folder: Path, keeps: str, *, in_file: bool = False) -> tuple[list[str], int]:
    """Return the command of a server and its port; in a file, its options are rewritten when its role changes."""
    folder.mkdir()
    port = free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "maxmemory-policy": "noeviction"}
    options |= {"repl-diskless-sync-delay": "0", "save": "" if not in_file else '""'}
    options |= {"appendonly": "no"} if keeps == "nothing" else {"appendonly": "yes", "appendfsync": keeps}
    if in_file:
        file = folder / "redis.conf"
        file.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        return ["redis-server", str(file)], port
    return ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))], port


async def _cut(servers: Sequence[Process]) -> None:
    for server in servers:
        await ask(server.port, b"CLIENT KILL TYPE pubsub\r\n")


async def _until(condition: Callable[[], "asyncio._CoroutineLike[bool]"]) -> None:
    try:
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            while not await condition():  # noqa: ASYNC110 - other processes come to it, and tell nobody
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise DidNotSettle(f"the Redis servers did not find each other within {SETTLE_TIMEOUT_S:.0f} s") from None
