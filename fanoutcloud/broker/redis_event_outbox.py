"""Events that wait for webhooks, in Redis: one stream of all realms, with a count for each.

    fo:{webhooks}outbox   stream  entry: r (realm), e (packed event)
    fo:{webhooks}waiting  hash    realm → how many of its events wait
    fo:{webhooks}calls    hash    outcome → how many calls ended so, ever

Readers always begin at the stream's head, and take entries out when what follows from them is stored. Two readers may
see the same entries: deliveries have unique ids, so that is work done twice and nothing else.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence

from fanoutcloud.broker.redis_connection import Argument, RedisConnection, Reply, ScriptMissing
from fanoutcloud.broker.redis_names import PREFIX, announcement_channel
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import (
    NEWS_OF_EVENTS,
    NEWS_TOPIC,
    HookEvent,
    OutboxEntry,
    OutboxState,
    backlog_reached,
    pack_event,
    unpack_event,
)

MAX_EVENTS_PER_REALM = 100_000
MAX_EVENTS = 1_000_000
#: A realm that was full is asked for again after this long.
FULL_FOR_S = 1.0

STREAM_KEY = f"{PREFIX}{{webhooks}}outbox"
WAITING_KEY = f"{PREFIX}{{webhooks}}waiting"
CALLS_KEY = f"{PREFIX}{{webhooks}}calls"

# KEYS: outbox, waiting. ARGV: realm, how many it may have, how many all may have, where and what is announced if none
# waits, then packed events. Returns 1, or 0 and the limit that is reached.
_PUT = """
local mine = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0)
local count = #ARGV - 5
local all = redis.call('XLEN', KEYS[1])
if mine + count > tonumber(ARGV[2]) then return {0, tonumber(ARGV[2])} end
if all + count > tonumber(ARGV[3]) then return {0, tonumber(ARGV[3])} end
redis.call('HINCRBY', KEYS[2], ARGV[1], count)
for i = 6, #ARGV do redis.call('XADD', KEYS[1], '*', 'r', ARGV[1], 'e', ARGV[i]) end
if all == 0 then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return {1, 0}
"""

# KEYS as above. ARGV: pairs of id and realm.
_DONE = """
for i = 1, #ARGV, 2 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 and redis.call('HINCRBY', KEYS[2], ARGV[i + 1], -1) <= 0 then
    redis.call('HDEL', KEYS[2], ARGV[i + 1])
  end
end
return 1
"""


class RedisEventOutbox:
    """See `EventOutbox`. `connection_for` is the broker's: it leads to where a key is."""

    def __init__(
        self,
        connection_for: Callable[[str], RedisConnection],
        clock: Clock,
        *,
        max_per_realm: int = MAX_EVENTS_PER_REALM,
        max_events: int = MAX_EVENTS,
    ) -> None:
        self._connection_for = connection_for
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

    async def put(self, events: Sequence[HookEvent]) -> None:
        """See `EventOutbox.put`. One round trip."""
        if not events:
            return
        realm = events[0].realm
        header: list[Argument] = [
            realm,
            self._max_per_realm,
            self._max_events,
            announcement_channel(NEWS_TOPIC),
            NEWS_OF_EVENTS,
        ]
        is_stored, limit = await self._run(_PUT, [*header, *map(pack_event, events)])
        if not is_stored:
            self._full_until[realm] = (self._clock.monotonic() + FULL_FOR_S, limit)
            raise backlog_reached(limit)

    async def take(self, limit: int) -> list[OutboxEntry]:
        """See `EventOutbox.take`."""
        connection = self._connection_for(STREAM_KEY)
        entries = await connection.call("XRANGE", STREAM_KEY, "-", "+", "COUNT", limit)
        return [OutboxEntry(place.decode(), unpack_event(members[3])) for place, members in entries]

    async def done(self, entries: Sequence[OutboxEntry]) -> None:
        """See `EventOutbox.done`."""
        if entries:
            await self._run(_DONE, [part for entry in entries for part in (entry.place, entry.event.realm)])

    async def count(self, calls: Mapping[str, int]) -> None:
        """See `EventOutbox.count`."""
        connection = self._connection_for(CALLS_KEY)
        await asyncio.gather(*(connection.call("HINCRBY", CALLS_KEY, outcome, n) for outcome, n in calls.items()))

    async def look(self) -> OutboxState:
        """See `EventOutbox.look`. One round trip."""
        connection = self._connection_for(STREAM_KEY)
        waiting, entries, calls = await asyncio.gather(
            connection.call("XLEN", STREAM_KEY), self.take(1), connection.call("HGETALL", CALLS_KEY)
        )
        oldest_at = entries[0].event.at if entries else None
        return OutboxState(waiting, oldest_at, {name.decode(): int(count) for name, count in calls.items()})

    async def _run(self, script: str, arguments: Sequence[Argument]) -> Reply:
        connection = self._connection_for(STREAM_KEY)
        sha = hashlib.sha1(script.encode()).hexdigest()  # noqa: S324 - Redis names scripts so
        try:
            return await connection.call("EVALSHA", sha, 2, STREAM_KEY, WAITING_KEY, *arguments)
        except ScriptMissing:
            return await connection.call("EVAL", script, 2, STREAM_KEY, WAITING_KEY, *arguments)
