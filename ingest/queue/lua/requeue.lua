-- failed (a dead letter) → the back of its queue, with all its retries again.
-- ARGV: request, queue, job id …
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue = ARGV[2]
local failed = key('failed', queue)
local moved = {}

for i = 3, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  if redis.call('ZREM', failed, id) == 1 then
    local found = redis.call('HMGET', job, 'data', 'kind', 'reason', 'retries_left', 'retry_intervals')
    if not found[1] then
      count(queue, 'phantom', 1)
    else
      -- A stock client may have asked for more retries than it gave delays.
      local retries = math.max(#retry_delays(found[5]), number_or(found[4], 0))
      redis.call('HSET', job, 'status', 'queued', 'origin', queue, 'enqueued_at', NOW, 'retries_left', retries)
      redis.call('HDEL', job, 'started_at', 'ended_at', 'worker_name', 'exc_info', 'error_type', 'error_message',
        'reason', 'lapsed')
      -- Poison keeps its crashes and is claimed alone: at its first further crash it is dead again.
      if found[3] ~= 'poison' then redis.call('HDEL', job, 'crashes', 'alone') end
      redis.call('PERSIST', job)
      moved[#moved + 1] = id
      count_job(queue, 'requeued', found[2])
    end
  end
end

push_back(queue, moved)
if #moved > 0 then
  redis.call('SADD', PREFIX .. ':queues', key('queue', queue))
  ring()
end
return keep_reply(moved)
