-- Stands in front of every script.
--
-- KEYS[1]: RQ's key prefix. Every other key is built from it, which is why Redis Cluster is refused.
-- ARGV[1]: the request id of a writing script, or '' for none.
--
-- Two rules for each script, since Redis does not roll back:
--   nothing may raise after the first write, so whatever another client wrote is read with care;
--   the first write is one that a full Redis allows (ZREM, LPOP), and then all others pass as well.
--   What a full Redis may refuse (enqueue, progress) starts with HSET: nothing is stored then.

local PREFIX = KEYS[1]
local REQUEST = ARGV[1]
local OFFSET = 10000000000 -- keys.SCORE_OFFSET
local REPLY_SECONDS = 300 -- longer than redis-py's own re-sending, and than a worker's reconnecting
local UNDO_SECONDS = 90000 -- longer than the trash keeps what one operation put there
local CRASHES = 3 -- the crash that makes a dead letter

local clock = redis.call('TIME')
local seconds, microseconds = tonumber(clock[1]), tonumber(clock[2])
local now = seconds + microseconds / 1000000

local function key(kind, name)
  return PREFIX .. ':' .. kind .. ':' .. name
end

local BELL = key('qa', 'bell')
local PAUSED = key('qa', 'paused')
local BUCKETS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800,
  3600, 14400 } -- keys.BUCKETS

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

-- Seconds since 1970 of a date that `iso` wrote; nil for anything else. Jobs of one call mostly share their day, whose
-- beginning is kept; those of one claim share even the text. Days since 1970 from the civil date are Howard Hinnant's
-- days_from_civil.
local known_day, known_seconds, known_text, known_moment
local function moment(text)
  if text and text == known_text then return known_moment end
  local date, hour, minute, rest = string.match(text or '', '^(%d%d%d%d%-%d%d%-%d%d)T(%d%d):(%d%d):(%d%d%.?%d*)Z$')
  if not date then return nil end
  if date ~= known_day then
    local year, month, day = tonumber(string.sub(date, 1, 4)), tonumber(string.sub(date, 6, 7)),
      tonumber(string.sub(date, 9, 10))
    if month <= 2 then year = year - 1 end
    local era = math.floor(year / 400)
    local year_of_era = year - era * 400
    local day_of_year = math.floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
    local day_of_era = year_of_era * 365 + math.floor(year_of_era / 4) - math.floor(year_of_era / 100) + day_of_year
    known_day, known_seconds = date, (era * 146097 + day_of_era - 719468) * 86400
  end
  known_text, known_moment = text, known_seconds + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(rest)
  return known_moment
end

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

-- Counters of jobs brought by stock clients stand apart, so that ours add up. Ours are counted by kind as well.
local function count(queue, name, number)
  if number ~= 0 then redis.call('HINCRBY', key('qa:count', queue), name, number) end
end
-- A task's kind is `task:<type>`, and it is counted under both.
local function count_kind(kind, name, number)
  if not kind or number == 0 then return end
  redis.call('HINCRBY', key('qa:kind', kind), name, number)
  local whole = string.match(kind, '^([^:]*):')
  if whole then redis.call('HINCRBY', key('qa:kind', whole), name, number) end
end
local function count_job(queue, name, kind)
  count(queue, kind and name or 'foreign_' .. name, 1)
  count_kind(kind, name, 1)
end
-- The same for jobs that a script counts together: kind → how many.
local function count_kinds(name, kinds)
  for kind, number in pairs(kinds) do count_kind(kind, name, number) end
end

-- Wakes one waiting worker, which rings again when it leaves work behind; so one bell is enough.
local function ring()
  redis.call('LPUSH', BELL, '1')
  redis.call('LTRIM', BELL, 0, 0)
end

local function is_paused(queue)
  for _, name in ipairs({ queue, '*' }) do
    local ends = redis.call('ZSCORE', PAUSED, name)
    if ends and (ends == 'inf' or tonumber(ends) > now) then return true end
  end
  return false
end

-- A task whose type has workers of its own never stands in the queue's list but in its lane, which is one of the parked
-- lists beside it and has a bell of its own. `lanes` has the lane of each id that has one; without it the jobs say so.
local LANE = 'lane:'
local function ring_lane(lane)
  redis.call('LPUSH', BELL .. ':' .. lane, '1')
  redis.call('LTRIM', BELL .. ':' .. lane, 0, 0)
