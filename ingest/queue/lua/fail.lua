-- started → scheduled (a retry), its queue (a retry at once), failed (a dead letter), or the trash where the kind keeps
-- no dead letters. Only by the claim that holds the job.
-- ARGV: request, queue, claim id, worker, then for each job: id, retry ('1' or '0'), jitter (a factor),
--       traceback for the hash, traceback for the result stream, reason, error type, error message, frames
-- Reply: for each job in order: 'retry', 'dead', 'trash', 'canceled' (somebody asked for that while it ran) or 'refused'

local WIDTH = 9

local earlier = earlier_reply()
if earlier then return earlier end

local queue, claim, worker = ARGV[2], ARGV[3], ARGV[4]
local wip = key('wip', queue)
local reply, at_once, failed = {}, {}, 0

for first = 5, #ARGV, WIDTH do
  local id, may_retry, jitter = ARGV[first], ARGV[first + 1] == '1', tonumber(ARGV[first + 2])
  local error = { text = ARGV[first + 3], stream = ARGV[first + 4], reason = ARGV[first + 5], type = ARGV[first + 6],
    message = ARGV[first + 7], frames = ARGV[first + 8] }
  local job = key('job', id)
  local held = redis.call('ZREM', wip, id .. ':' .. claim) == 1
  local found = redis.call('HMGET', job, 'status', 'kind', 'attempts', 'retries_left', 'retry_intervals', 'started_at',
    'callback', 'dead_letters', 'ordering_key', 'stopping')
  local ours = found[2]
  local outcome
  if not held or found[1] ~= 'started' then
    -- Held, yet not started: a stock client canceled or deleted it meanwhile, and that stands.
    if held then
      count(queue, 'phantom', 1)
      end_turn(id, found[9])
    end
    outcome = 'refused'
  else
    local attempt = number_or(found[3], 0) + 1
    local told = { error = { type = error.type, message = error.message, reason = error.reason } }
    failed = failed + 1
    redis.call('HSET', job, 'attempts', attempt)
    observe('run', queue, ours, found[6])
    local left = number_or(found[4], 0)
    if found[10] then
      end_stopped(queue, id, ours, found[7], found[9])
      outcome = 'canceled'
    elseif may_retry and left > 0 then
      local delays = retry_delays(found[5])
      local delay = number_or(delays[math.max(#delays - left, 0) + 1], 0) * jitter
      write_error(id, delay > 0 and 'scheduled' or 'queued', error)
      redis.call('HSET', job, 'retries_left', left - 1)
      if delay > 0 then
        redis.call('ZADD', key('scheduled', queue), score(now + delay), id)
      else
        redis.call('HSET', job, 'enqueued_at', NOW)
        at_once[#at_once + 1] = id
      end
      count_job(queue, 'retried', ours)
      outcome = 'retry'
    else
      outcome = bury(queue, id, found[8] == '0', error)
      end_turn(id, found[9])
      count_job(queue, outcome == 'trash' and 'dropped' or 'dead', ours)
    end
    if outcome ~= 'canceled' then
      add_attempt(id, outcome == 'retry' and 4 or 2, worker, claim, found[6], attempt, error)
      tell(outcome == 'retry' and 'retrying' or outcome == 'dead' and 'failed' or 'trash', queue, id, found[7], told)
    end
  end
  reply[#reply + 1] = outcome
end

push_back(queue, at_once)
if #at_once > 0 then ring() end
credit(worker, 'failed_job_count', failed)
write_observed()
announce(queue)
return keep_reply(reply)
