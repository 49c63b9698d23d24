"""Has the connections of this edge written down, for realms that are told when they end: others tell if it is killed.

A connection is written down before anybody is told that it is open, and crossed out after its end is told. Whoever
finds that an edge is dead (`edge.presence`) tells the end of what it had; the event has the key that the edge itself
would have used, so it is one in effect however many tell it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_open_connections import OpenConnection, RedisOpenConnections
from fanoutcloud.core.activity import Connected, Disconnected, Event
from fanoutcloud.core.directory import RealmDirectory
from fanoutcloud.core.errors import LimitReached, NotFound, Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.presence import REPEAT_S
from fanoutcloud.core.webhooks import EventOutbox, HookEvent
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.presence.presence import Presence
from fanoutcloud.edge.reporting.happenings import Happenings, to_hook_event
from fanoutcloud.edge.reporting.sightings import connected_event

logger = logging.getLogger(__name__)

#: Connections that came here otherwise, or whose realm has begun to ask, are written down so soon.
LOOK_S = 1.0
AT_ONCE = 200
#: Why a connection has ended that nobody saw end.
EDGE_LOST = "edge-lost"


class OpenConnectionStore(Protocol):
    """See `broker.redis_open_connections`."""

    async def write(self, edge: str, realm: RealmId, opened: Sequence[OpenConnection]) -> None: ...

    async def remove(self, realm: RealmId, connections: Sequence[str]) -> None: ...

    async def realms_of(self, edge: str) -> list[RealmId]: ...

    async def of_edge(self, realm: RealmId, edge: str) -> list[OpenConnection]: ...

    async def forget(self, edge: str) -> None: ...


class OpenConnections:
    """One per edge. `run` must be running; `edge_name` returns the name under which this edge gives signs of life."""

    def __init__(
        self,
        store: OpenConnectionStore,
        *,
        hub: Hub,
        happenings: Happenings,
        directory: RealmDirectory,
        outbox: EventOutbox,
        edge_name: Callable[[], str],
    ) -> None:
        self._store = store
        self._hub = hub
        self._happenings = happenings
        self._directory = directory
        self._outbox = outbox
        self._clock = hub.clock
        self._edge_name = edge_name
        self._edge = edge_name()
        self._opened: dict[RealmId, dict[str, OpenConnection]] = {}
        self._ended: dict[RealmId, set[str]] = {}
        self._written: dict[RealmId, set[str]] = {}

    # -- called by `Happenings`

    def note(self, realm: RealmId, event: Event) -> None:
        """Know of a connection of a realm that is told when it ends."""
        if isinstance(event, Connected):
            self._opened.setdefault(realm, {})[event.connection] = self._entry(realm, event)
        elif isinstance(event, Disconnected):
            self._opened.get(realm, {}).pop(event.connection, None)
            self._ended.setdefault(realm, set()).add(event.connection)

    async def write_opened(self) -> None:
        """Write down what was opened. Raises `Unavailable`: what is not written down is, the next time."""
        while self._opened:
            realm, entries = next(iter(self._opened.items()))
            some = list(entries.values())[:AT_ONCE]
            if some:
                await self._store.write(self._edge, realm, some)
            for one in some:
                entries.pop(one.connection, None)
                self._written.setdefault(realm, set()).add(one.connection)
            if not entries:
                self._opened.pop(realm, None)

    async def cross_out_ended(self) -> None:
        """Cross out what has ended, now that it is told. Raises `Unavailable`, as above."""
        while self._ended:
            realm, ended = next(iter(self._ended.items()))
            await self._store.remove(realm, sorted(ended))
            self._written.get(realm, set()).difference_update(ended)
            del self._ended[realm]

    # -- by itself

    async def run(self) -> None:
        """Keep what is written down whole, until cancelled."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK_S)
            looks += 1
            if looks % int(REPEAT_S / LOOK_S) == 0:
                self._written.clear()  # whatever the store may have lost is there again
            try:
                await self.look()
            except Unavailable:
                continue

    async def look(self) -> None:
        """Write down connections that are not yet. Raises `Unavailable`: the next look does."""
        is_reborn = self._edge != self._edge_name()
        if is_reborn:  # it was taken for dead, and what it had was told as ended: it is opened anew
            self._edge = self._happenings.life = self._edge_name()
            self._written.clear()
        for realm in self._hub.index.realms():
            if not self._is_told(realm):
                continue
            known = self._written.get(realm, set())
            for subscriber in self._hub.index.of_realm(realm):
                if subscriber.connection not in known:
                    self.note(realm, connected_event(subscriber, at=self._clock.now()))
            if is_reborn:
                self._hub.tell_all_connected(realm)
        await self.write_opened()

    def _is_told(self, realm: RealmId) -> bool:
        snapshot = self._directory.find_cached(realm)
        return snapshot is not None and snapshot.webhooks.includes("connection.closed")

    def _entry(self, realm: RealmId, event: Connected) -> OpenConnection:
        end = Disconnected(event.at, event.connection, event.transport, event.channels, EDGE_LOST, event.user)
        told = to_hook_event(realm, end, self._happenings.life)
        assert told is not None
        return OpenConnection(event.connection, told.key, told.data)

    # -- for an edge that is dead

    async def tell_of_dead(self, edge: str) -> None:
        """Tell the end of all that a dead edge had.

        Raises:
            Unavailable: not all is told; to be tried again.
        """
        for realm in await self._store.realms_of(edge):
            entries = await self._store.of_edge(realm, edge)
            for start in range(0, len(entries), AT_ONCE):
                some = entries[start : start + AT_ONCE]
                await self._tell(realm, some)
                await self._store.remove(realm, [one.connection for one in some])
        await self._store.forget(edge)

    async def _tell(self, realm: RealmId, entries: Sequence[OpenConnection]) -> None:
        try:
            snapshot = await self._directory.find_realm(realm)
        except NotFound:
            return
        if snapshot is None or not snapshot.webhooks.includes("connection.closed"):
            return
        now = self._clock.now()
        try:
            await self._outbox.put(
                [HookEvent(realm, "connection.closed", one.key, now, data=one.data) for one in entries]
            )
        except LimitReached:
            logger.warning("webhook_events_dropped", extra={"realm": realm, "dropped": len(entries)})


def keep_open_connections(
    broker: Broker,
    hub: Hub,
    happenings: Happenings,
    presence: Presence,
    outbox: EventOutbox,
    directory: RealmDirectory,
) -> None:
    """Have connections of this edge written down, and those of dead ones told. Not without Redis: nobody survives."""
    if not isinstance(broker, RedisBroker):
        return
    book = OpenConnections(
        RedisOpenConnections(broker.connection_for),
        hub=hub,
        happenings=happenings,
        directory=directory,
        outbox=outbox,
        edge_name=lambda: presence.edge,
    )
    happenings.open_connections, presence.on_dead = book, book.tell_of_dead