end
local function without_lanes(queue, ids, push, lanes)
  local listed = {}
  for _, id in ipairs(ids) do
    local lane
    if lanes then lane = lanes[id] else lane = redis.call('HGET', key('job', id), 'lane') end
    if lane then
      redis.call(push, key('qa:parked', queue .. ':' .. LANE .. lane), id)
      redis.call('HINCRBY', key('qa:parked', queue), LANE .. lane, 1)
      ring_lane(lane)
    else
      listed[#listed + 1] = id
    end
  end
  return listed
end

local function push_back(queue, ids, lanes)
  local listed = without_lanes(queue, ids, 'RPUSH', lanes)
  if #listed > 0 then redis.call('RPUSH', key('queue', queue), unpack(listed)) end
end

-- The first of `ids` becomes the head.
local function push_front(queue, ids, lanes)
  local reversed = {}
  for i = #ids, 1, -1 do reversed[#reversed + 1] = ids[i] end
  local listed = without_lanes(queue, reversed, 'LPUSH', lanes)
  if #listed > 0 then redis.call('LPUSH', key('queue', queue), unpack(listed)) end
end

-- As push_back, for jobs that may have left a tombstone in this queue: they take their old place again.
local function put_back(queue, ids, lanes)
  local tombstones, absent = key('qa:tomb', queue), {}
  local any = redis.call('EXISTS', tombstones) == 1
  for _, id in ipairs(ids) do
    if not any or redis.call('SREM', tombstones, id) == 0 then absent[#absent + 1] = id end
  end
  push_back(queue, absent, lanes)
end

-- A queued job leaves its list. Up to `near` entries are searched; in a longer list, and in those of the rate limits,
-- the id stays as a tombstone that the next claim drops.
local function take_out(queue, id, near)
  local list = key('queue', queue)
  local searched = redis.call('LLEN', list) <= near
  if searched and redis.call('LREM', list, 1, id) == 1 then return end
  if not searched or redis.call('EXISTS', key('qa:parked', queue)) == 1 then
    redis.call('SADD', key('qa:tomb', queue), id)
  end
end

-- Jobs with an ordering key run one at a time, in the order in which they were queued. One of a key has the turn: it is
-- in a list, runs, or waits for its retry. The others wait behind it, in no list, so that no claim meets them, and one
-- that has no key costs nothing.
local TURNS = key('qa', 'turns')
local BEHIND = 'order' -- what qa:parked counts them under

-- Whether a job that is to be queued goes into the list. If not, it was put behind the one that has the turn.
local function takes_turn(queue, id, ordering)
  if not ordering or ordering == '' then return true end
  local first = redis.call('HGET', TURNS, ordering)
  if first == id then return true end
  if not first then
    redis.call('HSET', TURNS, ordering, id)
    return true
  end
  local number = redis.call('INCR', key('qa', 'turns:number'))
  if redis.call('ZADD', key('qa:turns', ordering), 'NX', number, queue .. ':' .. id) == 1 then
    redis.call('ZADD', key('qa:behind', queue), number, id)
    redis.call('HINCRBY', key('qa:parked', queue), BEHIND, 1)
  end
  return false
end

local function leave_behind(queue, id)
  if redis.call('ZREM', key('qa:behind', queue), id) == 1
    and redis.call('HINCRBY', key('qa:parked', queue), BEHIND, -1) <= 0 then
    redis.call('HDEL', key('qa:parked', queue), BEHIND)
  end
end

-- A queued job that waits behind another one leaves that place. False: it does not wait there.
local function step_out(queue, id, ordering)
  if not ordering or redis.call('ZREM', key('qa:turns', ordering), queue .. ':' .. id) == 0 then return false end
  leave_behind(queue, id)
  return true
end

-- A job has ended, or was taken away. If it had the turn, the next one of its key goes to the back of its queue: at the
-- front, a key that never ends would keep all others waiting.
local function end_turn(id, ordering)
  if not ordering or redis.call('HGET', TURNS, ordering) ~= id then return end
  while true do
    local following = redis.call('ZPOPMIN', key('qa:turns', ordering))[1]
    if not following then
      redis.call('HDEL', TURNS, ordering)
      return
    end
    local queue, next_id = string.match(following, '^([^:]*):(.*)$')
    leave_behind(queue, next_id)
    local found = redis.pcall('HMGET', key('job', next_id), 'status', 'data')
    if not found.err and found[1] == 'queued' and found[2] then
      redis.call('HSET', TURNS, ordering, next_id)
      put_back(queue, { next_id })
      ring()
      return
    end
    count(queue, 'phantom', 1) -- a stock client canceled or deleted it, and that stands
  end
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

-- Times are collected and written once, since the jobs of a batch mostly fall into one bucket.
local observed = {}
local function observe(histogram, queue, kind, since)
  local at = kind and moment(since)
  if not at then return end
  local seconds = math.max(now - at, 0)
  local bucket = 0
  while bucket < #BUCKETS and seconds > BUCKETS[bucket + 1] do bucket = bucket + 1 end
  local counts = observed[histogram] or {}
  observed[histogram] = counts
  local series = queue .. '|' .. kind .. '|'
  counts[series .. bucket] = (counts[series .. bucket] or 0) + 1
  counts[series .. 'sum'] = (counts[series .. 'sum'] or 0) + math.floor(seconds * 1000 + 0.5)
end
local function write_observed()
  for histogram, counts in pairs(observed) do
    for field, number in pairs(counts) do redis.call('HINCRBY', key('qa', histogram), field, number) end
  end
end

-- What became of jobs. Those with a callback get a line in the outbox, in the same step as the change itself; the live
-- channel gets the ids, where anybody listens.
local EVENTS = key('qa', 'events')
local announced = {}
local function tell(event, queue, id, callback, more)
  local ids = announced[event] or {}
  announced[event] = ids
  ids[#ids + 1] = id
  if not callback or callback == '' then return end
  local found = redis.call('HMGET', key('job', id), 'kind', 'source', 'tenant', 'event_id', 'attempts')
  local line = { event = event, id = id, at = NOW, queue = queue, callback = callback,
    kind = string.match(found[1] or '', '^[^:]*'),
    source = found[2] or '', tenant = found[3] or '', event_id = found[4] or nil, attempts = number_or(found[5], 0) }
  for name, value in pairs(more or {}) do line[name] = value end
  redis.call('RPUSH', key('qa', 'outbox'), cjson.encode(line))
end
local function announce(queue)
  if not next(announced) or redis.call('PUBSUB', 'NUMSUB', EVENTS)[2] == 0 then return end
  for event, ids in pairs(announced) do
    redis.call('PUBLISH', EVENTS, cjson.encode({ event = event, queue = queue, ids = ids }))
  end
end

-- One failed execution, as an entry of RQ's results. `outcome`: 2 it became a dead letter, 4 it runs again.
local function add_attempt(id, outcome, worker, claim, started_at, attempt, error)
  local entry = { 'type', outcome, 'worker_name', worker, 'exc_string', error.stream, 'execution_id', claim,
    'execution_ended_at', score(now), 'attempt', attempt, 'reason', error.reason, 'error_type', error.type,
    'error_message', error.message }
  local started = moment(started_at)
  if started then
    entry[#entry + 1] = 'execution_started_at'
    entry[#entry + 1] = score(started)
  end
  redis.call('XADD', key('results', id), 'MAXLEN', 20, '*', unpack(entry))
end

-- Its last failure, in the job's hash.
local function write_error(id, status, error)
  redis.call('HSET', key('job', id), 'status', status, 'ended_at', NOW, 'exc_info', error.text, 'reason', error.reason,
    'error_type', error.type, 'error_message', error.message, 'frames', error.frames or '-')
end

-- A place that RQ has no name for: its status is `canceled`, and a field says that it is the trash.
-- `nth` of one call: a microsecond after one another keeps their order. `operation`: whose list of what it moved this
-- goes to, for Undo.
local function put_in_trash(queue, id, from, old_score, nth, operation)
  local at = score(now + (nth or 0) / 1000000)
  redis.call('HSET', key('job', id), 'status', 'canceled', 'trashed_at', NOW, 'trashed_from', from,
    'trashed_score', old_score)
  redis.call('PERSIST', key('job', id)) -- a stock client may have given it a time to live
  redis.call('ZADD', key('qa:trash', queue), at, id)
  if operation and operation ~= '' then
    local list = key('qa:undo', operation)
    redis.call('RPUSH', list, queue .. ' ' .. at .. ' ' .. id)
    redis.call('EXPIRE', list, UNDO_SECONDS)
  end
end

-- started (already taken out of its set) → dead letter, or the trash where the kind keeps none. Returns which.
local function bury(queue, id, keeps_none, error)
  local job = key('job', id)
  write_error(id, 'failed', error)
  redis.call('HDEL', job, 'lapsed')
  if keeps_none then
    put_in_trash(queue, id, 'failed', score(now + OFFSET))
    return 'trash'
  end
  redis.call('PERSIST', job) -- a stock client may have given it a time to live; dead letters have none
  redis.call('ZADD', key('failed', queue), score(now + OFFSET), id)
  return 'dead'
end

-- started (already taken out of its set) → canceled, as somebody asked while it ran (see stop).
local function end_stopped(queue, id, kind, callback, ordering)
  local job = key('job', id)
  redis.call('HSET', job, 'status', 'canceled', 'ended_at', NOW)
  redis.call('HDEL', job, 'stopping', 'lapsed')
  redis.call('PERSIST', job) -- a stock client may have given it a time to live
  redis.call('ZADD', key('canceled', queue), score(now), id)
  count_job(queue, 'canceled', kind)
  count_job(queue, 'stopped', kind)
  end_turn(id, ordering)
  tell('canceled', queue, id, callback)
end

-- Nothing of the job is left, and its client's id may come again.
local function forget(id)
  redis.call('DEL', key('job', id), key('results', id), key('executions', id), key('qa:log', id), key('qa:seen', id))
end

-- Also without a name: healing must see that a job stands at the back of its list with an old time.
local function stamp(id, by)
  redis.call('HSET', key('job', id), 'moved_by', by, 'moved_at', NOW)
end

-- RQ's own counts on the worker's hash; not on a worker that is gone, since that would leave half a hash for ever.
local function credit(worker, name, number)
  local hash = key('worker', worker)
  if number > 0 and worker ~= '' and redis.call('EXISTS', hash) == 1 then redis.call('HINCRBY', hash, name, number) end
end
