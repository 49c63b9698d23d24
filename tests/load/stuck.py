"""Whether subscribers notice others that read nothing: scenario `slow` of `make bench`."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from tests.load.crowd import Crowd, connected, next_round
from tests.load.fleet import CHANNEL, Fleet, running_alone

MARKER = "fanbench000000"
#: The channel that only those have who read nothing; it is filled until what is unsent is near the limit of an outbox.
OWN_CHANNEL = "stuck"
FILLING_BYTES = 60_000
FILLINGS = 12
RECEIVE_BUFFER_BYTES = 4_096
#: One of so many subscribers reads nothing.
ONE_OF = 100
HELD_TIMEOUT_S = 30.0


class Compared:
    """The others' p99 in each round, in milliseconds, without and with those who read nothing."""

    def __init__(self) -> None:
        self.quiet_ms: list[float] = []
        self.beside_stuck_ms: list[float] = []
        self.fault = ""

    @property
    def ratio(self) -> float:
        """Return the median of the rounds' ratios: rounds that follow on each other share the machine's mood."""
        pairs = zip(self.quiet_ms, self.beside_stuck_ms, strict=True)
        return median(beside / quiet for quiet, beside in pairs)


async def compare_rounds(folder: Path, *, subscribers: int, rounds: int) -> Compared:
    """Publish to everybody, in turns with and without some who read nothing."""
    compared = Compared()
    async with running_alone(folder) as fleet:
        crowd = Crowd(fleet.edges[0].port, subscribers)
        request = folder / "request"
        request.write_bytes(fleet.subscribe_request("websocket", CHANNEL))
        async with connected([crowd], request, ready="subscribed", marker=MARKER):
            for _ in range(rounds):
                compared.quiet_ms.append(await _round(fleet, crowd, compared))
                async with _stuck(fleet, subscribers, max(1, subscribers // ONE_OF)):
                    compared.beside_stuck_ms.append(await _round(fleet, crowd, compared))
    return compared


async def _round(fleet: Fleet, crowd: Crowd, compared: Compared) -> float:
    asked_at, _answered = await asyncio.to_thread(fleet.publish, MARKER)
    (got,) = await next_round([crowd], crowd.subscribers)
    if (got.received, got.least, got.most) != (crowd.subscribers, 1, 1):
        compared.fault = "not every subscriber got every item once"
    arrivals = sorted(got.arrivals) or [got.last_at]
    return 1000 * (arrivals[int(0.99 * (len(arrivals) - 1))] - asked_at)


@contextlib.asynccontextmanager
async def _stuck(fleet: Fleet, others: int, count: int) -> AsyncIterator[None]:
    """Have so many subscribers beside the `others` that read nothing, their outboxes filled."""
    with contextlib.ExitStack() as stack:
        request = fleet.subscribe_request("websocket", f"{CHANNEL}&channel={OWN_CHANNEL}")
        for _ in range(count):
            await asyncio.to_thread(_begin, stack, fleet.edges[0].port, request)
        await asyncio.to_thread(fleet.wait_until_held, others + count, timeout_s=HELD_TIMEOUT_S)
        for _ in range(FILLINGS):
            await asyncio.to_thread(fleet.publish, "." * FILLING_BYTES, OWN_CHANNEL)
        yield


def _begin(stack: contextlib.ExitStack, port: int, request: bytes) -> None:
    connection = stack.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request)
