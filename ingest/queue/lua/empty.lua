-- queue → the trash, a part of it from the head: what was enqueued before a moment. What came later stays.
-- ARGV: request, queue, operator, operation that can be undone ('' for none), moment in Unix time, how many
-- Reply: how many moved, 1 when there may be more

local earlier = earlier_reply()
if earlier then return earlier end

local queue, by, operation, before, most = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local parked, tombstones = key('qa:parked', queue), key('qa:tomb', queue)
local moved, looked_at, ended = 0, 0, false

-- False: it was enqueued later, and so was everything behind it.
local function consider(id, is_behind)
  looked_at = looked_at + 1
  if not is_behind and redis.call('SREM', tombstones, id) == 1 then return true end
  local found = redis.call('HMGET', key('job', id), 'status', 'kind', 'enqueued_at', 'callback', 'data', 'ordering_key')
  if found[1] ~= 'queued' or not found[5] then
    count(queue, 'phantom', 1)
    if is_behind then leave_behind(queue, id) end
    return true
  end
  if (moment(found[3]) or 0) >= before then return false end
  if is_behind then step_out(queue, id, found[6]) end
  put_in_trash(queue, id, 'queued', '0', moved, operation)
  stamp(id, by)
  count_job(queue, 'trashed', found[2])
  tell('trash', queue, id, found[4])
  moved = moved + 1
  end_turn(id, found[6])
  return true
end

local function drain(list)
  local taken = 0
  while looked_at < most do
    local id = redis.call('LPOP', list)
    if not id then return taken, true end
    if not consider(id) then
      redis.call('LPUSH', list, id)
      return taken, true
    end
    taken = taken + 1
  end
  return taken, false
end

-- Those without the turn go first: else each would get it from the one before.
for _, id in ipairs(redis.call('ZRANGE', key('qa:behind', queue), 0, most - 1)) do
  if not consider(id, true) then
    looked_at = looked_at - 1
    break
  end
end
local held_back = redis.call('HGETALL', parked)
for i = 1, #held_back, 2 do
  local taken = drain(key('qa:parked', queue .. ':' .. held_back[i]))
  if taken > 0 and redis.call('HINCRBY', parked, held_back[i], -taken) <= 0 then
    redis.call('HDEL', parked, held_back[i])
  end
end
local _, done = drain(key('queue', queue))

announce(queue)
return keep_reply({ moved, done and 0 or 1 })
