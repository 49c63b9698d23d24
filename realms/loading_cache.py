"""What was read from the database, kept in the process: quick, bounded, and still there when the database is not."""

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import Error as DatabaseFailure

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)

#: Names that nobody has; kept apart so that somebody who tries names does not push real ones out.
MAX_UNKNOWN = 10_000
#: How long past its freshness a value is served without waiting for the refresh.
GRACE_S = 20.0
#: A load that takes longer counts as failed. Two queries by key take a few milliseconds.
LOAD_TIMEOUT_S = 2.0
#: After a failed load, the database is left alone this long, per name.
RETRY_DELAY_S = 1.0
#: Loads at once in this process: many strangers asking for many names must not take all threads.
MAX_LOADS = 8

_NEVER = -math.inf

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")
Kept = TypeVar("Kept")


@dataclass(slots=True)
class _Entry(Generic[Value]):
    value: Value
    fresh_until: float
    #: Past this it is served only when the database does not answer.
    trusted_until: float


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[Value]):
    value: Value | None


class LoadingCache(Generic[Name, Value]):
    """A memory over a slow `load`. Use on one event loop, and `aclose` it.

    - Younger than `ttl_s`: served from memory.
    - Up to `GRACE_S` older: still served at once, while one load refreshes it.
    - Older yet, or invalidated: callers wait for the load. When the database does not answer, the old value is served.
    - Unknown: callers wait, all for one load. That there is nothing is kept for `negative_ttl_s`.
    """

    def __init__(
        self,
        load: Callable[[Name], Awaitable[Value | None]],
        clock: Clock,
        *,
        what: str,
        ttl_s: float,
        negative_ttl_s: float,
        max_known: int,
        load_slots: asyncio.Semaphore,
    ) -> None:
        """`what` is what is looked up, in one word: for logs and errors. Caches may share `load_slots`."""
        self._load = load
        self._clock = clock
        self._what = what
        self._ttl_s = ttl_s
        self._negative_ttl_s = negative_ttl_s
        self._max_known = max_known
        self._load_slots = load_slots
        self._known: OrderedDict[Name, _Entry[Value]] = OrderedDict()
        self._missing_until: OrderedDict[Name, float] = OrderedDict()
        self._retry_at: OrderedDict[Name, float] = OrderedDict()
        self._current_loads: dict[Name, asyncio.Task[_Loaded[Value] | None]] = {}
        self._tasks: set[asyncio.Task[_Loaded[Value] | None]] = set()

    def find_cached(self, name: Name) -> Value | None:
        """Return the value if it is known and fresh, else None, which says nothing."""
        entry = self._known.get(name)
        if entry is None or self._clock.monotonic() >= entry.fresh_until:
            return None
        self._known.move_to_end(name)
        return entry.value

    def is_known_missing(self, name: Name) -> bool:
        """Tell whether it is known that there is nothing of this name."""
        return self._is_before(self._missing_until, name)

    async def find(self, name: Name) -> Value | None:
        """Return the value, or None if there is none. Cancelling a caller does not cancel the load.

        Raises:
            Unavailable: it is not in memory and the database does not answer.
        """
        if (cached := self.find_cached(name)) is not None:
            return cached
        if self.is_known_missing(name):
            return None
        entry = self._known.get(name)
        load = self._join_load(name)
        if entry is not None and self._clock.monotonic() < entry.trusted_until:
            return entry.value
        loaded = await asyncio.shield(load) if load else None
        if loaded is not None:
            return loaded.value
        if entry is not None:
            return entry.value
        raise Unavailable(f"the {self._what} can't be looked up at the moment")

    def invalidate(self, name: Name) -> None:
        """Know that what has this name has changed, come to be or gone: memory is not to be trusted on it."""
        self._missing_until.pop(name, None)
        self._retry_at.pop(name, None)
        self._current_loads.pop(name, None)  # it may have read what was there before the change
        if (entry := self._known.get(name)) is not None:
            entry.fresh_until = entry.trusted_until = _NEVER

    async def aclose(self) -> None:
        """Give up the loads under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _join_load(self, name: Name) -> "asyncio.Task[_Loaded[Value] | None] | None":
        """Return the load under way, a new one, or None while the database is left alone after a failure."""
        if (current := self._current_loads.get(name)) is not None:
            return current
        if self._is_before(self._retry_at, name):
            return None
        task = asyncio.create_task(self._run_load(name), name=f"load {self._what} {name}")
        self._current_loads[name] = task
        self._tasks.add(task)  # owned here until done: callers come and go
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_load(self, name: Name) -> _Loaded[Value] | None:
        """Load and remember the value; return None when the database does not answer."""
        this = asyncio.current_task()
        loaded: _Loaded[Value] | None = None
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S), self._load_slots:
                loaded = _Loaded(self._same_if_equal(name, await self._load(name)))
        except (DatabaseFailure, OSError, TimeoutError) as error:
            told = {"what": self._what, "looked_up": name, "error": type(error).__name__}
            logger.warning("directory_load_failed", extra=told)
        finally:
            is_current = self._current_loads.get(name) is this
            if is_current:
                del self._current_loads[name]
        if is_current:
            self._remember(name, loaded)
        return loaded

    def _same_if_equal(self, name: Name, value: Value | None) -> Value | None:
        """Return the object that is known while nothing has changed, so that others can compare by identity."""
        known = self._known.get(name)
        return known.value if known is not None and known.value == value else value

    def _remember(self, name: Name, loaded: _Loaded[Value] | None) -> None:
        now = self._clock.monotonic()
        if loaded is None:
            _put(self._retry_at, name, now + RETRY_DELAY_S, limit=MAX_UNKNOWN)
        elif loaded.value is None:
            self._known.pop(name, None)
            _put(self._missing_until, name, now + self._negative_ttl_s, limit=MAX_UNKNOWN)
        else:
            fresh_until = now + self._ttl_s
            entry = _Entry(loaded.value, fresh_until, trusted_until=fresh_until + GRACE_S)
            _put(self._known, name, entry, limit=self._max_known)

    def _is_before(self, moments: OrderedDict[Name, float], name: Name) -> bool:
        return self._clock.monotonic() < moments.get(name, _NEVER)


def _put(cache: OrderedDict[Name, Kept], name: Name, value: Kept, *, limit: int) -> None:
    cache[name] = value
    cache.move_to_end(name)
    while len(cache) > limit:
        cache.popitem(last=False)
