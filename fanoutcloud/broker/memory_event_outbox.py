"""Events that wait for webhooks in one process without Redis.

Memory ends with the process. So `put` returns only when the events' deliveries are stored: what follows from an
acknowledged publish is in the database. Whoever reads may be another thread.
"""

import asyncio
import itertools
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence

from fanoutcloud.broker.base import Broker, PublishResult
from fanoutcloud.broker.item_outbox import publish_first
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import NEWS_OF_EVENTS, NEWS_TOPIC, HookEvent, OutboxEntry, OutboxState, backlog_reached

MAX_EVENTS_PER_REALM = 10_000
#: Whoever publishes waits no longer than this for the database.
STORE_TIMEOUT_S = 5.0


class MemoryEventOutbox:
    """See `ItemOutbox`. `put` is of one event loop, the broker's; `take` and `done` may be of another."""

    rest_s = 0.0  # a publish waits for what is taken

    def __init__(
        self,
        broker: Broker,
        *,
        max_per_realm: int = MAX_EVENTS_PER_REALM,
        store_timeout_s: float = STORE_TIMEOUT_S,
    ) -> None:
        self._broker = broker
        self._max_per_realm = max_per_realm
        self._store_timeout_s = store_timeout_s
        self._waiting: OrderedDict[str, tuple[HookEvent, asyncio.Future[None]]] = OrderedDict()
        self._counts: Counter[RealmId] = Counter()
        self._places = itertools.count(1)
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def check_room(self, realm: RealmId) -> None:
        """See `EventOutbox.check_room`."""
        if self._counts[realm] >= self._max_per_realm:
            raise backlog_reached(self._max_per_realm)

    async def publish(
        self, realm: RealmId, items: Sequence[Item], events: Sequence[HookEvent | None], *, retention: Retention
    ) -> tuple[list[PublishResult], list[HookEvent]]:
        """See `ItemOutbox.publish`: subscribers have the items while the events wait for the database."""
        return await publish_first(self._broker, realm, items, events, retention)

    async def put(self, events: Sequence[HookEvent]) -> None:
        """See `EventOutbox.put`. Raises `Unavailable` when nobody stores them in time; they go on waiting."""
        if not events:
            return
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in events]
        with self._lock:
            realm = events[0].realm
            if self._counts[realm] + len(events) > self._max_per_realm:
                raise backlog_reached(self._max_per_realm)
            self._counts[realm] += len(events)
            was_empty = not self._waiting
            for event, future in zip(events, futures, strict=True):
                self._waiting[f"{next(self._places):012}"] = (event, future)
        if was_empty:
            await self._broker.announce(NEWS_TOPIC, NEWS_OF_EVENTS)
        _, late = await asyncio.wait(futures, timeout=self._store_timeout_s)
        if late:
            raise Unavailable("the database takes no webhook deliveries at the moment", retry_after_s=1)

    async def take(self, limit: int) -> list[OutboxEntry]:
        """See `EventOutbox.take`."""
        with self._lock:
            return [OutboxEntry(place, event) for place, (event, _) in itertools.islice(self._waiting.items(), limit)]

    async def done(self, entries: Sequence[OutboxEntry]) -> None:
        """See `EventOutbox.done`."""
        with self._lock:
            removed = [self._waiting.pop(entry.place, None) for entry in entries]
            for one in removed:
                if one is not None:
                    self._counts[one[0].realm] -= 1
            self._counts += Counter()  # forgets realms that have none
        for one in removed:
            if one is not None:
                _tell(one[1])

    async def count(self, calls: Mapping[str, int]) -> None:
        """See `EventOutbox.count`."""
        with self._lock:
            self._calls.update(calls)

    async def look(self) -> OutboxState:
        """See `EventOutbox.look`."""
        with self._lock:
            oldest = next(iter(self._waiting.values()), None)
            return OutboxState(len(self._waiting), None if oldest is None else oldest[0].at, dict(self._calls))


def _tell(future: asyncio.Future[None]) -> None:
    """Have whoever waits go on, on its own loop; which may be over."""
    try:
        future.get_loop().call_soon_threadsafe(_finish, future)
    except RuntimeError:
        return


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
