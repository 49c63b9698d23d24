"""A shared token bucket without a round trip per use: each process leases tokens in chunks and spends them locally.

Source: docs/topics/limits.md, "Leases".
"""

import asyncio
from dataclasses import dataclass

from fanoutcloud.broker.limit_store import Bucket, LimitStore
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.names import RealmId

#: A chunk is what the realm may use in this time: at most ten round trips per second, process and realm.
CHUNK_S = 0.1
#: A lease that was not used for this long is given back.
IDLE_S = 1.0
#: What waiters share one round trip after another; past this many a busy bucket counts as empty.
_MAX_ROUNDS = 20
_GIVEN_BACK_AT_ONCE = 500


@dataclass(slots=True)
class _Lease:
    """Tokens of one realm in this process."""

    tokens: int = 0
    used_at: float = 0.0
    #: When the shared bucket has, or had, no token and no debt; None when it had what was asked for.
    empty_at: float | None = None
    waiting: int = 0  # tokens that callers wait for
    refill: "asyncio.Task[None] | None" = None
    rate: Rate | None = None  # the newest one

    @property
    def is_idle(self) -> bool:
        return self.refill is None and not self.waiting

    def wait_s(self, count: int, rate: Rate, now: float) -> float:
        """Return how long there can't be `count` tokens, unless others give some back; 0 when there may be."""
        if self.empty_at is None:
            return 0.0
        return (count - self.tokens) / rate.per_s - (now - self.empty_at)


class TokenLeases:
    """Tokens of one kind of bucket, in this process. Lives on one event loop; `give_back_idle` from time to time."""

    def __init__(self, store: LimitStore, bucket: Bucket, clock: Clock) -> None:
        self._store = store
        self._bucket = bucket
        self._clock = clock
        self._leases: dict[RealmId, _Lease] = {}

    def refusal_s(self, realm: RealmId, count: int, rate: Rate) -> float:
        """Return for how many seconds `count` tokens can't be had for certain, else 0. Costs no wait."""
        lease = self._leases.get(realm)
        if lease is None or lease.tokens >= count:
            return 0.0
        return max(0.0, lease.wait_s(count, rate, self._clock.monotonic()))

    async def take(self, realm: RealmId, count: int, rate: Rate) -> float:
        """Take `count` tokens and return 0, or take none and return in how many seconds there may be enough.

        More than a full bucket holds can be taken from a full one, which then owes the rest: else it could never be.
        Waits only when the leased tokens do not do: one round trip, which all callers of the realm share. While the
        bucket is known to be empty, the answer comes from memory.
        """
        now = self._clock.monotonic()
        lease = self._leases.get(realm)
        if lease is None:
            lease = self._leases[realm] = _Lease()
        lease.used_at, lease.rate = now, rate
        at_once = min(count, rate.burst)
        if lease.tokens < at_once:
            refused_s = await self._wait_for(realm, lease, at_once, rate)
            if refused_s > 0:
                return refused_s
        lease.tokens -= at_once
        if count > at_once:
            owed = await self._store.take(realm, self._bucket, count - at_once, rate, may_owe=True)
            lease.empty_at = self._clock.monotonic() + owed.wait_s
        return 0.0

    async def _wait_for(self, realm: RealmId, lease: _Lease, count: int, rate: Rate) -> float:
        """Return 0 when the lease holds `count` tokens, else in how many seconds it may."""
        lease.waiting += count
        try:
            for _ in range(_MAX_ROUNDS):
                if (wait_s := lease.wait_s(count, rate, self._clock.monotonic())) > 0:
                    return wait_s
                if lease.refill is None:
                    work = self._refill(realm, lease, rate)
                    lease.refill = asyncio.create_task(work)  # owned: awaited by all who wait here, and bounded
                await asyncio.shield(lease.refill)
                if lease.tokens >= count:
                    return 0.0
            return 1.0 / rate.per_s
        finally:
            lease.waiting -= count

    async def _refill(self, realm: RealmId, lease: _Lease, rate: Rate) -> None:
        try:
            await asyncio.sleep(0)  # callers of this turn of the loop share the round trip
            chunk = max(1, round(rate.per_s * CHUNK_S))
            wanted = min(max(chunk, lease.waiting - lease.tokens), rate.burst)
            taken = await self._store.take(realm, self._bucket, wanted, rate)
            lease.tokens += taken.tokens
            missing = wanted - taken.tokens
            now = self._clock.monotonic()
            lease.empty_at = now + taken.wait_s - missing / rate.per_s if missing else None
        finally:
            lease.refill = None

    async def give_back_idle(self, *, idle_s: float = IDLE_S) -> None:
        """Give back what was not used for `idle_s`, and forget it: called about once a second, and at the end."""
        limit = self._clock.monotonic() - idle_s
        idle = [realm for realm, lease in self._leases.items() if lease.used_at <= limit and lease.is_idle]
        for start in range(0, len(idle), _GIVEN_BACK_AT_ONCE):
            leases = [(realm, self._leases.pop(realm)) for realm in idle[start : start + _GIVEN_BACK_AT_ONCE]]
            await asyncio.gather(
                *[
                    self._store.take(realm, self._bucket, -lease.tokens, lease.rate)
                    for realm, lease in leases
                    if lease.tokens and lease.rate is not None
                ]
            )
