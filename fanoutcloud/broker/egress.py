"""How many bytes a realm's subscribers are sent, over all processes; who is over it is told to all processes.

Edges report what they wrote ten times a second; the shared bucket may owe. While it does, the realm takes no more
publishes and no new subscribers anywhere: its subscribers still get all that was accepted, and nothing is dropped.
Source: docs/topics/limits.md, "Egress".
"""

import asyncio
import json
from collections.abc import Callable

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.limit_store import LimitStore
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate, RealmLimits
from fanoutcloud.core.errors import LimitReached, Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.statistics import LimitStatistics

TOPIC = "over_egress"
REPORT_S = 0.1
#: Realms that are over at once; the oldest is forgotten first, and told of again by the next report.
MAX_REALMS_OVER = 50_000
_REPORTED_AT_ONCE = 500


class EgressMeter:
    """Counts what this process writes to each realm's subscribers, and knows who is over. `run` must be running."""

    def __init__(
        self,
        store: LimitStore,
        broker: Broker,
        clock: Clock,
        statistics: LimitStatistics,
        *,
        find_limits: Callable[[RealmId], RealmLimits | None],
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._statistics = statistics
        self._find_limits = find_limits
        self._written: dict[RealmId, int] = {}
        self._over_until: dict[RealmId, float] = {}
        broker.listen(TOPIC, self._on_over)

    def count(self, realm: RealmId, size_bytes: int) -> None:
        """Count bytes that were written: once per broadcast, not per recipient."""
        self._written[realm] = self._written.get(realm, 0) + size_bytes

    def check(self, realm: RealmId, limits: RealmLimits) -> None:
        """Raise `LimitReached` while the realm owes egress."""
        until = self._over_until.get(realm)
        if until is None or limits.egress_bytes is None:
            return
        wait_s = until - self._clock.monotonic()
        if wait_s <= 0:
            del self._over_until[realm]
            return
        self._statistics.hits["egress_bytes"] += 1
        raise LimitReached("egress_bytes", describe_egress(limits.egress_bytes), retry_after_s=wait_s)

    def was_over(self, realm: RealmId) -> bool:
        """Tell whether the realm owed egress lately, so that `check` may have something to say."""
        return realm in self._over_until

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(REPORT_S)
            await self.report()

    async def report(self) -> None:
        """Charge the shared buckets with what was written since the last report."""
        written, self._written = self._written, {}
        realms = list(written.items())
        for start in range(0, len(realms), _REPORTED_AT_ONCE):
            await asyncio.gather(*[self._charge(*one) for one in realms[start : start + _REPORTED_AT_ONCE]])

    async def _charge(self, realm: RealmId, size_bytes: int) -> None:
        limits = self._find_limits(realm)
        if limits is None or limits.egress_bytes is None:
            return
        taken = await self._store.take(realm, "egress_bytes", size_bytes, limits.egress_bytes, may_owe=True)
        if taken.wait_s > 0:
            self._note_over(realm, taken.wait_s)
            try:
                await self._broker.announce(TOPIC, json.dumps({"realm": realm, "wait_s": taken.wait_s}).encode())
            except Unavailable:
                return  # nobody can publish then; the next report tells again

    def _on_over(self, payload: bytes) -> None:
        message = json.loads(payload)
        self._note_over(RealmId(message["realm"]), float(message["wait_s"]))

    def _note_over(self, realm: RealmId, wait_s: float) -> None:
        self._over_until[realm] = self._clock.monotonic() + wait_s
        if len(self._over_until) > MAX_REALMS_OVER:
            del self._over_until[next(iter(self._over_until))]


def describe_egress(rate: Rate) -> str:
    """Return the limit in words."""
    return f"{rate.per_s:,.0f} bytes per second, {rate.burst:,} at once"
