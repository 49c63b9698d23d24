"""What one realm at a hundred times its limit does to others: `python -m tests.load.neighbours`.

One process of the product, alternating quiet and loud rounds. Four realms publish just below 20 items/s each to a
WebSocket of their own; the time from the request to the item's arrival is taken. In loud rounds a fifth realm, which
may publish 20 items/s, is sent 2,000 publishes/s over 32 connections by another process, as far as its answers let it.
Prints the medians of the rounds' p50 and p99, and of the ratio of the p99 of each loud round and the quiet one before.
"""

import argparse
import asyncio
import base64
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from tests.servers.product import Product, ProductRealm

LIMIT_PER_S = 20
NEIGHBOURS = 4
CONNECTIONS = 32
PATIENCE_S = 20.0
CHANNEL = "neighbours"


@dataclass(slots=True)
class Measured:
    """Latencies of the neighbours, in seconds, and what the loud realm was answered."""

    quiet: list[list[float]] = field(default_factory=list)  # one list for each round
    loud: list[list[float]] = field(default_factory=list)
    offered: int = 0
    answered: int = 0
    accepted: int = 0
    loud_s: float = 0.0

    @property
    def ratio(self) -> float:
        """How much higher the neighbours' p99 is in a loud round than in the quiet one before: the median of that.

        Rounds that follow on each other share the machine's mood.
        """
        pairs = zip(self.quiet, self.loud, strict=True)
        return statistics.median(quantile(loud, 0.99) / quantile(quiet, 0.99) for quiet, loud in pairs)


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that `part` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def publish_request(realm: ProductRealm, port: int, value: float) -> bytes:
    body = json.dumps({"items": [{"channel": CHANNEL, "json-object": value}]}).encode()
    credential = base64.b64encode(f"{realm.realm}:{realm.key}".encode()).decode()
    head = [
        f"POST /realm/{realm.realm}/publish/ HTTP/1.1",
        f"Host: localhost:{port}",
        f"Authorization: Basic {credential}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


async def read_answer(reader: asyncio.StreamReader) -> int:
    """Read one HTTP answer; return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
    await reader.readexactly(size)
    return int(head.split(b" ", 2)[1])


class Neighbour:
    """A well-behaved realm: one subscriber, one publisher."""

    def __init__(self, realm: ProductRealm, port: int) -> None:
        self._realm = realm
        self._port = port
        self._socket: ClientConnection
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def start(self) -> None:
        url = f"ws://127.0.0.1:{self._port}/r/{self._realm.realm}/fanout/ws?channel={CHANNEL}"
        self._socket = await connect(url, proxy=None)
        await self._next("subscribed")
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def publish(self) -> float:
        """Publish one item; return the seconds until it has arrived."""
        begin = time.perf_counter()
        self._writer.write(publish_request(self._realm, self._port, begin))
        async with asyncio.timeout(PATIENCE_S):
            await self._next("item")
            took_s = time.perf_counter() - begin
            assert await read_answer(self._reader) == 200
        return took_s

    async def _next(self, kind: str) -> None:
        while json.loads(await self._socket.recv())["type"] != kind:
            pass

    async def run(self, seconds: float) -> list[float]:
        """Publish `LIMIT_PER_S` times a second, a little below the limit."""
        end, took = time.monotonic() + seconds, []
        while time.monotonic() < end:
            took.append(await self.publish())
            await asyncio.sleep(1.1 / LIMIT_PER_S)
        return took

    async def close(self) -> None:
        self._writer.close()
        await self._socket.close()


async def flood(realm: ProductRealm, port: int, seconds: float) -> dict[str, int]:
    """Send a hundred times the limit over `CONNECTIONS` connections, as far as answers let; return what came of it."""
    counts = {"offered": 0, "answered": 0, "accepted": 0}
    end = time.monotonic() + seconds
    due_every_s = CONNECTIONS / (100 * LIMIT_PER_S)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request, due = publish_request(realm, port, 0), time.monotonic()
        while time.monotonic() < end:
            writer.write(request)
            counts["offered"] += 1
            status = await read_answer(reader)
            counts["answered"] += 1
            counts["accepted"] += status == 200
            due = max(due + due_every_s, time.monotonic() - 1)  # who was held up tries to make up for it
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        writer.close()

    async with asyncio.timeout(seconds + PATIENCE_S), asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(one())
    return counts


async def measure(
    product: Product, realms: Sequence[ProductRealm], *, seconds: float, rounds: int, is_control: bool = False
) -> Measured:
    """Measure in alternating rounds of `seconds`; the last realm is the loud one, or in a control quiet, too."""
    neighbours = [Neighbour(realm, product.port) for realm in realms[:-1]]
    measured = Measured()
    for neighbour in neighbours:
        await neighbour.start()
        await neighbour.publish()
    for number in range(rounds):
        loud = number % 2 == 1
        flooding = await _start_flood(realms[-1], product.port, seconds) if loud and not is_control else None
        results = await asyncio.gather(*[neighbour.run(seconds) for neighbour in neighbours])
        (measured.loud if loud else measured.quiet).append([took for result in results for took in result])
        if flooding is not None:
            output, _ = await flooding.communicate()
            counts = json.loads(output)
            measured.offered += counts["offered"]
            measured.answered += counts["answered"]
            measured.accepted += counts["accepted"]
            measured.loud_s += seconds
    for neighbour in neighbours:
        await neighbour.close()
    return measured


async def _start_flood(realm: ProductRealm, port: int, seconds: float) -> asyncio.subprocess.Process:
    """Start the other process; return when it begins to send."""
    words = ["-m", "tests.load.neighbours", "--flood", realm.realm, realm.key, str(port), "--seconds", str(seconds)]
    flooding = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=subprocess.PIPE)
    assert flooding.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        await flooding.stdout.readline()
    return flooding


def start_product(folder: Path) -> Product:
    """Start a product whose realms may publish `LIMIT_PER_S` items per second."""
    limits = {"PUBLISH_ITEMS_PER_S": str(LIMIT_PER_S), "PUBLISH_ITEMS_BURST": str(LIMIT_PER_S)}
    product = Product(folder, environment=limits)
    product.start()
    return product


def main() -> None:
    """Measure and print, or flood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--control", action="store_true", help="no flood: what the ratio is by chance")
    parser.add_argument("--flood", nargs=3, metavar=("REALM", "KEY", "PORT"))
    options = parser.parse_args()
    if options.flood:
        realm, key, port = options.flood
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        loud = ProductRealm(realm=realm, key=key, api="", site="", grip_url="")
        sys.stdout.write(json.dumps(asyncio.run(flood(loud, int(port), options.seconds))))
        return
    with tempfile.TemporaryDirectory() as folder:
        product = start_product(Path(folder))
        try:
            realms = product.create_realms(*[f"realm-{number}@example.com" for number in range(NEIGHBOURS + 1)])
            found = asyncio.run(
                measure(product, realms, seconds=options.seconds, rounds=options.rounds, is_control=options.control)
            )
        finally:
            product.kill()
    for name, all_rounds in (("quiet", found.quiet), ("loud", found.loud)):
        p50, p99 = (statistics.median(quantile(one, part) for one in all_rounds) * 1000 for part in (0.5, 0.99))
        sys.stdout.write(f"{name}: median over {len(all_rounds)} rounds of p50 {p50:.2f} ms, of p99 {p99:.2f} ms\n")
    sys.stdout.write(f"ratio of p99: {found.ratio:.2f}\n")
    if found.loud_s:
        answered, accepted = found.answered / found.loud_s, found.accepted / found.loud_s
        sys.stdout.write(f"the loud realm: {answered:.0f} answers/s, {accepted:.0f} of them accepted\n")


if __name__ == "__main__":
    main()
