"""Whether this process can do its work. Probed in the background and remembered, so that asking costs nothing.

`/healthz`: the process lives (its event loop answers); restart it when it does not. `/readyz`: it can do its work;
send it no new clients while it can't. A broker that is gone makes a process unready, not unhealthy: restarting heals
nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.statistics import ProcessStatistics

logger = logging.getLogger(__name__)

PROBE_EVERY_S = {"broker": 1.0}
OTHERS_EVERY_S = 5.0
PROBE_TIMEOUT_S = 2.0
LAG_EVERY_S = 0.25

#: Returns when its part has answered; raises anything when it has not.
Probe = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class PartHealth:
    """What the newest probe of one part said."""

    is_well: bool = False
    problem: str = "not looked at yet"


class Health:
    """Readiness of one process. `run` must be running. Parts are named in what is shown: `broker`, `database`."""

    def __init__(self, probes: Mapping[str, Probe], clock: Clock, statistics: ProcessStatistics) -> None:
        self._probes = probes
        self._clock = clock
        self._statistics = statistics
        self.parts = {name: PartHealth() for name in probes}
        self._asking: dict[str, asyncio.Future[object]] = {}
        self.is_draining = False

    @property
    def is_ready(self) -> bool:
        """Whether new clients should come here."""
        return not self.is_draining and all(part.is_well for part in self.parts.values())

    @property
    def problems(self) -> list[str]:
        """Why it is not ready: fixed words only, nothing of addresses or errors' texts."""
        problems = ["draining"] if self.is_draining else []
        return problems + [f"{name}: {part.problem}" for name, part in self.parts.items() if not part.is_well]

    def begin_draining(self) -> None:
        """Be not ready from now on: the first thing that happens when a process is told to end."""
        self.is_draining = True

    async def run(self) -> None:
        """Probe all parts again and again, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for name in self._probes:
                    tasks.create_task(self._watch(name))
                tasks.create_task(self._watch_loop())
        finally:
            for asking in self._asking.values():
                asking.cancel()

    async def probe(self, name: str) -> None:
        """Look at one part now; takes `PROBE_TIMEOUT_S` at most."""
        begin_s = self._clock.monotonic()
        part = self.parts[name]
        was_well = part.is_well
        asking = self._asking.get(name)
        if asking is None:  # else the last question is still open: a part that hangs must not collect them
            asking = self._asking[name] = asyncio.ensure_future(self._probes[name]())  # owned: ended by `run`
        await asyncio.wait([asking], timeout=PROBE_TIMEOUT_S)
        part.problem = "no answer"
        if asking.done():
            del self._asking[name]
            part.problem = "" if not asking.cancelled() and asking.exception() is None else "does not work"
        part.is_well = not part.problem
        if not part.is_well:
            self._statistics.failed_probes[name] += 1
        elif name == "broker":
            self._statistics.broker_probes.observe(self._clock.monotonic() - begin_s)
        if was_well and not part.is_well:
            logger.warning("part_not_well", extra={"part": name, "problem": part.problem})

    async def _watch(self, name: str) -> None:
        while True:
            await self.probe(name)
            await asyncio.sleep(PROBE_EVERY_S.get(name, OTHERS_EVERY_S))

    async def _watch_loop(self) -> None:
        """Measure how late timers run: work that holds the loop up holds everybody up."""
        loop = asyncio.get_running_loop()
        while True:
            due_at = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._statistics.loop_lags.observe(max(0.0, loop.time() - due_at))
