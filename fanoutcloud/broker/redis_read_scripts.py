"""How a stream is read inside Redis: what follows on the beginning that all scripts have in `redis_scripts`."""

# ARGV: …, epoch, offset, limit. Of one channel, returns a reason or 'ok', epoch, last offset, the packed items as an
# array. What is left of the epoch before the present one can be read up to its end; then the reader is told.
READ = """
open(KEYS[1])
save()
local since, limit, to = tonumber(ARGV[5]), tonumber(ARGV[6]), last
local is_past = ARGV[4] == past_epoch and since < past_end
if is_past then to = past_end
elseif ARGV[4] ~= epoch or since > last then return {{'epoch_changed', epoch, last, ''}} end
if since == to then return {{'ok', epoch, last, array({}, 1, 0)}} end
local function entries_from(offset, count)
  return call('XRANGE', items, text(offset) .. '-0', text(to) .. '-0', 'COUNT', math.max(count, 1))
end

local entries = entries_from(since + 1, math.min(limit, 16))
local is_kept = since >= last - keep and #entries > 0 and entries[1][1] == text(since + 1) .. '-0'
if not is_kept or entries[1][2][2] + age <= now then
  return {{is_past and 'epoch_changed' or 'history_expired', epoch, last, ''}}
end
-- A page ends with its last item or with its bytes; how many more fit is guessed from those that came.
local packed, size = {}, 0
while #packed < limit and #entries > 0 and size < %(page_bytes)d do
  for i = 1, #entries do
    if size >= %(page_bytes)d or #packed == limit then break end
    packed[#packed + 1] = entries[i][2][4]
    size = size + #entries[i][2][4]
  end
  local room = math.ceil((%(page_bytes)d - size) * #packed / math.max(size, 1))
  if room < 1 or #packed >= limit or since + #packed >= to then break end
  entries = entries_from(since + #packed + 1, math.min(limit - #packed, room))
end
return {{'ok', epoch, last, array(packed, 1, #packed)}}
"""

# ARGV: …, epoch of the bounds (empty: there are none), after, before (-1: no bound), limit, 1 for newest first. Of one
# channel, returns epoch (empty: there is no stream), last offset, 1 if the bounds are of another epoch, then for each
# item offset, time in ms, packed item. Writes nothing, unless the epoch has just changed.
HISTORY = """
open(KEYS[1])
if is_new then return {{'', 0, 0}} end
if is_changed then save() end
local low, high, limit = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local is_other = ARGV[4] ~= '' and ARGV[4] ~= epoch
if is_other then low, high = -1, -1 end
local reply = {epoch, last, is_other and 1 or 0}
low = math.max(low, last - keep, past_epoch ~= '' and past_end or 0) + 1
high = high < 0 and last or math.min(high - 1, last)
if low > high then return {reply} end
local command, ends = 'XRANGE', {low, high}
if ARGV[8] == '1' then command, ends = 'XREVRANGE', {high, low} end
local from, to, taken = text(ends[1]) .. '-0', text(ends[2]) .. '-0', 0
repeat  -- the oldest may be past their time, and not yet taken away
  local entries = call(command, items, from, to, 'COUNT', limit)
  for _, entry in ipairs(entries) do
    local stamp = tonumber(entry[2][2])
    if taken < limit and stamp + age > now then
      taken = taken + 1
      reply[#reply + 1], reply[#reply + 2] = tonumber(string.sub(entry[1], 1, -3)), stamp
      reply[#reply + 1] = entry[2][4]
    end
    from = '(' .. entry[1]
  end
until #entries < limit or taken == limit
return {reply}
"""
