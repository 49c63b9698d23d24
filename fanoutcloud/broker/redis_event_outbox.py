"""Events that wait for webhooks, in Redis: one stream of all realms, with a count for each (`redis_event_scripts`).

    fo:{webhooks}calls    hash    outcome → how many calls ended so, ever

Readers always begin at the stream's head, and take entries out when what follows from them is stored. Two readers may
see the same entries: deliveries have unique ids, so that is work done twice and nothing else.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

from fanoutcloud.broker.base import PublishResult
from fanoutcloud.broker.item_outbox import publish_first
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_connection import Argument, Reply, ScriptMissing
from fanoutcloud.broker.redis_event_scripts import PUT, STREAM_KEY, WAITING_KEY, OutboxFull
from fanoutcloud.broker.redis_names import PREFIX
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.items import Item, unpack_item
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import (
    HookEvent,
    OutboxEntry,
    OutboxState,
    backlog_reached,
    pack_event,
    unpack_event,
    with_item,
)

MAX_EVENTS_PER_REALM = 100_000
MAX_EVENTS = 1_000_000
#: A realm that was full is asked for again after this long.
FULL_FOR_S = 1.0

CALLS_KEY = f"{PREFIX}{{webhooks}}calls"

# KEYS: outbox, waiting. ARGV: pairs of id and realm.
_DONE = """
for i = 1, #ARGV, 2 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 and redis.call('HINCRBY', KEYS[2], ARGV[i + 1], -1) <= 0 then
    redis.call('HDEL', KEYS[2], ARGV[i + 1])
  end
end
return 1
"""


class RedisEventOutbox:
    """See `ItemOutbox`; in the Redis of `broker`."""

    #: So a worker costs Redis at most 40 writes a second, however much is published.
    rest_s = 0.025

    def __init__(
        self,
        broker: RedisBroker,
        clock: Clock,
        *,
        max_per_realm: int = MAX_EVENTS_PER_REALM,
        max_events: int = MAX_EVENTS,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._max_per_realm = max_per_realm
        self._max_events = max_events
        self._full_until: dict[RealmId, tuple[float, int]] = {}

    def check_room(self, realm: RealmId) -> None:
        """See `EventOutbox.check_room`."""
        until, limit = self._full_until.get(realm, (0.0, 0))
        if not limit:
            return
        if until > self._clock.monotonic():
            raise backlog_reached(limit)
        del self._full_until[realm]

    async def publish(
        self, realm: RealmId, items: Sequence[Item], events: Sequence[HookEvent | None], *, retention: Retention
    ) -> tuple[list[PublishResult], list[HookEvent]]:
        """See `ItemOutbox.publish`. One round trip; a Cluster has an item and its event on different servers."""
        if not self._broker.has_one_server:
            return await publish_first(self._broker, realm, items, events, retention)
        packed = [b"" if event is None else pack_event(event) for event in events]
        header = self._header(realm)
        try:
            results = await self._broker.publish_with_events(realm, items, packed, retention=retention, outbox=header)
        except OutboxFull as full:
            raise self._note_full(realm, full.limit) from full
        return results, []

    async def put(self, events: Sequence[HookEvent]) -> None:
        """See `EventOutbox.put`. One round trip."""
        if not events:
            return
        realm = events[0].realm
        if limit := await self._run(PUT, [*self._header(realm), *map(pack_event, events)]):
            raise self._note_full(realm, limit)

    async def take(self, limit: int) -> list[OutboxEntry]:
        """See `EventOutbox.take`."""
        connection = self._broker.connection_for(STREAM_KEY)
        entries = await connection.call("XRANGE", STREAM_KEY, "-", "+", "COUNT", limit)
        return [OutboxEntry(place.decode(), _read_event(members)) for place, members in entries]

    async def done(self, entries: Sequence[OutboxEntry]) -> None:
        """See `EventOutbox.done`."""
        if entries:
            await self._run(_DONE, [part for entry in entries for part in (entry.place, entry.event.realm)])

    async def count(self, calls: Mapping[str, int]) -> None:
        """See `EventOutbox.count`."""
        connection = self._broker.connection_for(CALLS_KEY)
        await asyncio.gather(*(connection.call("HINCRBY", CALLS_KEY, outcome, n) for outcome, n in calls.items()))

    async def look(self) -> OutboxState:
        """See `EventOutbox.look`. One round trip."""
        connection = self._broker.connection_for(STREAM_KEY)
        waiting, entries, calls = await asyncio.gather(
            connection.call("XLEN", STREAM_KEY), self.take(1), connection.call("HGETALL", CALLS_KEY)
        )
        oldest_at = entries[0].event.at if entries else None
        return OutboxState(waiting, oldest_at, {name.decode(): int(count) for name, count in calls.items()})

    def _header(self, realm: RealmId) -> tuple[Argument, ...]:
        """Return what the scripts are to know of the outbox; see `redis_event_scripts`."""
        return realm, self._max_per_realm, self._max_events

    def _note_full(self, realm: RealmId, limit: int) -> LimitReached:
        self._full_until[realm] = (self._clock.monotonic() + FULL_FOR_S, limit)
        return backlog_reached(limit)

    async def _run(self, script: str, arguments: Sequence[Argument]) -> Reply:
        connection = self._broker.connection_for(STREAM_KEY)
        sha = hashlib.sha1(script.encode()).hexdigest()  # noqa: S324 - Redis names scripts so
        try:
            return await connection.call("EVALSHA", sha, 2, STREAM_KEY, WAITING_KEY, *arguments)
        except ScriptMissing:
            return await connection.call("EVAL", script, 2, STREAM_KEY, WAITING_KEY, *arguments)


def _read_event(members: Sequence[bytes]) -> HookEvent:
    """Return the event of an entry, which is names and values in turns; see `redis_event_scripts`."""
    values = dict(zip(members[::2], members[1::2], strict=True))
    event = unpack_event(values[b"e"])
    if b"i" not in values:
        return event
    return with_item(event, unpack_item(values[b"i"]), values[b"p"].decode())
