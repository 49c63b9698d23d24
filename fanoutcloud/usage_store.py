"""Storing what realms use: every ten seconds, at midnight (UTC), and at the end of a process.

Composition only, as `fanoutcloud.plane`, which makes it. What can't be stored is kept for the next time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import date

from django.db import Error as DatabaseFailure

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage, UsageBacklog, UsageMeter

STORE_EVERY_S = 10.0
#: A process that ends waits no longer than this for the database.
STORE_AT_END_S = 3.0
#: A process says nothing of its connections while the one that it takes over from may still be counted for the same.
SETTLES_S = 30.0
_DAY_S = 86_400
_AT_ONCE = 200

logger = logging.getLogger(__name__)

AddUsage = Callable[[date, Mapping[RealmId, Usage]], Awaitable[None]]
SayConnected = Callable[[Mapping[RealmId, int]], Awaitable[None]]


class UsageStore:
    """One per process. `add` and `say` write to the database, off the event loop."""

    def __init__(
        self, meter: UsageMeter, clock: Clock, *, add: AddUsage, say: SayConnected, settles_s: float = SETTLES_S
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._add = add
        self._say = say
        self._backlog = UsageBacklog()
        self._settled_at = clock.monotonic() + settles_s
        self._most: dict[RealmId, Usage] = {}  # the most connected, held back until this process has settled
        self._storing = asyncio.Lock()

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            await asyncio.sleep(self.seconds_to_next())
            await self.store()

    def seconds_to_next(self) -> float:
        """Return how long to wait: the day's last batch is taken at its end."""
        return min(STORE_EVERY_S, _DAY_S - self._clock.now() % _DAY_S)

    async def store(self, *, is_last: bool = False) -> bool:
        """Store what was counted; return whether nothing is left to store. A failure is logged, and loses nothing.

        Cancelling leaves in doubt whether the part that was under way is stored; it is not stored again.
        """
        async with self._storing:
            return await self._store(is_last=is_last)

    async def _store(self, *, is_last: bool) -> bool:
        batch = self._meter.take()
        is_settled = is_last or self._clock.monotonic() >= self._settled_at
        self._hold_back(batch.used, is_settled=is_settled)
        self._backlog.put(batch.day, batch.used)
        days = self._backlog.take()
        try:
            for day, used in days.items():
                await self._add_day(day, used)
            if is_settled:
                await self._say({} if is_last else batch.connected)
        except DatabaseFailure as error:
            kept = sum(map(len, days.values()))
            logger.warning("usage_not_stored", extra={"why": str(error)[:200], "kept": kept})
            return False
        else:
            return True
        finally:
            for day, used in days.items():
                self._backlog.put(day, used)

    async def _add_day(self, day: date, used: dict[RealmId, Usage]) -> None:
        """Add a day, some realms at a time; what is stored is taken out of `used`."""
        while used:
            some = {realm: used.pop(realm) for realm in list(used)[:_AT_ONCE]}
            try:
                await self._add(day, some)
            except DatabaseFailure:
                used.update(some)
                raise

    def _hold_back(self, used: dict[RealmId, Usage], *, is_settled: bool) -> None:
        if is_settled:
            for realm, one in self._most.items():
                used.setdefault(realm, Usage()).add(one)
            self._most.clear()
            return
        for realm, one in used.items():
            self._most.setdefault(realm, Usage()).add(Usage(max_connected=one.max_connected))
            one.max_connected = 0

    async def close(self) -> None:
        """Store what is left, if the database answers in time."""
        try:
            async with asyncio.timeout(STORE_AT_END_S):
                await self.store(is_last=True)
        except TimeoutError:
            logger.warning("usage_lost", extra={"realms": len(self._backlog)})
