-- failed (a dead letter) → the back of its queue, or of another one, with all its retries again.
-- ARGV: request, queue, queue that it goes to, operator, replay, then for each job: id, score that it must have in the
--       registry ('' for any), since one that was retried and failed again is another failure
-- With a replay it has one attempt, and its hash says which replay that was until it is requeued again; its last failure
-- stays there as well, for a replay that gives it back (see give_back).
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue, to, by, replay = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local failed = key('failed', queue)
local moved, waiting = {}, {}

for i = 6, #ARGV, 2 do
  local id, expected = ARGV[i], tonumber(ARGV[i + 1])
  local job = key('job', id)
  local same = not expected or number_or(redis.call('ZSCORE', failed, id), nil) == expected
  if same and redis.call('ZREM', failed, id) == 1 then
    local found = redis.call('HMGET', job, 'data', 'kind', 'reason', 'retries_left', 'retry_intervals',
      'callback', 'ordering_key')
    if not found[1] then
      count(queue, 'phantom', 1)
    else
      -- A stock client may have asked for more retries than it gave delays.
      local retries = replay == '' and math.max(#retry_delays(found[5]), number_or(found[4], 0)) or 0
      redis.call('HSET', job, 'status', 'queued', 'origin', to, 'enqueued_at', NOW, 'retries_left', retries)
      redis.call('HDEL', job, 'started_at', 'worker_name', 'lapsed', 'replay', 'given_back')
      if replay ~= '' then
        redis.call('HSET', job, 'replay', replay)
      else
        redis.call('HDEL', job, 'ended_at', 'exc_info', 'error_type', 'error_message', 'reason', 'frames')
      end
      -- Poison keeps its crashes and is claimed alone: at its first further crash it is dead again.
      if found[3] ~= 'poison' then redis.call('HDEL', job, 'crashes', 'alone') end
      redis.call('PERSIST', job)
      moved[#moved + 1] = id
      if takes_turn(to, id, found[7]) then waiting[#waiting + 1] = id end
      count_job(queue, 'requeued', found[2])
      if to ~= queue then
        count_job(queue, 'moved_out', found[2])
        count_job(to, 'moved_in', found[2])
      end
      stamp(id, by)
      tell('queued', to, id, found[6])
    end
  end
end

put_back(to, waiting)
if #moved > 0 then
  redis.call('SADD', PREFIX .. ':queues', key('queue', to))
  ring()
end
announce(to)
return keep_reply(moved)
