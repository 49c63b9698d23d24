"""Presence of many processes, in Redis (docs/topics/presence.md).

Keys of a channel, with its hash tag:

    :here    hash  user → MessagePack {edge → [connections, info]}
    :edges   hash  edge → MessagePack [connections, anonymous]; `#version`, `#born`; `#fenced:EDGE`
    :outbox  list  events that followed and are not among the realm's yet: MessagePack [id, kind, user, info, time]

Of a realm, `{realm/}events` (stream) and `{realm/}seen:ID`; of all, under the tag `{presence}`: when each edge was last
heard of, which channels each reported in, and who cleans up. An event goes from the report's own atomic step to the
outbox, and from there, by whoever comes next, to the realm's stream, where its id is taken once.
"""

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from fanoutcloud.broker.redis_connection import Argument, RedisConnection, Reply, ScriptMissing
from fanoutcloud.broker.redis_names import PREFIX, realm_key, stream_key
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.presence import (
    KEPT_S,
    LEASE_S,
    Beat,
    ChannelReport,
    EventKind,
    Fenced,
    KeptEvent,
    Member,
    OnKept,
    Outcome,
    PresenceEvent,
    Snapshot,
    tell_nobody,
)

MAX_EVENTS = 10_000
SEEN_S = 3600
#: Whoever began to clean up after an edge and has not finished by then is followed by another.
CLEANING_S = 5

_EDGES = f"{PREFIX}{{presence}}edges"

# KEYS: here, edges, outbox. ARGV: edge, connections, anonymous, 1 if whole, 1 to fence, 1 to keep events, the channel,
# then per user: name, connections, info with `=` before it, or nothing. Returns 0 if the edge is fenced; else version,
# members, connections, anonymous, and per event kind, user, info.
_REPORT = """
local here, edges, outbox = KEYS[1], KEYS[2], KEYS[3]
local edge, time = ARGV[1], redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('HEXISTS', edges, '#fenced:' .. edge) == 1 then return 0 end
local reply, kept = {}, {}
local function note(kind, user, info)
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = kind, user, info
end
local function total()
  local all, anonymous, list = 0, 0, redis.call('HGETALL', edges)
  for i = 1, #list, 2 do
    if string.sub(list[i], 1, 1) ~= '#' then
      local counts = cmsgpack.unpack(list[i + 1])
      all, anonymous = all + counts[1], anonymous + counts[2]
    end
  end
  return all, anonymous
end
local function enter(user, count, info)
  local raw = redis.call('HGET', here, user)
  local map = raw and cmsgpack.unpack(raw) or {}
  if count > 0 then
    if not raw then note('joined', user, info) end
    map[edge] = {count, info}
  else
    map[edge] = nil
  end
  if next(map) ~= nil then redis.call('HSET', here, user, cmsgpack.pack(map))
  elseif raw then
    redis.call('HDEL', here, user)
    note('left', user, '')
  end
end
local had = total()
local named = {}
for i = 8, #ARGV, 3 do named[ARGV[i]] = true end
if ARGV[4] == '1' then
  local list = redis.call('HGETALL', here)
  for i = 1, #list, 2 do
    if not named[list[i]] and cmsgpack.unpack(list[i + 1])[edge] then enter(list[i], 0, '') end
  end
end
for i = 8, #ARGV, 3 do enter(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]) end
if tonumber(ARGV[2]) > 0 then
  redis.call('HSET', edges, edge, cmsgpack.pack({tonumber(ARGV[2]), tonumber(ARGV[3])}))
else redis.call('HDEL', edges, edge) end
if ARGV[5] == '1' then redis.call('HSET', edges, '#fenced:' .. edge, 1) end
local has, anonymous = total()
if had == 0 and has > 0 then note('occupied', '', '') elseif had > 0 and has == 0 then note('vacated', '', '') end
redis.call('HSETNX', edges, '#born', now)
local version, born = redis.call('HINCRBY', edges, '#version', 1), redis.call('HGET', edges, '#born')
if ARGV[6] == '1' then
  for i = 1, #reply, 3 do
    local id = born .. '-' .. version .. '-' .. (i - 1) / 3
    redis.call('RPUSH', outbox, cmsgpack.pack({id, reply[i], reply[i + 1], reply[i + 2], now}))
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, %(kept_ms)d) end
local answer = {version, redis.call('HLEN', here), has, anonymous}
for i = 1, #reply do answer[#answer + 1] = reply[i] end
return answer
"""

