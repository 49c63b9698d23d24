"""Shared counts of a single process; and what a process goes on with while Redis is gone."""

from collections import OrderedDict
from collections.abc import Sequence

from fanoutcloud.broker.limit_store import HOLD_S, NOTE_S, Bucket, Count, Names, Taken
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.names import RealmId

#: Buckets kept, and realms whose names are. The least recently used is forgotten first; a new bucket begins full.
MAX_BUCKETS = 50_000


class MemoryLimitStore:
    """Keeps the promises of `LimitStore` for one process and one event loop. No method waits or is unavailable."""

    def __init__(self, clock: Clock, *, hold_s: float = HOLD_S, note_s: float = NOTE_S) -> None:
        self._clock = clock
        self._hold_s = hold_s
        self._note_s = note_s
        self._buckets: OrderedDict[tuple[RealmId, Bucket], tuple[float, float]] = OrderedDict()  # tokens, at
        self._holds: dict[tuple[RealmId, Count], dict[str, tuple[int, float]]] = {}
        #: Name → the end of its time, in this order, for every note is as long.
        self._names: OrderedDict[tuple[RealmId, Names], dict[str, float]] = OrderedDict()

    async def take(self, realm: RealmId, bucket: Bucket, tokens: int, rate: Rate, *, may_owe: bool = False) -> Taken:
        """See `LimitStore.take`."""
        now = self._clock.monotonic()
        level, at = self._buckets.get((realm, bucket), (float(rate.burst), now))
        level = min(rate.burst, level + (now - at) * rate.per_s)
        given = tokens if may_owe else min(tokens, max(0, int(level + 1e-6)))
        level = min(rate.burst, level - given)
        self._buckets[realm, bucket] = level, now
        self._buckets.move_to_end((realm, bucket))
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        missing = -level if may_owe else min(tokens - given, rate.burst) - level if given < tokens else 0
        return Taken(given, max(0.0, missing / rate.per_s))

    async def hold(self, realm: RealmId, count: Count, *, holder: str, used: int, wanted: int, limit: int) -> int:
        """See `LimitStore.hold`."""
        now = self._clock.monotonic()
        holds = self._holds.setdefault((realm, count), {})
        for other in [name for name, (_, until) in holds.items() if until <= now or name == holder]:
            del holds[other]
        granted = max(used, min(wanted, limit - sum(number for number, _ in holds.values())))
        if granted > 0:
            holds[holder] = granted, now + self._hold_s
        elif not holds:
            del self._holds[realm, count]
        return granted

    async def note(self, realm: RealmId, names: Names, wanted: Sequence[str], *, limit: int | None) -> list[bool]:
        """See `LimitStore.note`."""
        now = self._clock.monotonic()
        in_use = self._names.setdefault((realm, names), {})
        self._names.move_to_end((realm, names))
        if len(self._names) > MAX_BUCKETS:
            self._names.popitem(last=False)
        while in_use and next(iter(in_use.values())) <= now:
            del in_use[next(iter(in_use))]
        answer = []
        for name in wanted:
            is_known = in_use.pop(name, None) is not None
            is_counted = is_known or limit is None or len(in_use) < limit
            if is_counted:
                in_use[name] = now + self._note_s
            answer.append(is_counted)
        return answer
