"""What most publishes are in Redis: one item to each channel, in streams that exist and in which nothing waits.

The rules are those of `redis_scripts`, whose own way takes what is not so plain. This is written straight on: making
the functions of the other costs Redis more than all that is done here for an item. Of a stream's head only the last
offset changes, and the last id if it is as long as the one before; both are replaced in their place.
"""

# Begins a script, before any function is made. ARGV: salt, lineage, keys per channel, items to keep, age in ms, then
# per channel: packed item, id; with events there are more, see `redis_event_scripts`. Returns per channel the new
# position, as text, or what `redis_scripts` does. Leaves channels by their numbers in `left` to PUBLISH_REST: new
# streams, others than ours wrote last, those where something waits or the expiry must be set anew. The head is as
# `save` writes it: its last offset is behind an epoch of 8 letters and a lineage of 12; a version before wrote it
# shorter, and MessagePack's 207 (uint 64) tells.
PUBLISH_PLAIN = """
local replies, left = {}, nil
do
  local call, unpack, sub, byte, format = redis.call, cmsgpack.unpack, string.sub, string.byte, string.format
  local wide = struct.pack
  local step, lineage, keep_text = tonumber(ARGV[3]), ARGV[2], ARGV[4]
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local stamp = format('%%.0f', now)
  local keep, age = tonumber(keep_text), tonumber(ARGV[5])
  local lives = math.max(%(idle_ms)d, age)
  local items_from, items_to = now + age, now + age + math.floor(age / 16)
  local head_from, head_to = now + lives, now + lives + math.floor(lives / 16)
  local index = 0
  for channel = 1, #KEYS, step do
    local at = %(first_argument)d + %(per_item)d * index
    index = index + 1
    local head, packed, id = KEYS[channel], ARGV[at], ARGV[at + 1]
    local state, reply = call('GET', head), nil
    if state and byte(state, 23) == 207 then
      local epoch, written_under, last, last_id, held, _, _, kept, aged, items_until, _, _, head_until = unpack(state)
      if #epoch == 8 and #lineage == 12 and written_under == lineage and held == 0 and #id == #last_id
          and kept == keep and aged == age and items_until >= items_from and items_until <= items_to
          and head_until >= head_from and head_until <= head_to then
        local base = sub(head, 1, -6)
        local seen = id ~= '' and call('GET', base .. ':id:' .. id)
        if seen then
          reply = {epoch, -1, seen}
        else
          local offset = format('%%.0f', last + 1)
          local items, place = base .. ':items', offset .. '-0'
          reply = epoch .. ':' .. offset
          if id == '' then
            call('SETRANGE', head, '23', wide('>I8', last + 1))
          else
            call('SETRANGE', head, '23', wide('>I8', last + 1) .. cmsgpack.pack(id))
            call('SET', base .. ':id:' .. id, reply, 'PX', '%(window_ms)d')
          end
          local is_added
          if keep >= 64 and (last + 1) %% 16 > 0 then
            is_added = call('XADD', items, 'NOMKSTREAM', place, 't', stamp, 'i', packed)
          else
            is_added = call('XADD', items, 'NOMKSTREAM', 'MAXLEN', '=', keep_text, place, 't', stamp, 'i', packed)
          end
          if not is_added then
            call('XADD', items, 'MAXLEN', '=', keep_text, place, 't', stamp, 'i', packed)
            call('PEXPIRE', items, format('%%.0f', items_until - now))
          end
          call('SPUBLISH', base, reply .. ':\\145' .. packed)
        end
      end
    end
    if reply then
      replies[index] = reply
    else
      left = left or {}
      left[#left + 1] = index
    end
  end
  if not left then
    %(after)s
    return replies
  end
end
"""

# Ends the script, behind the functions of `redis_scripts`.
PUBLISH_REST = """
for _, index in ipairs(left) do
  begin(KEYS[(index - 1) * step + 1])
  keep, age = tonumber(ARGV[4]), tonumber(ARGV[5])
  local at = %(first_argument)d + %(per_item)d * (index - 1)
  local outcome = take(ARGV[at], ARGV[at + 1], '')
  replies[index] = {epoch, finish(), outcome}
end
%(after)s
return replies
"""
