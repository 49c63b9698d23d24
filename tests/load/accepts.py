"""What it costs a process to accept a subscriber: all connect at once to one channel, with one token or without.

Connections per second are told, too, but the generator shares the cores with what it measures; the processor time of
the process is its own.
"""

import asyncio
import base64
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import jwt

from tests.load.crowd import Crowd, connected
from tests.load.fleet import Fleet, running_alone
from tests.load.scenarios import SETTLE_S, Figure, Options

CHANNEL = "everybody"
TRANSPORTS = ("websocket", "sse")


async def measure_accepts(options: Options, folder: Path) -> list[Figure]:
    """Connect the same crowd some times by each transport; one subscriber is there already, so the channel is open."""
    figures = []
    async with running_alone(folder) as fleet:
        for transport in TRANSPORTS:
            for has_token in (False, True):
                request = folder / "request"
                request.write_bytes(_subscribe(fleet, transport, has_token=has_token))
                async with connected([Crowd(fleet.edges[0].port, 1)], request, ready="subscribed", marker=CHANNEL):
                    rounds = [
                        await accept_all(fleet.edges[0].port, fleet.cpu_s, request, options.subscribers)
                        for _ in range(max(1, options.rounds // 4))
                    ]
                cpu_us, per_s = zip(*rounds, strict=True)
                what = f"{options.subscribers:,} by {transport}, {'a' if has_token else 'no'} token"
                figures += [
                    Figure("accepts", f"{what}: the process's time", median(cpu_us), "µs/connection"),
                    Figure("accepts", what, median(per_s), "connects/s", "≥ 4,000" if transport == "websocket" else ""),
                ]
    return figures


async def accept_all(
    port: int, cpu_s: Callable[[], float], request: Path, subscribers: int, *, ready: str = "subscribed"
) -> tuple[float, float]:
    """Return the processor time of one accept in µs, and how many there were per second."""
    await asyncio.sleep(SETTLE_S)  # those of the round before are gone by then
    before, began_at = cpu_s(), time.monotonic()
    async with connected([Crowd(port, subscribers)], request, ready=ready, marker=CHANNEL):
        used_s, took_s = cpu_s() - before, time.monotonic() - began_at
    return 1e6 * used_s / subscribers, subscribers / took_s


def _subscribe(fleet: Fleet, transport: str, *, has_token: bool) -> bytes:
    request = fleet.subscribe_request(transport, CHANNEL)
    if not has_token:
        return request
    realm = fleet.realm
    claims = {"iss": realm.realm, "sub": "alice", "exp": int(time.time()) + 3600, "channels": {CHANNEL: ["subscribe"]}}
    token = jwt.encode(claims, base64.b64decode(realm.key), algorithm="HS256")
    return request.replace(b"?channel=", b"?token=%b&channel=" % token.encode(), 1)
