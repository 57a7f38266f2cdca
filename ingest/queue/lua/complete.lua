-- started → gone, or finished where a result is kept. Only by the claim that holds the job.
-- ARGV: request, queue, claim id, worker, how many results are kept, then for each job: id, result (base64 of JSON, or '')
-- Reply: the ids refused

local earlier = earlier_reply()
if earlier then return earlier end

local queue, claim, worker, most_kept = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local list, wip, finished = key('queue', queue), key('wip', queue), key('finished', queue)
local NEAR_HEAD = 1000
local TOLD = 87384 -- base64 of notice.RESULT_BYTES, 64 KiB: a hundred lines of the outbox are read at a time
local NULL = 'bnVsbA==' -- base64 of null

local refused, gone = {}, {}
local completed, foreign, late, phantoms = 0, 0, 0, 0
local kinds, late_kinds = {}, {}

-- The lease lapsed and the job was put back, but nobody claimed it since: the work is done, so it counts.
-- Recover puts at the front; a search from there is short, and beyond its bound the job simply runs again.
local function take_back(id, found)
  if found[1] ~= 'queued' or found[4] ~= claim then return false end
  local lane = found[8] and LANE .. found[8]
  local line = lane and key('qa:parked', queue .. ':' .. lane) or list
  if not redis.call('LPOS', line, id, 'MAXLEN', NEAR_HEAD) or redis.call('LREM', line, 1, id) == 0 then return false end
  local parked = key('qa:parked', queue)
  if lane and redis.call('HINCRBY', parked, lane, -1) <= 0 then redis.call('HDEL', parked, lane) end
  return true
end

local function keep_result(id, job, ttl, started_at, result)
  redis.call('HSET', job, 'status', 'finished', 'ended_at', NOW)
  redis.call('HDEL', job, 'exc_info', 'reason', 'error_type', 'error_message', 'frames', 'alone', 'lapsed', 'stopping')
  redis.call('EXPIRE', job, ttl)
  redis.call('ZADD', finished, score(now + ttl), id)
  local results = key('results', id)
  redis.call('XADD', results, 'MAXLEN', 20, '*', 'type', 1, 'worker_name', worker, 'return_value',
    result ~= '' and result or NULL, 'execution_id', claim, 'execution_started_at', score(moment(started_at) or now),
    'execution_ended_at', score(now))
  redis.call('EXPIRE', results, ttl)
  redis.call('EXPIRE', key('qa:log', id), ttl)
end

for i = 6, #ARGV, 2 do
  local id, result = ARGV[i], ARGV[i + 1]
  local job = key('job', id)
  local held = redis.call('ZREM', wip, id .. ':' .. claim) == 1
  local found = redis.call('HMGET', job, 'status', 'result_ttl', 'kind', 'lapsed', 'started_at', 'callback',
    'ordering_key', 'lane')
  local on_time = held and found[1] == 'started'
  if on_time or (not held and take_back(id, found)) then
    local ttl = number_or(found[2], 0)
    if on_time then observe('run', queue, found[3], found[5]) end
    tell('finished', queue, id, found[6], result ~= '' and #result <= TOLD and { result = result } or nil)
    if ttl > 0 then
      keep_result(id, job, ttl, found[5], result)
    else
      gone[#gone + 1] = job
      gone[#gone + 1] = key('results', id)
      gone[#gone + 1] = key('executions', id)
      gone[#gone + 1] = key('qa:log', id)
    end
    local kind = found[3]
    if kind then
      completed = completed + 1
      kinds[kind] = (kinds[kind] or 0) + 1
      if not on_time then late_kinds[kind] = (late_kinds[kind] or 0) + 1 end
    else
      foreign = foreign + 1
    end
    if not on_time then late = late + 1 end
    end_turn(id, found[7])
  else
    -- Held, yet not started: a stock client canceled or deleted it meanwhile, and that stands.
    if held then
      phantoms = phantoms + 1
      end_turn(id, found[7])
    end
    refused[#refused + 1] = id
  end
end

if #gone > 0 then redis.call('DEL', unpack(gone)) end
-- Results are kept by number as well: the oldest ends first.
local surplus = redis.call('ZCARD', finished) - most_kept
if surplus > 0 and surplus < #ARGV + 100 then
  for _, id in ipairs(redis.call('ZRANGE', finished, 0, surplus - 1)) do
    redis.call('ZREM', finished, id)
    redis.call('DEL', key('job', id), key('results', id), key('executions', id), key('qa:log', id))
  end
end
count(queue, 'completed', completed)
count(queue, 'foreign_completed', foreign)
count(queue, 'late', late)
count_kinds('completed', kinds)
count_kinds('late', late_kinds)
count(queue, 'phantom', phantoms)
credit(worker, 'successful_job_count', completed + foreign)
write_observed()
announce(queue)
return keep_reply(refused)
