"""What runs inside Redis, in one atomic step per channel: the rules of `sequencing`, in Lua.

Keys of a channel, all beginning with the name of `redis_names.stream_key`, which is also its pub/sub channel:

    :head      string  MessagePack, see `save`: epoch, lineage, last (offset, always 8 bytes, so that it can be replaced
                       in its place), id (last id), waiting (count), due (earliest), arrivals, keep, age, until when
                       the items last, what `open` leaves of the epoch before: its name and end, and until when the
                       key itself lasts
    :items     stream  entry `OFFSET-0`: t (published at, ms), i (packed item)
    :waiting   hash    prev-id → MessagePack [arrival, due, id, packed item]
    :id:ID     string  where the item with that id went, or empty while it waits; expires with the window

An id is written as `=` and the id, so that the empty text can mean "none". Time is Redis's own. A call may hold several
channels, which saves most of its cost, except in a Cluster; there the keys of its one channel are all declared, so that
Redis can tell whether they are all here while a slot moves. Undeclared names share the hash tag.

When Redis may not write (full, read-only), it refuses the first write of a call and then none: so the first write is
always one that is refused (SET, SETRANGE, HSET), and nothing is ever half done.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import msgspec

from fanoutcloud.broker.base import MAX_PAGE_BYTES
from fanoutcloud.broker.redis_connection import Argument
from fanoutcloud.broker.redis_event_scripts import ALL, ALL_WITH_EVENTS, PLAIN, PLAIN_WITH_EVENTS, Shape
from fanoutcloud.broker.redis_plain_publish import PUBLISH_PLAIN, PUBLISH_REST
from fanoutcloud.broker.redis_read_scripts import HISTORY, READ
from fanoutcloud.broker.sequencing import StreamRules

# Begins every call. ARGV: salt, lineage, keys per channel. `open` reads a stream's state, or makes a new epoch: the
# salt and the time make it unlike any other. A stream that was written under another lineage than Redis has now may
# have lost its end (docs/topics/streams.md): its items stay readable for those who know the old epoch.
_OPEN = """
local salt, lineage, step = ARGV[1], ARGV[2], tonumber(ARGV[3])
local call, pack, unpack = redis.call, cmsgpack.pack, cmsgpack.unpack
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local base, head, items, waiting, is_new, is_changed
local epoch, written_under, last, last_id, held, due, arrivals, keep, age, items_until, past_epoch, past_end, head_until

local shown, shown_text  -- nearly all of a channel's texts are of one offset
local function text(number)
  if number ~= shown then shown, shown_text = number, string.format('%%.0f', number) end
  return shown_text
end
local stamp = text(now)

local function new_epoch()
  local alphabet, hex, name = 'abcdefghijkmnpqrstuvwxyz23456789', redis.sha1hex(salt .. base .. time[1] .. time[2]), ''
  for i = 1, 8 do
    local n = tonumber(string.sub(hex, 2 * i - 1, 2 * i), 16) %% 32 + 1
    name = name .. string.sub(alphabet, n, n)
  end
  return name
end

local function open(key)
  head, base = key, string.sub(key, 1, -6)
  items, waiting = base .. ':items', base .. ':waiting'
  local state = call('GET', head)
  is_new, is_changed = not state, not state
  if is_new then
    epoch, written_under, last, last_id, held, due = new_epoch(), lineage, 0, '', call('HLEN', waiting), 0
    arrivals, keep, age, items_until, past_epoch, past_end, head_until = now, 0, 0, 0, '', 0, 0
    return
  end
  epoch, written_under, last, last_id, held, due, arrivals, keep, age, items_until, past_epoch, past_end, head_until =
    unpack(state)
  if written_under ~= lineage then
    past_epoch, past_end = epoch, last
    epoch, written_under, is_changed = new_epoch(), lineage, true
  end
end

local function array(list, from, to)  -- MessagePack: an array of one, or array 32
  if from == to then return '\\145' .. list[from] end
  return struct.pack('>BI4', 0xdd, to - from + 1) .. table.concat(list, '', from, to)
end

local function is_lasting(till, lives)  -- expiries are set anew now and then, not each time
  return till and till >= now + lives and till <= now + lives + math.floor(lives / 16)
end

local function lengthened(lives) return lives + math.floor(lives / 16) end

