"""What puts events for webhooks into the outbox, inside Redis: by themselves, or in one atomic step with their items.

    fo:{webhooks}outbox   stream  entry: r (realm), e (packed event); of an item that was published in the same step:
                                  r, i (packed item), e (packed event, without the item), p (position, or empty while
                                  the item waits)
    fo:{webhooks}waiting  hash    realm → how many of its events wait

In a Cluster the outbox is on one server and a channel's stream on any, so there is only the first way.
"""

from dataclasses import dataclass

from fanoutcloud.broker.redis_names import PREFIX, announcement_channel
from fanoutcloud.core.webhooks import NEWS_OF_EVENTS, NEWS_TOPIC

STREAM_KEY = f"{PREFIX}{{webhooks}}outbox"
WAITING_KEY = f"{PREFIX}{{webhooks}}waiting"

# Steps, written into each script where they belong: a function would cost Redis more than what is in it.
# Needs `outbox`, `counts` (keys), `realm`, `most` (events that it may have), `most_of_all`, and `count`, how many come.
# Leaves the limit that they would pass, or nil.
_FIND_LIMIT = """
local waiting_now, limit = redis.call('XLEN', outbox), nil
if waiting_now + count > most and tonumber(redis.call('HGET', counts, realm) or 0) + count > most then
  limit = most
elseif waiting_now + count > most_of_all then
  limit = most_of_all
end
"""
# When all are in.
_COUNT_IN = f"""
if count > 0 then
  redis.call('HINCRBY', counts, realm, count)
  if waiting_now == 0 then
    redis.call('PUBLISH', '{announcement_channel(NEWS_TOPIC)}', '{NEWS_OF_EVENTS.decode()}')
  end
end
"""
# Of an item's outcome, see `redis_scripts`.
_TO_POSITION = """
if outcome == 0 then outcome = '' elseif type(outcome) == 'number' then
  outcome = reply[1] .. ':' .. string.format('%.0f', outcome)
end
"""

# KEYS: outbox, waiting. ARGV: realm, how many it may have, how many all may have, then packed events. Returns 0, or the
# limit that is reached.
PUT = f"""
local outbox, counts, count = KEYS[1], KEYS[2], #ARGV - 3
local realm, most, most_of_all = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
{_FIND_LIMIT}
if limit then return limit end
for i = 4, #ARGV do redis.call('XADD', outbox, '*', 'r', realm, 'e', ARGV[i]) end
{_COUNT_IN}
return 0
"""

# What follows surrounds the publishing of `redis_scripts` and `redis_plain_publish`. ARGV beside what that reads: from
# the sixth on as the first three of PUT, and at the end of each item its packed event, or an empty text. Where there is
# no room for the events, nothing is written, and each channel's reply is an empty epoch and the limit that is reached.
# The event of a repeated item is put again: it is the same one, and the first may have got lost on another way.
_BEFORE = f"""
local outbox, counts, realm, count = '{STREAM_KEY}', '{WAITING_KEY}', ARGV[6], 0
local most, most_of_all = tonumber(ARGV[7]), tonumber(ARGV[8])
%s
{_FIND_LIMIT}
if limit then
  local refusals = {{}}
  for i = 1, #KEYS do refusals[i] = {{'', limit}} end
  return refusals
end
"""
_PUT_PLAIN = f"""
for i = 1, #KEYS do
  local at, reply = 6 + 3 * i, replies[i]
  if ARGV[at + 2] ~= '' then
    local outcome = reply
    if type(reply) == 'table' then
      outcome = reply[3]
      {_TO_POSITION}
    end
    redis.call('XADD', outbox, '*', 'r', realm, 'i', ARGV[at], 'e', ARGV[at + 2], 'p', outcome)
  end
end
{_COUNT_IN}
"""
_PUT_ALL = f"""
local at = 9
for i = 1, #KEYS do
  local reply = replies[i]
  for n = 3, #reply do
    local item, outcome = at + 4 * n - 11, reply[n]
    if ARGV[item + 3] ~= '' then
      {_TO_POSITION}
      redis.call('XADD', outbox, '*', 'r', realm, 'i', ARGV[item], 'e', ARGV[item + 3], 'p', outcome)
    end
  end
  at = at + 1 + 4 * tonumber(ARGV[at])
end
{_COUNT_IN}
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a script that publishes is written for: where its channels' arguments begin, how many an item has, what is
    done before anything and after all.
    """

    first_argument: int
    per_item: int
    before: str = ""
    after: str = ""


PLAIN = Shape(6, 2)
PLAIN_WITH_EVENTS = Shape(
    9, 3, _BEFORE % "for i = 11, #ARGV, 3 do if ARGV[i] ~= '' then count = count + 1 end end", _PUT_PLAIN
)
ALL = Shape(6, 3)
ALL_WITH_EVENTS = Shape(
    9,
    4,
    _BEFORE
    % """
local at = 9
for i = 1, #KEYS do
  local to = at + 4 * tonumber(ARGV[at])
  for event = at + 4, to, 4 do if ARGV[event] ~= '' then count = count + 1 end end
  at = to + 1
end
""",
    _PUT_ALL,
)


class OutboxFull(Exception):
    """There is no room for the events. `limit` is how many there may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit
