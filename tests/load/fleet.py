"""A whole installation to measure: a Redis that keeps what it acknowledges, a realm, edges on ports of their own."""

import asyncio
import base64
import contextlib
import json
import os
import re
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from deploy import services
from tests.load.generator import NotMeasured
from tests.load.server import WEBSOCKET_LINES, running_server
from tests.servers.command import Command, free_port
from tests.servers.edges import Installation
from tests.servers.product import ProductRealm
from tests.servers.redis import RedisServer

START_TIMEOUT_S = 120.0
REQUEST_TIMEOUT_S = 30.0
CHANNEL = "everybody"
#: The longest that an edge lets a client wait.
POLL_S = 55


UNLIMITED = {
    "REALM_CONNECTIONS": "0",
    "EGRESS_BYTES_PER_S": "0",
    "PUBLISH_ITEMS_PER_S": "10000000",
    "PUBLISH_ITEMS_BURST": "10000000",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge process."""

    port: int
    pid: int

    def resident_bytes(self) -> int:
        """Return how much memory the process has now."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0

    def cpu_s(self) -> float:
        """Return how much processor time the process has used up to now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

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

    def cpu_s(self) -> float:
        """Return how much processor time all edges have used up to now."""
        return sum(edge.cpu_s() for edge in self.edges)

    def wait_until_held(self, subscribers: int, *, timeout_s: float) -> None:
        """Return when the edges say that they hold so many."""
        deadline = time.monotonic() + timeout_s
        while (held := sum(edge.held() for edge in self.edges)) < subscribers:
            if time.monotonic() > deadline:
                raise NotMeasured(f"the edges hold {held:,} of {subscribers:,} subscribers after {timeout_s:.0f} s")
            time.sleep(0.1)

    def subscribe_request(self, transport: str, channel: str = CHANNEL) -> bytes:
        """Return what each subscriber sends."""
        path, lines = f"/r/{self.realm.realm}/fanout", ["Host: localhost"]
        if transport == "poll":
            start = json.loads(_get(self.edges[0].port, f"{path}/poll?channel={channel}&timeout=0"))["cursor"]
            first = f"{path}/poll?channel={channel}&timeout={POLL_S}&since={start}"
        else:
            lines += WEBSOCKET_LINES if transport == "websocket" else []
            first = f"{path}/{'ws' if transport == 'websocket' else transport}?channel={channel}"
        return "\r\n".join([f"GET {first} HTTP/1.1", *lines, "", ""]).encode()

    def publish_request(self, items: Sequence[dict[str, Any]]) -> bytes:
        """Return a publish of the items with a signed token."""
        body = json.dumps({"items": items}).encode()
        key = base64.b64decode(self.realm.key)
        token = jwt.encode({"iss": self.realm.realm, "exp": int(time.time()) + 3600}, key, algorithm="HS256")
        head = [
            f"POST /realm/{self.realm.realm}/publish/ HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body

    def publish(self, text: str, channel: str = CHANNEL) -> tuple[float, float]:
        """Publish one item; return when that was asked for, and when it was answered."""
        request = self.publish_request([{"channel": channel, "json-object": text}])
        with socket.create_connection(("127.0.0.1", self.edges[0].port), timeout=REQUEST_TIMEOUT_S) as connection:
            asked_at = time.monotonic()
            connection.sendall(request)
            answer = connection.recv(4096)
            answered_at = time.monotonic()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise NotMeasured(f"the publish was answered with {answer[:300]!r}")
        return asked_at, answered_at


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=REQUEST_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
    return text


@contextlib.asynccontextmanager
async def running_fleet(
    folder: Path, edges: int, *, fsync: str = "always", prepare: Callable[[Installation], None] | None = None
) -> AsyncIterator[Fleet]:
    """Run everything until the block ends, with limits of realms that nobody reaches.

    `fsync` is Redis' `appendfsync`: whether an item is on the disk when its publish is answered. `prepare` is called
    before the edges start.
    """
    with contextlib.ExitStack() as stack:
        url = await asyncio.to_thread(_start_redis, stack, folder, fsync)
        installation = await asyncio.to_thread(Installation, folder, url, **UNLIMITED)
        if prepare is not None:
            await asyncio.to_thread(prepare, installation)
        ports = [free_port() for _ in range(edges)]
        commands = [stack.enter_context(installation.starting_edge("--port", str(port))) for port in ports]
        for command in commands:
            await asyncio.to_thread(_wait_for, command)
        pids = [command.process.pid for command in commands]
        yield Fleet(installation.realm, [Edge(port, pid) for port, pid in zip(ports, pids, strict=True)])


@contextlib.asynccontextmanager
async def running_alone(folder: Path) -> AsyncIterator[Fleet]:
    """Run one process that does everything, with items in its memory."""
    with contextlib.ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, running_server(folder, port=0, **UNLIMITED))
        realm = ProductRealm(server.realm, server.key, api="", site="", grip_url="")
        yield Fleet(realm, [Edge(server.port, server.pid)])


def _start_redis(stack: contextlib.ExitStack, folder: Path, fsync: str) -> str:
    if services.find_redis() is None:
        raise NotMeasured("There is no Redis of version 7 or newer: apt-get install redis-server")
    data = folder / "redis"
    data.mkdir()
    recommended = ["--stream-node-max-bytes", "1024"]  # docs/howto/configure.md
    server = RedisServer(data, options=["--appendonly", "yes", "--appendfsync", fsync, *recommended])
    stack.callback(server.kill)
    server.start()
    return server.url


def _wait_for(edge: Command) -> None:
    try:
        edge.wait_for_line("ready: ", timeout_s=START_TIMEOUT_S)
    except AssertionError as problem:
        raise NotMeasured(f"An edge did not start: {problem}") from problem