local function save()
  local lives = math.max(%(idle_ms)d, age)
  local is_kept = is_lasting(head_until, lives)
  if not is_changed then  -- only looked at: the key is not written, which a full Redis would refuse
    if not is_kept and call('PTTL', head) < lives then call('PEXPIRE', head, text(lengthened(lives))) end
    return
  end
  if not is_kept then head_until = now + lengthened(lives) end
  local state = pack(epoch, written_under) .. struct.pack('>BI8', 207, last) .. pack(last_id, held, due, arrivals, keep,
    age, items_until, past_epoch, past_end, head_until)
  if is_kept then call('SET', head, state, 'KEEPTTL')
  else call('SET', head, state, 'PX', text(lengthened(lives))) end
  if is_new then call('UNLINK', items) end
end
"""

# What goes out is collected in `out` and written by `finish`.
_GO_OUT = """
local out, first, gone

local function append(packed, id, waited, is_aside)
  last, is_changed = last + 1, true
  if not is_aside then last_id = id end
  out[#out + 1] = packed
  if id ~= '' then
    local key, position = base .. ':id:' .. id, epoch .. ':' .. text(last)
    if waited then call('SET', key, position, 'XX', 'KEEPTTL')
    else call('SET', key, position, 'PX', %(window_ms)d) end
  end
end

local function release(prev, id, packed)
  call('HDEL', waiting, prev)
  gone[prev], held = true, held - 1
  append(packed, id, true)
end

local function let_followers_go()
  while held > 0 and last_id ~= '' do
    local raw = call('HGET', waiting, last_id)
    if not raw then return end
    local entry = unpack(raw)
    release(last_id, entry[3], entry[4])
  end
end

local function let_go(at_least)  -- what is overdue, and the `at_least` oldest in any case
  local all, list = call('HGETALL', waiting), {}
  gone = {}
  for i = 1, #all, 2 do
    local entry = unpack(all[i + 1])
    list[#list + 1] = {prev = all[i], arrival = entry[1], due = entry[2], id = entry[3], packed = entry[4]}
  end
  table.sort(list, function(a, b) return a.arrival < b.arrival end)
  held, due, is_changed = #list, 0, true
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

local function begin(key)
  open(key)
  out, first, gone = {}, last + 1, {}
  if held > 0 and due <= now then let_go(0) end
end

local function send()  -- in messages of about 256 KB, so that no reader's buffer is filled by one
  local from, size = 1, 0
  for i = 1, #out do
    size = size + #out[i]
    if size > 262144 or i == #out then
      call('SPUBLISH', base, epoch .. ':' .. text(first + from - 1) .. ':' .. array(out, from, i))
      from, size = i + 1, 0
    end
  end
end

local function write_items()
  local count = #out
  local is_kept = is_lasting(items_until, age)
  if not is_kept then items_until = now + lengthened(age) end
  save()
  for i = math.max(1, count - keep + 1), count - 1 do
    call('XADD', items, text(first + i - 1) .. '-0', 't', stamp, 'i', out[i])
    is_kept = false
  end
  local place, is_added = text(last) .. '-0', false
  if is_kept and keep >= 64 and last %% 16 > 0 then  -- taking one away costs more than adding one: not each time
    is_added = call('XADD', items, 'NOMKSTREAM', place, 't', stamp, 'i', out[count])
  elseif is_kept then
    is_added = call('XADD', items, 'NOMKSTREAM', 'MAXLEN', '=', keep, place, 't', stamp, 'i', out[count])
  end
  if is_added then return end
  call('XADD', items, 'MAXLEN', '=', keep, place, 't', stamp, 'i', out[count])
  call('PEXPIRE', items, text(items_until - now))
end

local function finish()
  if is_changed and held > 0 then call('PEXPIRE', waiting, text(math.max(%(idle_ms)d, age))) end
  if #out > 0 then
    write_items()
    send()
  else
    save()
  end
  if held > 0 then return math.max(due - now, 0) end
  return -1
end
"""

_TAKE = """
local function hold(packed, id, prev)
  arrivals, held, is_changed = arrivals + 1, held + 1, true
  if held == 1 then due = now + %(wait_ms)d end
  call('HSET', waiting, prev, pack({arrivals, now + %(wait_ms)d, id, packed}))
  if id ~= '' then call('SET', base .. ':id:' .. id, '', 'PX', %(window_ms)d) end
end

local function must_wait(prev) return prev ~= '' and prev ~= '!' and last_id ~= '' and prev ~= last_id end

local function take(packed, id, prev)
  if id ~= '' then
    local seen = call('GET', base .. ':id:' .. id)
    if seen then return seen end
  end
  if must_wait(prev) and call('HEXISTS', waiting, prev) == 0 then
    if held >= %(max_waiting)d then let_go(1) end
    if must_wait(prev) then
      hold(packed, id, prev)
      return 0
    end
  end
  append(packed, id, false, prev == '!')
  local offset = last
  if held > 0 then let_followers_go() end
  return offset
end
"""

# ARGV: …, items to keep, age in ms, then per channel: count, and per item packed, id, prev-id. Returns per channel:
# epoch, ms until something is due (or -1), then per item: its offset; 0 when it waits; the first position, as text,
# when its id was seen. With events there are more arguments, see `redis_event_scripts`.
_PUBLISH = """
local replies, at = {}, %(first_argument)d
for channel = 1, #KEYS, step do
  begin(KEYS[channel])
  keep, age = tonumber(ARGV[4]), tonumber(ARGV[5])
  local reply, to = {epoch, -1}, at + %(per_item)d * tonumber(ARGV[at])
  for i = at + 1, to, %(per_item)d do reply[#reply + 1] = take(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
  reply[2] = finish()
  replies[#replies + 1], at = reply, to + 1
end
%(after)s
return replies
"""

# Lets overdue items go. Returns per channel its position, as text; where something waits: epoch, last offset, ms until
# it is due.
_TOUCH = """
local replies = {}
for channel = 1, #KEYS, step do
  begin(KEYS[channel])
  local due_in = finish()
  replies[#replies + 1] = due_in < 0 and epoch .. ':' .. text(last) or {epoch, last, due_in}
end
return replies
"""


@dataclass(frozen=True, slots=True)
class Script:
    """A script with the name that Redis knows it by."""

    text: str
    sha: str


class ChannelCall(msgspec.Struct, frozen=True):
    """What a script is asked about one channel: the name of the stream, and arguments of its own."""

    key: str
    arguments: Sequence[Argument] = ()


@dataclass(frozen=True, slots=True)
class Scripts:
    """The scripts of one broker; its rules are written into them."""

    publish: Script
    publish_plain: Script
    publish_with_events: Script
    publish_plain_with_events: Script
    touch: Script
    read: Script
    history: Script

    def __iter__(self) -> Iterator[Script]:
        return iter((*self._publishing, self.touch, self.read, self.history))

    @property
    def _publishing(self) -> tuple[Script, ...]:
        return self.publish, self.publish_plain, self.publish_with_events, self.publish_plain_with_events

    def is_publish(self, script: Script) -> bool:
        """Return whether what the script writes has to reach replicas, where any are asked for."""
        return script in self._publishing


def build_scripts(rules: StreamRules) -> Scripts:
    """Return the scripts for these rules."""
    numbers = {
        "window_ms": _to_ms(rules.duplicate_window_s),
        "wait_ms": _to_ms(rules.reorder_wait_s),
        "idle_ms": _to_ms(rules.stream_idle_s),
        "max_waiting": rules.max_reorder_items,
        "page_bytes": MAX_PAGE_BYTES,
    }

    def script(*parts: str, shape: Shape = ALL) -> Script:
        text = shape.before + "".join(parts) % {**numbers, **asdict(shape)}
        return Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324 - Redis names scripts so

    take = (_OPEN, _GO_OUT, _TAKE)
    publish, publish_plain = (*take, _PUBLISH), (PUBLISH_PLAIN, *take, PUBLISH_REST)
    return Scripts(
        publish=script(*publish),
        publish_plain=script(*publish_plain, shape=PLAIN),
        publish_with_events=script(*publish, shape=ALL_WITH_EVENTS),
        publish_plain_with_events=script(*publish_plain, shape=PLAIN_WITH_EVENTS),
        touch=script(_OPEN, _GO_OUT, _TOUCH),
        read=script(_OPEN, READ),
        history=script(_OPEN, HISTORY),
    )


def head_key(key: str) -> str:
    """Return the key that a script is called with for the stream `key`."""
    return key + ":head"


def all_keys(key: str) -> list[str]:
    """Return the keys of the stream that are declared in a Cluster, the first one as `head_key`."""
    return [head_key(key), key + ":items", key + ":waiting"]


def _to_ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
