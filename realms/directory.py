"""The delivery plane's view of realms: snapshots kept in memory, so that it needs no database to go on."""

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db import Error as DatabaseFailure

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId, find_realm_id

logger = logging.getLogger(__name__)

LoadSnapshot = Callable[[RealmId], Awaitable[RealmSnapshot | None]]

#: A realm with ten keys takes about 3 KB: some 30 MB when full.
MAX_REALMS = 10_000
#: Ids that nobody has; kept apart so that somebody who tries ids does not push real realms out.
MAX_UNKNOWN_REALMS = 10_000
#: How long past its freshness a snapshot is served without waiting for the refresh.
GRACE_S = 20.0
#: A load that takes longer counts as failed. Two queries by key take a few milliseconds.
LOAD_TIMEOUT_S = 2.0
#: After a failed load, the database is left alone this long, per realm.
RETRY_DELAY_S = 1.0
#: Loads at once in this process: many strangers asking for many ids must not take all threads.
MAX_LOADS = 8

_NEVER = -math.inf

Value = TypeVar("Value")


@dataclass(slots=True)
class _Entry:
    snapshot: RealmSnapshot
    fresh_until: float
    #: Past this it is served only when the database does not answer.
    trusted_until: float


@dataclass(frozen=True, slots=True)
class _Loaded:
    snapshot: RealmSnapshot | None


class CachedRealmDirectory:
    """A `RealmDirectory` over a slow `load`. Use on one event loop, and `aclose` it.

    - Younger than `ttl_s`: served from memory.
    - Up to `GRACE_S` older: still served at once, while one load refreshes it.
    - Older yet, or invalidated (the realm changed): callers wait for the load, so that a revoked key is gone.
      When the database does not answer, the old snapshot is served: delivery goes on, revocations wait.
    - Unknown: callers wait, all for one load. That there is no such realm is kept for `negative_ttl_s`.
    """

    def __init__(
        self,
        load: LoadSnapshot,
        clock: Clock,
        *,
        ttl_s: float = 10.0,
        negative_ttl_s: float = 1.0,
        max_realms: int = MAX_REALMS,
    ) -> None:
        self._load = load
        self._clock = clock
        self._ttl_s = ttl_s
        self._negative_ttl_s = negative_ttl_s
        self._max_realms = max_realms
        self._known: OrderedDict[RealmId, _Entry] = OrderedDict()
        self._missing_until: OrderedDict[RealmId, float] = OrderedDict()
        self._retry_at: OrderedDict[RealmId, float] = OrderedDict()
        self._current_loads: dict[RealmId, asyncio.Task[_Loaded | None]] = {}
        self._tasks: set[asyncio.Task[_Loaded | None]] = set()
        self._load_slots = asyncio.Semaphore(MAX_LOADS)

    def find_cached(self, realm: RealmId) -> RealmSnapshot | None:
        """See `RealmDirectory.find_cached`."""
        entry = self._known.get(realm)
        if entry is None or self._clock.monotonic() >= entry.fresh_until:
            return None
        self._known.move_to_end(realm)
        return entry.snapshot

    async def find_realm(self, realm: RealmId) -> RealmSnapshot | None:
        """See `RealmDirectory.find_realm`. Cancelling a caller does not cancel the load."""
        if (cached := self.find_cached(realm)) is not None:
            return cached
        if find_realm_id(realm) is None or self._is_before(self._missing_until, realm):
            return None
        entry = self._known.get(realm)
        load = self._join_load(realm)
        if entry is not None and self._clock.monotonic() < entry.trusted_until:
            return entry.snapshot
        loaded = await asyncio.shield(load) if load else None
        if loaded is not None:
            return loaded.snapshot
        if entry is not None:
            return entry.snapshot
        raise Unavailable("the realm can't be looked up at the moment")

    def invalidate(self, realm: RealmId) -> None:
        """Know that the realm has changed, come to be or gone: memory is not to be trusted on it."""
        self._missing_until.pop(realm, None)
        self._retry_at.pop(realm, None)
        self._current_loads.pop(realm, None)  # it may have read what was there before the change
        if (entry := self._known.get(realm)) is not None:
            entry.fresh_until = entry.trusted_until = _NEVER

    async def aclose(self) -> None:
        """Give up the loads under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _join_load(self, realm: RealmId) -> "asyncio.Task[_Loaded | None] | None":
        """Return the load under way, a new one, or None while the database is left alone after a failure."""
        if (current := self._current_loads.get(realm)) is not None:
            return current
        if self._is_before(self._retry_at, realm):
            return None
        task = asyncio.create_task(self._run_load(realm), name=f"load realm {realm}")
        self._current_loads[realm] = task
        self._tasks.add(task)  # owned here until done: callers come and go
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_load(self, realm: RealmId) -> _Loaded | None:
        """Load and remember the realm; return None when the database does not answer."""
        this = asyncio.current_task()
        loaded: _Loaded | None = None
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S), self._load_slots:
                loaded = _Loaded(await self._load(realm))
        except (DatabaseFailure, OSError, TimeoutError) as error:
            logger.warning("realm_load_failed", extra={"realm": realm, "error": type(error).__name__})
        finally:
            is_current = self._current_loads.get(realm) is this
            if is_current:
                del self._current_loads[realm]
        if is_current:
            self._remember(realm, loaded)
        return loaded

    def _remember(self, realm: RealmId, loaded: _Loaded | None) -> None:
        now = self._clock.monotonic()
        if loaded is None:
            _put(self._retry_at, realm, now + RETRY_DELAY_S, limit=MAX_UNKNOWN_REALMS)
        elif loaded.snapshot is None:
            self._known.pop(realm, None)
            _put(self._missing_until, realm, now + self._negative_ttl_s, limit=MAX_UNKNOWN_REALMS)
        else:
            fresh_until = now + self._ttl_s
            entry = _Entry(loaded.snapshot, fresh_until, trusted_until=fresh_until + GRACE_S)
            _put(self._known, realm, entry, limit=self._max_realms)

    def _is_before(self, moments: OrderedDict[RealmId, float], realm: RealmId) -> bool:
        return self._clock.monotonic() < moments.get(realm, _NEVER)


def _put(cache: OrderedDict[RealmId, Value], realm: RealmId, value: Value, *, limit: int) -> None:
    cache[realm] = value
    cache.move_to_end(realm)
    while len(cache) > limit:
        cache.popitem(last=False)
