"""What `make bench` measures besides fan-out to one channel, each on a fresh installation.

A figure counts only if every subscriber got what it should, exactly once: else its fault is told, and the run fails.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.load.crowd import Crowd, connected, next_round, shares
from tests.load.fleet import Fleet, running_alone, running_fleet
from tests.load.generator import NotMeasured, build
from tests.load.stuck import compare_rounds

CALLERS_SOURCE = Path(__file__).with_name("callers.c")
MARKER = "fanbench000000"
CHANNEL_OF_ITS_OWN = "fansub000000"  # both generators put numbers for the digits
CALLERS = 16
BATCH = 100
BURST = 16
SETTLE_S = 1.0
KEEP_ALIVE_S = 25
ANSWERS_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """How much is tried."""

    subscribers: int = 10_000
    seconds: float = 5.0
    rounds: int = 20
    transports: tuple[str, ...] = ("websocket", "sse", "stream", "poll")  # whose memory is measured


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, what it should be, and what makes it void."""

    scenario: str
    what: str
    value: float
    unit: str
    target: str = ""
    fault: str = ""


Scenario = Callable[[Options, Path], Awaitable[list[Figure]]]


# -- publishing


async def measure_publishing(options: Options, folder: Path) -> list[Figure]:
    """16 callers, each waiting for its answer; a signed token on each request; items are in Redis before the answer."""
    figures = []
    async with running_fleet(folder, 1, fsync="everysec") as fleet:
        for items, target in ((1, "5,000"), (BATCH, "60,000")):
            body = [{"channel": CHANNEL_OF_ITS_OWN, "json-object": MARKER} for _ in range(items)]
            told = await _call(fleet, folder, body, callers=CALLERS, seconds=options.seconds, channels=BATCH)
            fault = f"{told['bad']} publishes were refused" if told["bad"] else ""
            what = "one item per request" if items == 1 else f"{items} items per request"
            figures += [
                Figure("publish", what, told["per_s"] * items, "items/s", f"≥ {target}", fault),
                Figure("publish", f"{what}, p99 of the answer", told["p99_ms"], "ms"),
            ]
    return figures


async def _call(fleet: Fleet, folder: Path, items: list[dict[str, Any]], **how: Any) -> dict[str, Any]:
    return await call(fleet.edges[0].port, fleet.publish_request(items), folder, **how)


async def call(
    port: int,
    publish: bytes,
    folder: Path,
    *,
    callers: int,
    seconds: float = ANSWERS_TIMEOUT_S,
    requests: int = 0,
    channels: int = 0,
) -> dict[str, Any]:
    """Have callers send the same publish until time is up or so many requests were sent; see callers.c."""
    request = folder / "publish"
    request.write_bytes(publish)
    program = await asyncio.to_thread(build, CALLERS_SOURCE)
    words = [port, callers, seconds, requests, request, channels]
    process = await asyncio.create_subprocess_exec(program, *map(str, words), stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(seconds + ANSWERS_TIMEOUT_S):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise NotMeasured("The callers failed; their words are above")
    described: dict[str, Any] = json.loads(told)
    return described


# -- many channels


async def measure_channels(options: Options, folder: Path) -> list[Figure]:
    """Each subscriber has a channel of its own; batches of 100 items, one for each channel, from 4 callers."""
    async with running_fleet(folder, 1, fsync="everysec") as fleet:
        crowd = Crowd(fleet.edges[0].port, options.subscribers)
        request = _subscribe(fleet, folder, "websocket", CHANNEL_OF_ITS_OWN)
        batch = min(BATCH, options.subscribers)
        items = [{"channel": CHANNEL_OF_ITS_OWN, "json-object": MARKER} for _ in range(batch)]
        per_s, cpu_us, faults = [], [], []
        async with connected([crowd], request, ready="subscribed", marker=MARKER[:-6]):
            for _ in range(max(1, options.rounds // 4)):
                requests, cpu_s = options.subscribers // batch, fleet.cpu_s()
                told = await _call(fleet, folder, items, callers=4, requests=requests, channels=options.subscribers)
                (got,) = await next_round([crowd], requests * batch)
                per_s.append(got.items / (got.last_at - told["began_at"]))
                cpu_us.append(1e6 * (fleet.cpu_s() - cpu_s) / (requests * batch))
                if (got.items, got.most, told["bad"]) != (requests * batch, 1, 0):
                    faults.append(f"{got.items} items came instead of {requests * batch}")
    what = f"{options.subscribers:,} subscribers on as many channels"
    return [
        Figure("channels", what, median(per_s), "items/s", "≥ 25,000", "; ".join(faults[:1])),
        Figure("channels", "the edge's processor time, from publish to subscriber", median(cpu_us), "µs/item"),
    ]


def _subscribe(fleet: Fleet, folder: Path, transport: str, channel: str) -> Path:
    request = folder / "request"
    request.write_bytes(fleet.subscribe_request(transport, channel))
    return request


# -- from publish to the last subscriber


async def measure_latency(options: Options, folder: Path) -> list[Figure]:
    """The same subscribers once on one process with items in memory, once on two edges with Redis."""
    figures: list[Figure] = []
    lasts = []
    for what, crowds in (("one process", 1), ("Redis and two edges", 2)):
        own = folder / str(crowds)
        own.mkdir()
        async with AsyncExitStack() as stack:
            running = running_alone(own) if crowds == 1 else running_fleet(own, crowds, fsync="everysec")
            fleet = await stack.enter_async_context(running)
            last_ms, fault = await _rounds_of_one(fleet, own, options)
        lasts.append(_p99(last_ms))
        figures += [
            Figure("latency", f"{what}: last subscriber, median", median(last_ms), "ms", "", fault),
            Figure("latency", f"{what}: last subscriber, p99 of the rounds", lasts[-1], "ms"),
        ]
    return [*figures, Figure("latency", "two edges over one process, p99", lasts[1] / lasts[0], "times", "≤ 1.5")]


async def _rounds_of_one(fleet: Fleet, folder: Path, options: Options) -> tuple[list[float], str]:
    """Publish one item a round; return when the last subscriber had it, in milliseconds, and what went wrong."""
    ports = [edge.port for edge in fleet.edges] * (2 // len(fleet.edges))  # two generators either way
    crowds = [Crowd(port, part) for port, part in zip(ports, shares(options.subscribers, 2), strict=True)]
    last_ms, fault = [], ""
    request = _subscribe(fleet, folder, "websocket", "everybody")
    async with connected(crowds, request, ready="subscribed", marker=MARKER):
        for _ in range(options.rounds):
            asked_at, _answered = await asyncio.to_thread(fleet.publish, MARKER)
            rounds = await next_round(crowds, options.subscribers)
            last_ms.append(1000 * (max(one.last_at for one in rounds) - asked_at))
            if any((one.least, one.most) != (1, 1) for one in rounds):
                fault = "not every subscriber got every item once"
    return last_ms, fault


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1) + 0.5)]


async def measure_slow(options: Options, folder: Path) -> list[Figure]:
    """Whether subscribers notice that a hundredth as many others read nothing; see `stuck`."""
    compared = await compare_rounds(folder, subscribers=options.subscribers, rounds=max(1, options.rounds // 2))
    return [
        Figure("slow", "nobody is slow: p99 of a round", median(compared.quiet_ms), "ms", "", compared.fault),
        Figure("slow", "beside some who read nothing", median(compared.beside_stuck_ms), "ms"),
        Figure("slow", "that over this, round by round", compared.ratio, "times", "≤ 1.1"),
    ]


# -- bursts


async def measure_bursts(options: Options, folder: Path) -> list[Figure]:
    """16 items published at once to half of the subscribers: what comes together is written together."""
    subscribers = max(1, options.subscribers // 2)
    async with running_alone(folder) as fleet:
        crowd = Crowd(fleet.edges[0].port, subscribers)
        items = [{"channel": "everybody", "json-object": MARKER} for _ in range(BURST)]
        per_s, fault = [], ""
        request = _subscribe(fleet, folder, "websocket", "everybody")
        async with connected([crowd], request, ready="subscribed", marker=MARKER[:-6]):
            for _ in range(options.rounds):
                told = await _call(fleet, folder, items, callers=1, requests=1)
                (got,) = await next_round([crowd], subscribers * BURST)
                per_s.append(got.items / (got.last_at - told["began_at"]))
                if (got.least, got.most) != (BURST, BURST):
                    fault = f"a subscriber got {got.least} to {got.most} items instead of {BURST}"
    what = f"{BURST} items at once to {subscribers:,}"
    return [Figure("bursts", what, median(per_s), "msg/s", "≥ 500,000", fault)]


# -- connections that are only held


async def measure_idle(options: Options, folder: Path) -> list[Figure]:
    """Processor time of connections on which nothing happens but keep-alives; without those of the empty process."""
    seconds = max(options.seconds * 6, 2.0 if options.seconds < 1 else KEEP_ALIVE_S)
    async with running_alone(folder) as fleet:
        empty_s = await _cpu_while(fleet, seconds / 3)
        crowd = Crowd(fleet.edges[0].port, options.subscribers)
        request = _subscribe(fleet, folder, "websocket", "everybody")
        async with connected([crowd], request, ready="subscribed", marker=MARKER):
            await asyncio.sleep(SETTLE_S)
            held_s = await _cpu_while(fleet, seconds)
        fault = f"{crowd.lost} connections were lost" if crowd.lost else ""
    each_us = 1e6 * max(0.0, held_s - empty_s) / options.subscribers
    what = f"{options.subscribers:,} WebSockets, keep-alives every {KEEP_ALIVE_S} s"
    return [Figure("idle", what, each_us, "µs CPU/connection/s", "≤ 5", fault)]


async def _cpu_while(fleet: Fleet, seconds: float) -> float:
    """Return how much processor time is used per second, over so many seconds."""
    before, began_at = fleet.cpu_s(), time.monotonic()
    await asyncio.sleep(seconds)
    return (fleet.cpu_s() - before) / (time.monotonic() - began_at)


async def measure_memory(options: Options, folder: Path) -> list[Figure]:
    """Resident memory of the process for each held connection, by transport, on a fresh process each."""
    figures = []
    for transport in options.transports:
        own = folder / transport
        own.mkdir()
        async with running_alone(own) as fleet:
            request = _subscribe(fleet, own, transport, "everybody")
            ready = "" if transport == "poll" else "subscribed"
            async with connected([Crowd(fleet.edges[0].port, 20)], request, ready=ready, marker=MARKER):
                await asyncio.to_thread(fleet.wait_until_held, 20, timeout_s=30.0)  # what is made once is made now
            await asyncio.sleep(SETTLE_S)
            before = fleet.resident_bytes()
            crowd = Crowd(fleet.edges[0].port, options.subscribers)
            async with connected([crowd], request, ready=ready, marker=MARKER):
                await asyncio.to_thread(fleet.wait_until_held, options.subscribers, timeout_s=30.0)
                await asyncio.sleep(SETTLE_S)
                each = (fleet.resident_bytes() - before) / options.subscribers
        what = f"{transport}, {options.subscribers:,} held"
        figures.append(Figure("memory", what, each / 1000, "KB/connection", "≤ 9"))
    return figures


SCENARIOS: dict[str, Scenario] = {
    "publish": measure_publishing,
    "channels": measure_channels,
    "latency": measure_latency,
    "slow": measure_slow,
    "bursts": measure_bursts,
    "idle": measure_idle,
    "memory": measure_memory,
}