# KEYS: here, edges. Returns version, then as `_REPORT` connections and anonymous, then user and newest info of each.
_SNAPSHOT = """
local all, anonymous, list = 0, 0, redis.call('HGETALL', KEYS[2])
local version = 0
for i = 1, #list, 2 do
  if list[i] == '#version' then version = tonumber(list[i + 1])
  elseif string.sub(list[i], 1, 1) ~= '#' then
    local counts = cmsgpack.unpack(list[i + 1])
    all, anonymous = all + counts[1], anonymous + counts[2]
  end
end
local reply, here = {version, all, anonymous}, redis.call('HGETALL', KEYS[1])
for i = 1, #here, 2 do
  local _, newest = next(cmsgpack.unpack(here[i + 1]))
  reply[#reply + 1], reply[#reply + 2] = here[i], newest[2]
end
return reply
"""

# KEYS: events, seen. ARGV: the event packed. Takes each id once.
_KEEP = """
if redis.call('SET', KEYS[2], 1, 'NX', 'EX', %(seen_s)d) then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', %(max_events)d, '*', 'e', ARGV[1])
end
"""

# KEYS: edges, the latest beat of all. ARGV: edge, 1 if it is its first. Returns 1 if it counts as gone, then who is
# silent. After a time in which nobody was heard of, nobody is silent for as long as a lease.
_BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '0' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return {1} end
local latest = tonumber(redis.call('HGET', KEYS[2], 'at') or now)
if latest < now - %(lease_ms)d / 2 then redis.call('HSET', KEYS[2], 'calm', now + %(lease_ms)d) end
redis.call('HSET', KEYS[2], 'at', now)
redis.call('ZADD', KEYS[1], now, ARGV[1])
local reply = {0}
if now >= tonumber(redis.call('HGET', KEYS[2], 'calm') or 0) then
  local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - %(lease_ms)d)
  for i = 1, #silent do reply[#reply + 1] = silent[i] end
