-- started → the front of its queue, in the order given, and without counting an attempt: a shutdown, or the
-- database is away. Only by the claim that holds the job; one that somebody asked to end is canceled instead.
-- ARGV: request, queue, claim id, job id …
-- Reply: how many were released

local earlier = earlier_reply()
if earlier then return earlier end

local queue, claim = ARGV[2], ARGV[3]
local wip = key('wip', queue)
local ids = {}
for i = 4, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  if redis.call('ZREM', wip, id .. ':' .. claim) == 1 then
    local found = redis.call('HMGET', job, 'status', 'kind', 'ordering_key', 'stopping', 'callback')
    if found[1] == 'started' and found[4] then
      end_stopped(queue, id, found[2], found[5], found[3])
    elseif found[1] == 'started' then
      redis.call('HSET', job, 'status', 'queued')
      redis.call('HDEL', job, 'worker_name', 'started_at')
      ids[#ids + 1] = id
      count_job(queue, 'released', found[2])
    else
      count(queue, 'phantom', 1)
      end_turn(id, found[3])
    end
  end
end
push_front(queue, ids)
if #ids > 0 then ring() end
announce(queue)
return keep_reply(#ids)
