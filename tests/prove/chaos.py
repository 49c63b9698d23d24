"""Harm by a plan that a seed makes: kills of edges, of whom publishers talk to, and of Redis; in between processes are
stopped for a while, lose their live connections, or hand over to a successor.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator

from tests.prove.installation import Installation
from tests.prove.process import Process
from tests.prove.publishers import wait

#: Of ten kills so many are of each kind, in random order.
DECK = ["edge"] * 4 + ["publishing"] * 3 + ["redis"] * 3
IN_FLIGHT_TIMEOUT_S = 2.0
READY_TIMEOUT_S = 20.0
LOOK_EVERY_S = 0.002
LONG_OUTAGE_S = 10.0


class Chaos:
    """Does `kills` kills within about `seconds`. `done` counts what was done, by kind."""

    def __init__(
        self, installation: Installation, in_flight: Counter[str], rng: random.Random, *, kills: int, seconds: float
    ) -> None:
        self.done: Counter[str] = Counter()
        self._installation = installation
        self._in_flight = in_flight
        self._rng = rng
        self._kills = kills
        self._pause_s = seconds / max(1, kills)
        self._never = asyncio.Event()

    async def run(self) -> None:
        """Kill, and between two kills do something that no process dies of, or nothing."""
        for what in itertools.islice(self._deal(), self._kills):
            pause_s = self._pause_s * self._rng.uniform(0.5, 1.5)
            first_s = pause_s * self._rng.random()
            await wait(self._never, first_s)
            await self._disturb(pause_s - first_s)
            await self._kill(what)

    def _deal(self) -> Iterator[str]:
        while True:
            yield from self._rng.sample(DECK, len(DECK))

    async def _disturb(self, seconds: float) -> None:
        """Spend `seconds`; do something in them that no process dies of."""
        what = self._rng.choice(["nothing", "cut", "stop", "stop", "takeover", "takeover"])
        if what == "cut":
            self.done["cut"] += 1
            await self._installation.cut_live_connections()
        elif what == "stop":
            self.done["stop"] += 1
            process = self._rng.choice(self._installation.processes)
            process.stop()
            asyncio.get_running_loop().call_later(self._rng.uniform(0.3, 6.0), process.go_on)
        elif what == "takeover":
            able = [edge for edge in self._installation.edges if edge.can_be_replaced]
            if able:
                self.done["takeover"] += 1
                await self._rng.choice(able).replace("--takeover")
        await wait(self._never, seconds)

    async def _kill(self, what: str) -> None:
        process = await self._choose(what)
        if process in self._installation.doors and what == "redis":
            what = "edge"
        away_s = self._rng.choice([0.1, 0.1, 0.5, 1.5, 3.0])
        if self._pause_s > 2.0 and self._rng.random() < 0.05:
            away_s = LONG_OUTAGE_S
        self.done[what] += 1
        process.kill(away_s=away_s)

    async def _choose(self, what: str) -> Process:
        if what == "redis" and (victim := await self._find_redis_victim()) is not None:
            return victim
        doors = self._rng.sample(self._installation.doors, len(self._installation.doors))
        door = await self._wait_for(doors, at_least=2)  # one must be left, or nothing happens that could go wrong
        return await self._find_publishing(doors) or door if what == "publishing" else door

    async def _find_redis_victim(self) -> Process | None:
        """Return the Redis server to kill; None if the others have not recovered from the last kill in time."""
        for _ in range(int(READY_TIMEOUT_S / 0.1)):
            if (victim := await self._installation.streams.find_victim()) is not None:
                return victim
            await asyncio.sleep(0.1)
        return None

    async def _wait_for(self, processes: list[Process], *, at_least: int) -> Process:
        """Return one of those that are ready, once there are so many; if that takes too long, any."""
        for _ in range(int(READY_TIMEOUT_S / 0.1)):
            ready = [process for process in processes if process.is_ready.is_set()]
            if len(ready) >= at_least:
                return ready[0]
            await asyncio.sleep(0.1)
        return processes[0]

    async def _find_publishing(self, doors: list[Process]) -> Process | None:
        """Return a process in the middle of a publish, or None if there is none for a while."""
        for _ in range(int(IN_FLIGHT_TIMEOUT_S / LOOK_EVERY_S)):
            busy = [door for door in doors if self._in_flight[door.name] and door.is_ready.is_set()]
            if busy:
                return busy[0]
            await asyncio.sleep(LOOK_EVERY_S)
        return None