end
return reply
"""


class _Script:
    def __init__(self, text: str) -> None:
        self.text = text % {
            "kept_ms": KEPT_S * 1000,
            "seen_s": SEEN_S,
            "max_events": MAX_EVENTS,
            "lease_ms": LEASE_S * 1000,
        }
        self.sha = hashlib.sha1(self.text.encode()).hexdigest()  # noqa: S324 - Redis names scripts so


_REPORTING, _SHOWING, _KEEPING, _BEATING = map(_Script, (_REPORT, _SNAPSHOT, _KEEP, _BEAT))
_pack = msgspec.msgpack.Encoder().encode
_packed_event = msgspec.msgpack.Decoder(tuple[str, EventKind, str, str, float])
_packed_kept = msgspec.msgpack.Decoder(tuple[str, ChannelName, float, PresenceEvent])


class RedisPresenceStore:
    """See `PresenceStore`. `connection_for` is the broker's: it leads to where a key is."""

    def __init__(self, connection_for: Callable[[str], RedisConnection], on_kept: OnKept = tell_nobody) -> None:
        self._connection_for = connection_for
        self._on_kept = on_kept
        self._noted: set[tuple[str, RealmId, ChannelName]] = set()

    async def report(self, realm: RealmId, channel: ChannelName, edge: str, report: ChannelReport) -> Outcome:
        """See `PresenceStore.report`."""
        if (edge, realm, channel) not in self._noted:  # before the report, so that whoever cleans up finds it
            await self._call(_channels_key(edge), "SADD", _channels_key(edge), _pack([realm, channel]))
            self._noted.add((edge, realm, channel))
        return await self._report(realm, channel, edge, report, fences=False)

    async def _report(
        self, realm: RealmId, channel: ChannelName, edge: str, report: ChannelReport, *, fences: bool
    ) -> Outcome:
        arguments: list[Argument] = [edge, report.connections, report.anonymous]
        arguments += [int(report.is_whole), int(fences), int(report.keeps_events), channel]
        for one in report.users:
            arguments += [one.user, one.connections, b"" if one.info is None else b"=" + one.info]
        reply = await self._run(_REPORTING, _keys(realm, channel), arguments)
        if reply == 0:
            raise Fenced(edge)
        version, members, connections, anonymous, *events = reply
        if report.keeps_events and (events or report.is_whole):
            await self._hand_on(realm, channel)
        return Outcome(version, members, connections, anonymous, _read_events(events))

    async def _hand_on(self, realm: RealmId, channel: ChannelName) -> None:
        """Bring what waits in the outbox to the realm's events, what others left there, too."""
        outbox = _keys(realm, channel)[2]
        for packed in await self._call(outbox, "LRANGE", outbox, 0, -1):
            name, kind, user, info, at_ms = _packed_event.decode(packed)
            event_id = f"{channel}-{name}"
            event = PresenceEvent(kind, user, _read_info(info.encode()))
            await self._on_kept(realm, KeptEvent("", event_id, channel, at_ms / 1000, event))
            kept = _pack((event_id, channel, at_ms / 1000, event))
            keys = [realm_key(realm, "events"), realm_key(realm, f"seen:{event_id}")]
            await self._run(_KEEPING, keys, [kept])
            await self._call(outbox, "LREM", outbox, 1, packed)

    async def snapshot(self, realm: RealmId, channel: ChannelName) -> Snapshot:
        """See `PresenceStore.snapshot`."""
        version, connections, anonymous, *rows = await self._run(_SHOWING, _keys(realm, channel)[:2], [])
        members = [Member(user.decode(), _read_info(info)) for user, info in zip(rows[::2], rows[1::2], strict=True)]
        return Snapshot(version, members, connections, anonymous)

    async def beat(self, edge: str, *, is_first: bool) -> Beat:
        """See `PresenceStore.beat`."""
        is_gone, *silent = await self._run(_BEATING, [_EDGES, f"{PREFIX}{{presence}}latest"], [edge, int(is_first)])
        return Beat(bool(is_gone), [one.decode() for one in silent])

    async def channels_of(self, edge: str) -> list[tuple[RealmId, ChannelName]] | None:
        """See `PresenceStore.channels_of`."""
        claim = f"{PREFIX}{{presence}}cleaning:{edge}"
        if not await self._call(claim, "SET", claim, 1, "NX", "EX", CLEANING_S):
            return None
        packed = await self._call(_EDGES, "SMEMBERS", _channels_key(edge))
        return [msgspec.msgpack.decode(one, type=tuple[RealmId, ChannelName]) for one in packed]

    async def remove(self, realm: RealmId, channel: ChannelName, edge: str) -> Outcome:
        """See `PresenceStore.remove`."""
        return await self._report(realm, channel, edge, ChannelReport([], 0, 0, is_whole=True), fences=True)

    async def forget(self, edge: str) -> None:
        """See `PresenceStore.forget`."""
        await self._call(_EDGES, "ZREM", _EDGES, edge)
        await self._call(_EDGES, "UNLINK", _channels_key(edge))
        self._noted = {one for one in self._noted if one[0] != edge}

    async def read_events(self, realm: RealmId, *, after: str = "", limit: int = 100) -> Sequence[KeptEvent]:
        """See `PresenceStore.read_events`."""
        key = realm_key(realm, "events")
        entries = await self._call(key, "XRANGE", key, f"({after}" if after else "-", "+", "COUNT", limit)
        kept = []
        for cursor, (_, packed) in entries:
            event_id, channel, at, event = _packed_kept.decode(packed)
            kept.append(KeptEvent(cursor.decode(), event_id, channel, at, event))
        return kept

    async def _call(self, key: str, *command: Argument) -> Reply:
        return await self._connection_for(key).call(*command)

    async def _run(self, script: _Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        connection = self._connection_for(keys[0])
        try:
            return await connection.call("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except ScriptMissing:
            return await connection.call("EVAL", script.text, len(keys), *keys, *arguments)


def _keys(realm: RealmId, channel: ChannelName) -> list[str]:
    base = stream_key(realm, channel)
    return [f"{base}:here", f"{base}:edges", f"{base}:outbox"]


def _channels_key(edge: str) -> str:
    return f"{PREFIX}{{presence}}of:{edge}"


def _read_info(info: bytes) -> bytes | None:
    return info[1:] if info else None


def _read_events(rows: Sequence[Reply]) -> list[PresenceEvent]:
    return [
        PresenceEvent(kind.decode(), user.decode(), _read_info(info))
        for kind, user, info in zip(rows[::3], rows[1::3], rows[2::3], strict=True)
    ]
