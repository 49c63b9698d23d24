"""What runs inside Redis, in one atomic step per channel: the rules of `sequencing`, in Lua.

Keys of a channel, all beginning with the name of `redis_names.stream_key`, which is also its pub/sub channel:

    :meta      hash    epoch, last (offset), id (last id), waiting (count), due (earliest), arrivals, keep, age
    :items     stream  entry `OFFSET-0`: t (published at, ms), i (packed item)
    :waiting   hash    prev-id → MessagePack [arrival, due, id, packed item]
    :id:ID     string  where the item with that id went, or empty while it waits; expires with the window

An id is written as `=` and the id, so that the empty text can mean "none". Time is Redis's own. The names are made
inside the scripts from the one declared key; they share its hash tag, so they are in its slot in a Cluster too.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from fanoutcloud.broker.redis_connection import Argument, Reply, ScriptMissing
from fanoutcloud.broker.redis_link import RedisLink
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.items import Item
from fanoutcloud.core.streams import StoredItem, StreamPosition

# Opens the stream: reads its state, or makes a new epoch. The salt and the time make the epoch unlike any other.
_OPEN = """
local base = KEYS[1]
local meta, items, waiting = base .. ':meta', base .. ':items', base .. ':waiting'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number) return string.format('%%.0f', number) end

local function new_epoch(salt)
  local alphabet, hex, epoch = 'abcdefghijkmnpqrstuvwxyz23456789', redis.sha1hex(salt .. base .. time[1] .. time[2]), ''
  for i = 1, 8 do
    local n = tonumber(string.sub(hex, 2 * i - 1, 2 * i), 16) %% 32 + 1
    epoch = epoch .. string.sub(alphabet, n, n)
  end
  return epoch
end

local state = redis.call('HMGET', meta, 'epoch', 'last', 'id', 'waiting', 'due', 'arrivals', 'keep', 'age')
local epoch, last, last_id = state[1], tonumber(state[2] or 0), state[3] or ''
local held, due, arrivals = tonumber(state[4] or 0), tonumber(state[5] or 0), tonumber(state[6] or now)
local keep, age = tonumber(state[7] or 0), tonumber(state[8] or 0)
if not epoch then
  epoch = new_epoch(ARGV[1])
  redis.call('UNLINK', items)
  held = redis.call('HLEN', waiting)
  redis.call('HSET', meta, 'epoch', epoch, 'last', 0, 'waiting', held)
end

local function array(list, from, to)  -- MessagePack: array 32
  return struct.pack('>BI4', 0xdd, to - from + 1) .. table.concat(list, '', from, to)
end

local function live_on() redis.call('PEXPIRE', meta, text(math.max(%(idle_ms)d, age))) end
"""

# What goes out is collected in `out` and written by `finish`: when Redis refuses a write, it refuses the first one.
_GO_OUT = """
local out, first, changed = {}, last + 1, false
local gone = {}

