"""Counts that all processes share, for limits per realm. What a store promises, and what to do while it is gone.

Held by `memory_limit_store.MemoryLimitStore` and `redis_limit_store.RedisLimitStore`, and by one contract suite for
both. Source: docs/topics/limits.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.statistics import LimitStatistics

logger = logging.getLogger(__name__)

Bucket = Literal["publish_items", "egress_bytes"]
Count = Literal["connections"]
Names = Literal["channels"]

#: An answer that takes longer counts as none: a limit must not hold up what it limits.
STORE_TIMEOUT_S = 0.5
#: After a failure the store is left alone this long, so that one request waits for it and not every one.
STORE_RETRY_S = 1.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a token bucket gave. `wait_s`: until the rest is there, as far as the bucket can hold it."""

    tokens: int
    wait_s: float


class LimitStore(Protocol):
    """Token buckets, counts and sets of names per realm, shared by all processes.

    Every method is one atomic step and at most one round trip, bounded by a deadline of the implementation; it raises
    `Unavailable` past it. Time is the store's own. Nothing is kept longer than it matters.
    """

    async def take(self, realm: RealmId, bucket: Bucket, tokens: int, rate: Rate, *, may_owe: bool = False) -> Taken:
        """Take up to `tokens` from the bucket, which begins full; negative: put back, up to the bucket's size.

        `may_owe`: take all of them although the bucket may then owe some; it gives none before that is made good.
        """

    async def hold(self, realm: RealmId, count: Count, *, holder: str, used: int, wanted: int, limit: int) -> int:
        """Let `holder` (a process) have `wanted` of what the realm may have `limit` of; return how many it has now.

        Fewer if others have the rest, but never fewer than `used`, which exist already. What a holder has is given up
        `HOLD_S` after it last called; 0 gives it up at once.
        """

    async def note(self, realm: RealmId, names: Names, wanted: Sequence[str], *, limit: int | None) -> list[bool]:
        """Count the names among those that the realm uses, for `NOTE_S` from now; tell of each whether it is counted.

        A name counts once, however many processes note it. Without `limit` all are counted; else a new name is
        refused once the realm uses that many.
        """


#: How long a process's counts outlive it, and how often a living one renews them.
HOLD_S = 9.0
NOTE_S = 30.0
RENEW_HOLDS_S = 3.0
RENEW_NOTES_S = 10.0


class DegradingLimitStore:
    """A `LimitStore` that is never unavailable: while `shared` is gone, `local` decides, for this process alone.

    A written decision (docs/topics/limits.md): without Redis each process allows a realm its whole limit. Nobody is
    refused because we can't count, nobody may use without bound, and every such decision is counted.
    """

    def __init__(self, shared: LimitStore, local: LimitStore, clock: Clock, statistics: LimitStatistics) -> None:
        self._shared = shared
        self._local = local
        self._clock = clock
        self._statistics = statistics
        self._retry_at = 0.0

    async def take(self, realm: RealmId, bucket: Bucket, tokens: int, rate: Rate, *, may_owe: bool = False) -> Taken:
        """See `LimitStore.take`."""
        answer = await self._ask(bucket, lambda: self._shared.take(realm, bucket, tokens, rate, may_owe=may_owe))
        if answer is None:
            return await self._local.take(realm, bucket, tokens, rate, may_owe=may_owe)
        return answer

    async def hold(self, realm: RealmId, count: Count, *, holder: str, used: int, wanted: int, limit: int) -> int:
        """See `LimitStore.hold`."""
        answer = await self._ask(
            count, lambda: self._shared.hold(realm, count, holder=holder, used=used, wanted=wanted, limit=limit)
        )
        if answer is None:
            return await self._local.hold(realm, count, holder=holder, used=used, wanted=wanted, limit=limit)
        return answer

    async def note(self, realm: RealmId, names: Names, wanted: Sequence[str], *, limit: int | None) -> list[bool]:
        """See `LimitStore.note`. What is counted in Redis is counted here, too, so that it is known when that goes."""
        answer = await self._ask(names, lambda: self._shared.note(realm, names, wanted, limit=limit))
        if answer is None:
            return await self._local.note(realm, names, wanted, limit=limit)
        await self._local.note(realm, names, [name for name, ok in zip(wanted, answer, strict=True) if ok], limit=None)
        return answer

    async def _ask(self, limit: str, call: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Return the shared store's answer, or None if it is not to be had."""
        if self._clock.monotonic() >= self._retry_at:
            self._statistics.store_calls[limit] += 1
            try:
                async with asyncio.timeout(STORE_TIMEOUT_S):
                    return await call()
            except (Unavailable, TimeoutError) as error:
                self._retry_at = self._clock.monotonic() + STORE_RETRY_S
                logger.warning("limits_degraded", extra={"limit": limit, "error": type(error).__name__})
        self._statistics.degraded[limit] += 1
        return None
