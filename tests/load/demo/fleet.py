"""What the demo is shown on: a Redis that keeps what it acknowledges, a realm, and edges on ports of their own."""

import asyncio
import base64
import contextlib
import json
import re
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import jwt

from deploy import services
from tests.load.generator import NotMeasured
from tests.load.server import WEBSOCKET_LINES
from tests.servers.command import Command, free_port
from tests.servers.edges import Installation
from tests.servers.product import ProductRealm
from tests.servers.redis import RedisServer

START_TIMEOUT_S = 120.0
REQUEST_TIMEOUT_S = 30.0
CHANNEL = "everybody"
#: The longest that an edge lets a client wait.
POLL_S = 55


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge process."""

    port: int
    pid: int

    def resident_bytes(self) -> int:
        """Return how much memory the process has now."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0

    def held(self) -> int:
        """Return how many subscribers it says that it has."""
        found = re.findall(r"^fanout_edge_subscribers\{[^}]*\} (\d+)", _get(self.port, "/metrics"), re.MULTILINE)
        return sum(map(int, found))


@dataclass(frozen=True, slots=True)
class Fleet:
    """A running installation."""

    realm: ProductRealm
    edges: list[Edge]

    def resident_bytes(self) -> int:
        """Return how much memory all edges have now."""
        return sum(edge.resident_bytes() for edge in self.edges)

    def subscribe_request(self, transport: str) -> bytes:
        """Return what each subscriber sends."""
        path = f"/r/{self.realm.realm}/fanout"
        if transport == "websocket":
            first, lines = f"{path}/ws?channel={CHANNEL}", list(WEBSOCKET_LINES)
        else:
            start = json.loads(_get(self.edges[0].port, f"{path}/poll?channel={CHANNEL}&timeout=0"))["cursor"]
            first, lines = f"{path}/poll?channel={CHANNEL}&timeout={POLL_S}&since={start}", []
        return "\r\n".join([f"GET {first} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()

    def publish(self, text: str) -> tuple[float, float]:
        """Publish one item with a signed token; return when that was asked for, and when it was answered."""
        key = base64.b64decode(self.realm.key)
        token = jwt.encode({"iss": self.realm.realm, "exp": int(time.time()) + 300}, key, algorithm="HS256")
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.edges[0].port}/realm/{self.realm.realm}/publish/",
            data=json.dumps({"items": [{"channel": CHANNEL, "json-object": text}]}).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method="POST",
        )
        asked_at = time.monotonic()
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:
            answer.read()
        return asked_at, time.monotonic()


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=REQUEST_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
    return text


@contextlib.asynccontextmanager
async def running_fleet(folder: Path, edges: int) -> AsyncIterator[Fleet]:
    """Run everything until the block ends."""
    with contextlib.ExitStack() as stack:
        url = await asyncio.to_thread(_start_redis, stack, folder)
        installation = await asyncio.to_thread(Installation, folder, url, REALM_CONNECTIONS="0")
        ports = [free_port() for _ in range(edges)]
        commands = [stack.enter_context(installation.starting_edge("--port", str(port))) for port in ports]
        for command in commands:
            await asyncio.to_thread(_wait_for, command)
        pids = [command.process.pid for command in commands]
        yield Fleet(installation.realm, [Edge(port, pid) for port, pid in zip(ports, pids, strict=True)])


def _start_redis(stack: contextlib.ExitStack, folder: Path) -> str:
    if services.find_redis() is None:
        raise NotMeasured("There is no Redis of version 7 or newer: apt-get install redis-server")
    data = folder / "redis"
    data.mkdir()
    server = RedisServer(data, options=["--appendonly", "yes", "--appendfsync", "always"])
    stack.callback(server.kill)
    server.start()
    return server.url


def _wait_for(edge: Command) -> None:
    try:
        edge.wait_for_line("ready: ", timeout_s=START_TIMEOUT_S)
    except AssertionError as problem:
        raise NotMeasured(f"An edge did not start: {problem}") from problem
