-- started → gone, or finished where a result is kept. Only by the claim that holds the job.
-- ARGV: request, queue, claim id, worker, job id …
-- Reply: the ids refused

local earlier = earlier_reply()
if earlier then return earlier end

local queue, claim, worker = ARGV[2], ARGV[3], ARGV[4]
local list, wip = key('queue', queue), key('wip', queue)
local NEAR_HEAD = 1000

local refused, gone = {}, {}
local completed, foreign, late, phantoms = 0, 0, 0, 0

-- The lease lapsed and the job was put back, but nobody claimed it since: the work is done, so it counts.
-- Recover puts at the front; a search from there is short, and beyond its bound the job simply runs again.
local function take_back(id, found)
  return found[1] == 'queued' and found[4] == claim and redis.call('LPOS', list, id, 'MAXLEN', NEAR_HEAD)
    and redis.call('LREM', list, 1, id) == 1
end

local function keep_result(id, job, ttl)
  redis.call('HSET', job, 'status', 'finished', 'ended_at', NOW)
  redis.call('HDEL', job, 'exc_info', 'reason', 'error_type', 'error_message', 'alone', 'lapsed')
  redis.call('EXPIRE', job, ttl)
  redis.call('ZADD', key('finished', queue), score(now + ttl), id)
  local results = key('results', id)
  redis.call('XADD', results, 'MAXLEN', 10, '*', 'type', 1, 'worker_name', worker, 'return_value', 'bnVsbA==') -- null
  redis.call('EXPIRE', results, ttl)
end

for i = 5, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  local held = redis.call('ZREM', wip, id .. ':' .. claim) == 1
  local found = redis.call('HMGET', job, 'status', 'result_ttl', 'kind', 'lapsed')
  local on_time = held and found[1] == 'started'
  if on_time or (not held and take_back(id, found)) then
    local ttl = number_or(found[2], 0)
    if ttl > 0 then
      keep_result(id, job, ttl)
    else
      gone[#gone + 1] = job
      gone[#gone + 1] = key('results', id)
      gone[#gone + 1] = key('executions', id)
    end
    if found[3] then completed = completed + 1 else foreign = foreign + 1 end
    if not on_time then late = late + 1 end
  else
    -- Held, yet not started: a stock client canceled or deleted it meanwhile, and that stands.
    if held then phantoms = phantoms + 1 end
    refused[#refused + 1] = id
  end
end

if #gone > 0 then redis.call('DEL', unpack(gone)) end
count(queue, 'completed', completed)
count(queue, 'foreign_completed', foreign)
count(queue, 'late', late)
count(queue, 'phantom', phantoms)
credit(worker, 'successful_job_count', completed + foreign)
return keep_reply(refused)
