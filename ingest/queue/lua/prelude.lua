-- Stands in front of every script.
--
-- KEYS[1]: RQ's key prefix. Every other key is built from it, which is why Redis Cluster is refused.
-- ARGV[1]: the request id of a writing script, or '' for none.
--
-- Two rules for each script, since Redis does not roll back:
--   nothing may raise after the first write, so whatever another client wrote is read with care;
--   the first write is one that a full Redis allows (ZREM, LPOP), and then all others pass as well.
--   Enqueue alone starts with HSET: a full Redis refuses it before anything is stored.

local PREFIX = KEYS[1]
local REQUEST = ARGV[1]
local OFFSET = 10000000000 -- keys.SCORE_OFFSET
local REPLY_SECONDS = 300 -- longer than redis-py's own re-sending, and than a worker's reconnecting
local CRASHES = 3 -- the crash that makes a dead letter

local clock = redis.call('TIME')
local seconds, microseconds = tonumber(clock[1]), tonumber(clock[2])
local now = seconds + microseconds / 1000000

local function key(kind, name)
  return PREFIX .. ':' .. kind .. ':' .. name
end

local BELL = key('qa', 'bell')
local PAUSED = key('qa', 'paused')

-- RQ's one date format; a date in any other form makes every stock fetch of the job raise.
-- The civil date from days since 1970 is Howard Hinnant's days_to_civil.
local function iso(whole, fraction)
  local days = math.floor(whole / 86400)
  local rest = whole - days * 86400
  local shifted = days + 719468
  local era = math.floor(shifted / 146097)
  local day_of_era = shifted - era * 146097
  local year_of_era = math.floor(
    (day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365
  )
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local month_from_march = math.floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - math.floor((153 * month_from_march + 2) / 5) + 1
  local month = month_from_march + 3
  if month > 12 then month = month - 12 end
  local year = year_of_era + era * 400
  if month <= 2 then year = year + 1 end
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, fraction)
end
local NOW = iso(seconds, microseconds)

-- Lua's own conversion of a number with a fraction keeps 14 digits: too few for a time.
local function score(value)
  return string.format('%.6f', value)
end

-- The first reply to this request, if it was sent before: redis-py sends again by itself.
local function earlier_reply()
  if REQUEST == '' then return nil end
  local kept = redis.call('GET', key('qa:req', REQUEST))
  return kept and cjson.decode(kept)
end

local function keep_reply(reply)
  if REQUEST ~= '' then
    redis.call('SET', key('qa:req', REQUEST), cjson.encode(reply), 'EX', REPLY_SECONDS)
  end
  return reply
end

-- Counters of jobs brought by stock clients stand apart, so that ours add up.
local function count(queue, name, number)
  if number ~= 0 then redis.call('HINCRBY', key('qa:count', queue), name, number) end
end
local function count_job(queue, name, ours)
  count(queue, ours and name or 'foreign_' .. name, 1)
end

-- Wakes one waiting worker, which rings again when it leaves work behind; so one bell is enough.
local function ring()
  redis.call('LPUSH', BELL, '1')
  redis.call('LTRIM', BELL, 0, 0)
end

local function is_paused(queue)
  return redis.call('SISMEMBER', PAUSED, queue) == 1
end

local function push_back(queue, ids)
  if #ids > 0 then redis.call('RPUSH', key('queue', queue), unpack(ids)) end
end

-- The first of `ids` becomes the head.
local function push_front(queue, ids)
  if #ids == 0 then return end
  local reversed = {}
  for i = #ids, 1, -1 do reversed[#reversed + 1] = ids[i] end
  redis.call('LPUSH', key('queue', queue), unpack(reversed))
end

-- What a stock client wrote may be anything; a number that is none counts as `default`.
local function number_or(value, default)
  return tonumber(value or '') or default
end

-- The delays of a job's retries, in seconds: one for each retry.
local function retry_delays(text)
  local good, list = pcall(cjson.decode, text or '')
  return good and type(list) == 'table' and list or {}
end

-- started (already taken out of its set) → dead letter. `stream` is the traceback as RQ's result stream holds it.
local function bury(queue, id, worker, error)
  local job = key('job', id)
  redis.call('HSET', job, 'status', 'failed', 'ended_at', NOW, 'exc_info', error.text, 'reason', error.reason,
    'error_type', error.type, 'error_message', error.message)
  redis.call('HDEL', job, 'lapsed')
  redis.call('PERSIST', job) -- a stock client may have given it a time to live; dead letters have none
  redis.call('ZADD', key('failed', queue), score(now + OFFSET), id)
  redis.call('XADD', key('results', id), 'MAXLEN', 10, '*', 'type', 2, 'worker_name', worker, 'exc_string', error.stream)
end

-- RQ's own counts on the worker's hash; not on a worker that is gone, since that would leave half a hash for ever.
local function credit(worker, name, number)
  local hash = key('worker', worker)
  if number > 0 and worker ~= '' and redis.call('EXISTS', hash) == 1 then redis.call('HINCRBY', hash, name, number) end
end