local function append(packed, id, waited)
  last, last_id, changed = last + 1, id, true
  out[#out + 1] = packed
  if id ~= '' then
    local key, position = base .. ':id:' .. id, epoch .. ':' .. text(last)
    if waited then redis.call('SET', key, position, 'XX', 'KEEPTTL')
    else redis.call('SET', key, position, 'PX', %(window_ms)d) end
  end
end

local function release(prev, id, packed)
  redis.call('HDEL', waiting, prev)
  gone[prev], held = true, held - 1
  append(packed, id, true)
end

local function let_followers_go()
  while held > 0 and last_id ~= '' do
    local raw = redis.call('HGET', waiting, last_id)
    if not raw then return end
    local entry = cmsgpack.unpack(raw)
    release(last_id, entry[3], entry[4])
  end
end

local function let_go(at_least)  -- what is overdue, and the `at_least` oldest in any case
  local all, list = redis.call('HGETALL', waiting), {}
  gone = {}
  for i = 1, #all, 2 do
    local entry = cmsgpack.unpack(all[i + 1])
    list[#list + 1] = {prev = all[i], arrival = entry[1], due = entry[2], id = entry[3], packed = entry[4]}
  end
  table.sort(list, function(a, b) return a.arrival < b.arrival end)
  held, due = #list, 0
  for _, entry in ipairs(list) do
    if not gone[entry.prev] then
      if at_least < 1 and entry.due > now then
        due = entry.due
        return
      end
      at_least = at_least - 1
      release(entry.prev, entry.id, entry.packed)
      let_followers_go()
    end
  end
end

local function send()  -- in messages of about 256 KB, so that no reader's buffer is filled by one
  local from, size = 1, 0
  for i = 1, #out do
    size = size + #out[i]
    if size > 262144 or i == #out then
      redis.call('SPUBLISH', base, epoch .. ':' .. text(first + from - 1) .. ':' .. array(out, from, i))
      from, size = i + 1, 0
    end
  end
end

local function finish()
  if changed then
    redis.call('HSET', meta, 'last', text(last), 'id', last_id, 'waiting', held, 'due', text(due),
      'arrivals', text(arrivals), 'keep', keep, 'age', text(age))
    if held > 0 then redis.call('PEXPIRE', waiting, text(math.max(%(idle_ms)d, age))) end
  end
  live_on()
  local count, stamp = #out, text(now)
  if count > 0 then
    for i = math.max(1, count - keep + 1), count - 1 do
      redis.call('XADD', items, text(first + i - 1) .. '-0', 't', stamp, 'i', out[i])
    end
    redis.call('XADD', items, 'MAXLEN', '=', keep, text(last) .. '-0', 't', stamp, 'i', out[count])
    redis.call('PEXPIRE', items, text(age))
    send()
  end
  if held > 0 then return math.max(due - now, 0) end
  return -1
end

if held > 0 and due <= now then let_go(0) end
"""

# ARGV: salt, items to keep, age in ms, then per item: packed, id, prev-id. Returns epoch, ms until something is due
# (or -1), then per item: its offset; 0 when it waits; the first position, as text, when its id was seen.
_PUBLISH = """
keep, age = tonumber(ARGV[2]), tonumber(ARGV[3])

local function hold(packed, id, prev)
  arrivals, held, changed = arrivals + 1, held + 1, true
  if held == 1 then due = now + %(wait_ms)d end
  redis.call('HSET', waiting, prev, cmsgpack.pack({arrivals, now + %(wait_ms)d, id, packed}))
  if id ~= '' then redis.call('SET', base .. ':id:' .. id, '', 'PX', %(window_ms)d) end
end

local function must_wait(prev) return prev ~= '' and last_id ~= '' and prev ~= last_id end

local function take(packed, id, prev)
  if id ~= '' then
    local seen = redis.call('GET', base .. ':id:' .. id)
    if seen then return seen end
  end
  if must_wait(prev) and redis.call('HEXISTS', waiting, prev) == 0 then
    if held >= %(max_waiting)d then let_go(1) end
    if must_wait(prev) then
      hold(packed, id, prev)
      return 0
    end
  end
  append(packed, id, false)
  local offset = last
  let_followers_go()
  return offset
end

local reply = {epoch, -1}
for i = 4, #ARGV, 3 do reply[#reply + 1] = take(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
reply[2] = finish()
return reply
"""

# ARGV: salt. Lets overdue items go. Returns epoch, last offset, ms until something is due (or -1).
_TOUCH = """
local due_in = finish()
return {epoch, last, due_in}
"""

# ARGV: salt, epoch, offset, limit. Returns a reason or 'ok', epoch, last offset, the packed items as an array.
_READ = """
live_on()
local since, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
if ARGV[2] ~= epoch or since > last then return {'epoch_changed', epoch, last, ''} end
if since == last then return {'ok', epoch, last, array({}, 1, 0)} end
local entries = redis.call('XRANGE', items, text(since + 1) .. '-0', '+', 'COUNT', math.max(limit, 1))
if #entries == 0 or entries[1][1] ~= text(since + 1) .. '-0' or entries[1][2][2] + age <= now then
  return {'history_expired', epoch, last, ''}
end
local packed = {}
for i = 1, math.min(#entries, limit) do packed[i] = entries[i][2][4] end
return {'ok', epoch, last, array(packed, 1, #packed)}
"""


@dataclass(frozen=True, slots=True)
class Script:
    """A script with the name that Redis knows it by."""

    text: str
    sha: str


@dataclass(frozen=True, slots=True)
class Scripts:
    """The scripts of one broker; its rules are written into them."""

    publish: Script
    touch: Script
    read: Script


def build_scripts(rules: StreamRules) -> Scripts:
    """Return the scripts for these rules."""
    numbers = {
        "window_ms": _to_ms(rules.duplicate_window_s),
        "wait_ms": _to_ms(rules.reorder_wait_s),
        "idle_ms": _to_ms(rules.stream_idle_s),
        "max_waiting": rules.max_reorder_items,
    }

    def script(*parts: str) -> Script:
        text = "".join(parts) % numbers
        return Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324 - Redis names scripts so

    return Scripts(script(_OPEN, _GO_OUT, _PUBLISH), script(_OPEN, _GO_OUT, _TOUCH), script(_OPEN, _READ))


async def run_script(link: RedisLink, script: Script, calls: Sequence[tuple[str, Sequence[Argument]]]) -> list[Reply]:
    """Run the script for each (key, arguments), all in one round trip; return the replies in order.

    Raises:
        Unavailable: at least one did not succeed; the others may have.
    """
    connection = link.connection
    commands = [("EVALSHA", script.sha, 1, key, *arguments) for key, arguments in calls]
    replies = await asyncio.gather(*connection.call_all(commands), return_exceptions=True)
    missing = [index for index, reply in enumerate(replies) if isinstance(reply, ScriptMissing)]
    if missing:  # somebody flushed Redis's scripts; what did not run can be run again
        await connection.call("SCRIPT", "LOAD", script.text)
        again = connection.call_all([commands[index] for index in missing])
        for index, reply in zip(missing, await asyncio.gather(*again, return_exceptions=True), strict=True):
            replies[index] = reply
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return replies


_unpacker = msgspec.msgpack.Decoder(list[Item])


def read_packed_items(epoch: str, first_offset: int, packed: bytes | memoryview) -> list[StoredItem]:
    """Return the items of an array that a script made; their offsets follow on each other."""
    return [
        StoredItem(StreamPosition(epoch, offset), item)
        for offset, item in enumerate(_unpacker.decode(packed), first_offset)
    ]


def read_live_payload(payload: bytes) -> list[StoredItem]:
    """Return the items of a live message: `EPOCH:OFFSET:` and an array."""
    epoch_end = payload.index(b":")
    offset_end = payload.index(b":", epoch_end + 1)
    first_offset = int(payload[epoch_end + 1 : offset_end])
    return read_packed_items(payload[:epoch_end].decode(), first_offset, memoryview(payload)[offset_end + 1 :])


def _to_ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
