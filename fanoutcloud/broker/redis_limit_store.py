"""Shared counts of many processes, in Redis. One script per step; time is Redis's own.

Keys, all with one hash tag per realm: `fo:{realm}:limit:NAME`. A bucket is a hash of `level` and `at`; a count a hash
of holder → `number:until`; names are a sorted set by the end of their time. All expire by themselves.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fanoutcloud.broker.limit_store import HOLD_S, NOTE_S, Bucket, Count, Names, Taken
from fanoutcloud.broker.redis_connection import Argument, RedisConnection, Reply, ScriptMissing
from fanoutcloud.broker.redis_names import PREFIX
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.names import RealmId

#: Returns the connection to where a key is, or raises `Unavailable`: `RedisBroker.connection_for`.
ConnectionFor = Callable[[str], RedisConnection]

#: Names in one call; the next ones wait for the answer, so that no script runs long.
_NAMES_PER_CALL = 500

_NOW = """
local key, time = KEYS[1], redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
"""

# ARGV: tokens, tokens per second, burst, 1 if it may owe. Returns tokens given and ms to wait.
_TAKE = """
local wanted, per_s, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', key, 'level', 'at')
local level = burst
if kept[1] then level = math.min(burst, kept[1] + math.max(0, now - kept[2]) * per_s / 1000) end
local given, missing = wanted, 0
if ARGV[4] == '0' then given = math.min(wanted, math.max(0, math.floor(level + 1e-6))) end
level = math.min(burst, level - given)
if ARGV[4] == '1' then missing = -level
elseif given < wanted then missing = math.min(wanted - given, burst) - level end
redis.call('HSET', key, 'level', string.format('%.6f', level), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', key, math.ceil((burst - level) / per_s * 1000) + 1000)
return {given, math.max(0, math.ceil(missing / per_s * 1000))}
"""

# ARGV: holder, used, wanted, limit, ms that it holds. Returns how many the holder has.
_HOLD = """
local used, wanted, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local holds, others = redis.call('HGETALL', key), 0
for i = 1, #holds, 2 do
  local number, ends = string.match(holds[i + 1], '(%d+):(%d+)')
  if holds[i] ~= ARGV[1] then
    if tonumber(ends) <= now then redis.call('HDEL', key, holds[i]) else others = others + number end
  end
end
local granted = math.max(used, math.min(wanted, limit - others))
if granted > 0 then
  redis.call('HSET', key, ARGV[1], string.format('%d:%d', granted, now + ARGV[5]))
  redis.call('PEXPIRE', key, ARGV[5])
else
  redis.call('HDEL', key, ARGV[1])
end
return math.max(granted, 0)
"""

# ARGV: limit or -1, ms that a name counts, names. Returns 1 or 0 for each.
_NOTE = """
local limit, ends, answer = tonumber(ARGV[1]), now + ARGV[2], {}
redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
local count = redis.call('ZCARD', key)
for i = 3, #ARGV do
  local is_known = redis.call('ZSCORE', key, ARGV[i])
  if is_known or limit < 0 or count < limit then
    redis.call('ZADD', key, ends, ARGV[i])
    if not is_known then count = count + 1 end
    answer[#answer + 1] = 1
  else
    answer[#answer + 1] = 0
  end
end
if count > 0 then redis.call('PEXPIRE', key, ARGV[2]) end
return answer
"""


@dataclass(frozen=True, slots=True)
class LimitScript:
    """A script with the name that Redis knows it by."""

    text: str
    sha: str


def _script(text: str) -> LimitScript:
    whole = _NOW + text
    return LimitScript(whole, hashlib.sha1(whole.encode()).hexdigest())  # noqa: S324 - Redis names scripts so


class RedisLimitStore:
    """Keeps the promises of `LimitStore` for all processes on one Redis, over the broker's own connection."""

    def __init__(self, connection_for: ConnectionFor, *, hold_s: float = HOLD_S, note_s: float = NOTE_S) -> None:
        self._connection_for = connection_for
        self._hold_ms = round(hold_s * 1000)
        self._note_ms = round(note_s * 1000)
        self._take, self._hold, self._note = _script(_TAKE), _script(_HOLD), _script(_NOTE)

    async def take(self, realm: RealmId, bucket: Bucket, tokens: int, rate: Rate, *, may_owe: bool = False) -> Taken:
        """See `LimitStore.take`."""
        arguments: list[Argument] = [tokens, repr(float(rate.per_s)), rate.burst, int(may_owe)]
        given, wait_ms = await self._run(self._take, _key(realm, bucket), arguments)
        return Taken(given, wait_ms / 1000)

    async def hold(self, realm: RealmId, count: Count, *, holder: str, used: int, wanted: int, limit: int) -> int:
        """See `LimitStore.hold`."""
        arguments: list[Argument] = [holder, used, wanted, limit, self._hold_ms]
        return int(await self._run(self._hold, _key(realm, count), arguments))

    async def note(self, realm: RealmId, names: Names, wanted: Sequence[str], *, limit: int | None) -> list[bool]:
        """See `LimitStore.note`. One round trip per 500 names; a name is kept as 8 bytes of its digest."""
        head: list[Argument] = [-1 if limit is None else limit, self._note_ms]
        answers: list[bool] = []
        for start in range(0, len(wanted), _NAMES_PER_CALL):
            members = [_short(name) for name in wanted[start : start + _NAMES_PER_CALL]]
            counted = await self._run(self._note, _key(realm, names), [*head, *members])
            answers += [flag == 1 for flag in counted]
        return answers

    async def _run(self, script: LimitScript, key: str, arguments: Sequence[Argument]) -> Reply:
        """Run a script; Redis keeps one that it has been sent once, until it restarts."""
        connection = self._connection_for(key)
        try:
            return await connection.call("EVALSHA", script.sha, 1, key, *arguments)
        except ScriptMissing:
            return await connection.call("EVAL", script.text, 1, key, *arguments)


def _key(realm: RealmId, name: str) -> str:
    return f"{PREFIX}{{{quote(realm, safe='')}}}:limit:{name}"


def _short(name: str) -> bytes:
    return hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest()
