"""What puts events for webhooks into the outbox, inside Redis: by themselves, or in one atomic step with their items.

    fo:{webhooks}outbox   stream  entry: r (realm), e (packed event); of an item that was published in the same step:
                                  r, i (packed item), e (packed event, without the item), p (position, or empty while
                                  the item waits)
    fo:{webhooks}waiting  hash    realm → how many of its events wait

In a Cluster the outbox is on one server and a channel's stream on any, so there is only the first way.
"""

from collections.abc import Mapping

from fanoutcloud.broker.redis_names import PREFIX, announcement_channel
from fanoutcloud.core.webhooks import NEWS_OF_EVENTS, NEWS_TOPIC

STREAM_KEY = f"{PREFIX}{{webhooks}}outbox"
WAITING_KEY = f"{PREFIX}{{webhooks}}waiting"

# Needs `outbox`, `counts` (keys), `realm`, `most` (events that it may have), and `most_of_all`.
_ROOM = f"""
local waiting_now
local function limit_reached(count)  -- the limit that so many more would pass, or nil
  waiting_now = redis.call('XLEN', outbox)
  if waiting_now + count > most and tonumber(redis.call('HGET', counts, realm) or 0) + count > most then
    return most
  end
  if waiting_now + count > most_of_all then return most_of_all end
end

local function note_put(count)
  redis.call('HINCRBY', counts, realm, count)
  if waiting_now == 0 then
    redis.call('PUBLISH', '{announcement_channel(NEWS_TOPIC)}', '{NEWS_OF_EVENTS.decode()}')
  end
end
"""

# KEYS: outbox, waiting. ARGV: realm, how many it may have, how many all may have, then packed events. Returns 0, or the
# limit that is reached.
PUT = f"""
local outbox, counts, realm, most, most_of_all = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
{_ROOM}
local limit = limit_reached(#ARGV - 3)
if limit then return limit end
for i = 4, #ARGV do redis.call('XADD', outbox, '*', 'r', realm, 'e', ARGV[i]) end
note_put(#ARGV - 3)
return 0
"""

# Come before and after the publishing of `redis_scripts`, which is a function between them. ARGV beside what that
# reads: from the sixth on as the first three of PUT, and after each item its packed event, or an empty text. Where
# there is no room for the events, nothing is written, and each channel's reply is an empty epoch and the limit that is
# reached. The event of a repeated item is put again: it is the same one, and the first may have got lost on another way
# than this.
EVENTS_BEFORE = f"""
local outbox, counts, realm = '{STREAM_KEY}', '{WAITING_KEY}', ARGV[6]
local most, most_of_all = tonumber(ARGV[7]), tonumber(ARGV[8])
{_ROOM}
local function count_events()
  local count, at = 0, 9
  for channel = 1, #KEYS, step do
    local to = at + 4 * tonumber(ARGV[at])
    for i = at + 4, to, 4 do if ARGV[i] ~= '' then count = count + 1 end end
    at = to + 1
  end
  return count
end

local entries, positions = {{}}, {{}}
local function note(at, outcome)  -- an item that begins at this argument
  if ARGV[at + 3] == '' then return end
  if outcome == 0 then outcome = '' elseif type(outcome) == 'number' then outcome = epoch .. ':' .. text(outcome) end
  entries[#entries + 1], positions[#positions + 1] = at, outcome
end
"""
EVENTS_AFTER = """
local count, replies = count_events(), {}
local limit = limit_reached(count)
if limit then
  for channel = 1, #KEYS, step do replies[#replies + 1] = {'', limit} end
  return replies
end
replies = publish()
for i, at in ipairs(entries) do
  call('XADD', outbox, '*', 'r', realm, 'i', ARGV[at], 'e', ARGV[at + 3], 'p', positions[i])
end
if count > 0 then note_put(count) end
return replies
"""

#: What publishing of `redis_scripts` is made with: its first argument, how many an item has, what comes after an item.
WITHOUT_EVENTS: Mapping[str, int | str] = {"first_argument": 6, "per_item": 3, "after_item": ""}
WITH_EVENTS: Mapping[str, int | str] = {
    "first_argument": 9,
    "per_item": 4,
    "after_item": "\n    note(i, reply[#reply])",
}


class OutboxFull(Exception):
    """There is no room for the events. `limit` is how many there may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit
