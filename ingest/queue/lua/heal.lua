-- nowhere → the front of its queue, or the set that its status names. For jobs that a stock worker or client lost
-- between two of its commands: their hash is whole, and no list or set holds them.
-- ARGV: request, queue, entries of a list that are searched, job id …
-- Reply: the ids that were nowhere
--
-- A longer list is searched from its head; the caller names only jobs that are older than the head.

local earlier = earlier_reply()
if earlier then return earlier end

local queue, near = ARGV[2], tonumber(ARGV[3])
local tombstones = key('qa:tomb', queue)
local lists = { key('queue', queue), PREFIX .. ':queue:' .. queue .. ':intermediate' }
for _, bucket in ipairs(redis.call('HKEYS', key('qa:parked', queue))) do
  lists[#lists + 1] = key('qa:parked', queue .. ':' .. bucket)
end
local started
local function is_started(id)
  if not started then
    started = {}
    for _, member in ipairs(redis.call('ZRANGE', key('wip', queue), 0, -1)) do
      started[string.match(member, '^(.*):[^:]*$') or member] = true
    end
  end
  return started[id] or redis.call('EXISTS', key('executions', id)) == 1
end

local function is_somewhere(id)
  for _, list in ipairs(lists) do
    if redis.call('LPOS', list, id, 'MAXLEN', near) then return true end
  end
  for _, place in ipairs({ 'scheduled', 'failed', 'canceled', 'finished', 'deferred' }) do
    if redis.call('ZSCORE', key(place, queue), id) then return true end
  end
  return redis.call('ZSCORE', key('qa:trash', queue), id) or redis.call('ZSCORE', key('qa:behind', queue), id)
    or is_started(id)
end

local healed, waiting = {}, {}
for i = 4, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  local found = redis.call('HMGET', job, 'status', 'origin', 'data', 'kind', 'ordering_key')
  local status = found[1]
  if found[2] == queue and found[3] and not is_somewhere(id) then
    local lost = true
    if status == 'queued' or status == 'started' then
      redis.call('SREM', tombstones, id)
      redis.call('HSET', job, 'status', 'queued')
      if takes_turn(queue, id, found[5]) then waiting[#waiting + 1] = id end
    elseif status == 'scheduled' then
      redis.call('ZADD', key('scheduled', queue), score(now), id)
    elseif status == 'failed' then
      redis.call('ZADD', key('failed', queue), score(now + OFFSET), id)
    else
      lost = false
    end
    if lost then
      redis.call('PERSIST', job)
      count_job(queue, 'healed', found[4])
      healed[#healed + 1] = id
    end
  end
end

push_front(queue, waiting)
if #waiting > 0 then ring() end
return keep_reply(healed)
