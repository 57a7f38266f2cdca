-- nowhere → queue, or scheduled when delayed. Many jobs at once.
-- ARGV: request, '1' for all of them or none (else ''), then for each job: queue, id, delay in seconds, data,
--       received at, timeout, result ttl, retry delays (JSON), kind, source, tenant, event id, body hash, marker
--       seconds, mode, dead letters ('0' for none), callback ('' where there is none), queue limit (0: none), user (a
--       digest; '' for none), ordering key (a digest; '' for none), lane ('' for none), the id that a copy in the
--       window before had ('' where ids are of no window)
-- Reply: what did not go as asked, flat: position (from 0), outcome, state of the job found
--
-- With all or none, one refusal (another body under an id, a full queue) stores nothing: those that would have been
-- taken are `withheld`. A copy of an earlier event refuses nothing.
--
-- A first copy in the trash, or canceled, is no copy: it goes, and the job is enqueued anew.

local WIDTH, FIRST = 22, 3
local STRICT = ARGV[2] == '1'
local LATEST_SECONDS = 30 * 86400 -- as long as rows of messages are kept

local earlier = earlier_reply()
if earlier then return earlier end

-- The contract's word for the state of a job that exists.
local function state_of(status, attempts)
  if status == 'scheduled' and number_or(attempts, 0) > 0 then return 'retrying' end
  if status == 'created' or not status then return 'queued' end
  if status == 'stopped' then return 'failed' end
  return status
end

local reply = {}
local waiting, order, enqueued, kinds, lanes = {}, {}, {}, {}, {}
local rejected = {}
local depths = {}

-- How many jobs of the queue wait: now, for their time, or for a rate limit; with what this call has added.
local function depth(queue)
  if not depths[queue] then
    local parked = 0
    for _, number in ipairs(redis.call('HVALS', key('qa:parked', queue))) do parked = parked + tonumber(number) end
    depths[queue] = redis.call('LLEN', key('queue', queue)) - redis.call('SCARD', key('qa:tomb', queue)) + parked
      + redis.call('ZCARD', key('scheduled', queue))
  end
  return depths[queue]
end

local function remove_copy(id, queue, kind)
  if redis.call('ZREM', key('qa:trash', queue), id) == 1 then
    count_job(queue, 'purged', kind)
  else
    redis.call('ZREM', key('canceled', queue), id)
  end
  forget(id)
end

local function add(counts, name)
  counts[name] = (counts[name] or 0) + 1
end

-- What is to become of a job, and what is known of its first copy. Reads only, so that a call can be looked through
-- before anything of it is written; `planned` has the bodies by id that this look would store.
local planned = {}
local function judge(first)
  local queue, id, body_hash = ARGV[first], ARGV[first + 1], ARGV[first + 12]

  -- A client's id is taken while its job exists, and as long as its marker does.
  -- So it is where another client has a key of another type there; raising would leave half of the call done.
  local found = redis.pcall('HMGET', key('job', id), 'status', 'attempts', 'body_hash', 'data', 'origin')
  local foreign = found.err ~= nil
  local exists = foreign or found[1] or found[4]
  local removed = exists and found[1] == 'canceled'
  local seen = found[3] or nil
  if not seen and not foreign and body_hash ~= '' then seen = redis.call('GET', key('qa:seen', id)) end
  if planned[id] then
    exists, removed, seen, found = true, false, planned[id] ~= '' and planned[id] or nil, {}
  end
  local limit, previous = tonumber(ARGV[first + 17]), ARGV[first + 21]

  if (exists or seen) and not removed then
    local outcome = 'duplicate'
    if foreign or (body_hash ~= '' and seen ~= body_hash) then outcome = 'id_reused' end
    return outcome, foreign and '' or exists and state_of(found[1], found[2]) or 'finished'
  end
  if previous ~= '' and (planned[previous] or redis.call('EXISTS', key('qa:seen', previous)) == 1) then
    local before = redis.call('HMGET', key('job', previous), 'status', 'attempts')
    if before[1] ~= 'canceled' then return 'earlier', before[1] and state_of(before[1], before[2]) or 'finished' end
  end
  if limit > 0 and depth(queue) >= limit then
    return 'full', ''
  end
  return nil, removed and (found[5] or queue) or nil
end

local function answer(first, outcome, state)
  reply[#reply + 1] = tostring((first - FIRST) / WIDTH)
  reply[#reply + 1] = outcome
  reply[#reply + 1] = state
end

if STRICT then
  for first = FIRST, #ARGV, WIDTH do
    local queue, id = ARGV[first], ARGV[first + 1]
    local outcome, state = judge(first)
    if outcome == 'id_reused' or outcome == 'full' then rejected[#rejected + 1] = { queue, outcome } end
    if not outcome then
      planned[id] = ARGV[first + 12]
      if tonumber(ARGV[first + 17]) > 0 then depths[queue] = depth(queue) + 1 end
    end
    local of_this_call = (outcome == 'duplicate' and planned[id])
      or (outcome == 'earlier' and planned[ARGV[first + 21]])
    if not outcome or of_this_call then
      outcome, state = 'withheld', ''
    end
    answer(first, outcome, state)
  end
  if #rejected > 0 then
    for _, each in ipairs(rejected) do count(each[1], each[2], 1) end
    return keep_reply(reply)
  end
  reply, planned, depths = {}, {}, {}
end

for first = FIRST, #ARGV, WIDTH do
  local queue, id, delay, data = ARGV[first], ARGV[first + 1], tonumber(ARGV[first + 2]), ARGV[first + 3]
  local source, tenant, event_id = ARGV[first + 9], ARGV[first + 10], ARGV[first + 11]
  local body_hash, marker_seconds = ARGV[first + 12], ARGV[first + 13]
  local job, limit, ordering = key('job', id), tonumber(ARGV[first + 17]), ARGV[first + 19]
  local outcome, found = judge(first)

  if outcome then
    answer(first, outcome, found)
    rejected[#rejected + 1] = { queue, outcome == 'earlier' and 'duplicate' or outcome }
  else
    if found then remove_copy(id, found, ARGV[first + 8]) end -- in the trash of this queue, or canceled there
    if limit > 0 then depths[queue] = depths[queue] + 1 end
    local fields = {
      'status', delay > 0 and 'scheduled' or 'queued',
      'origin', queue,
      'created_at', ARGV[first + 4],
      'enqueued_at', NOW,
      'timeout', ARGV[first + 5],
      'result_ttl', ARGV[first + 6],
      'failure_ttl', '-1',
      'retries_left', #retry_delays(ARGV[first + 7]),
      'retry_intervals', ARGV[first + 7],
      'kind', ARGV[first + 8],
    }
    local function add_field(name, value)
      if value ~= '' then
        fields[#fields + 1] = name
        fields[#fields + 1] = value
      end
    end
    add_field('source', source)
    add_field('tenant', tenant)
    add_field('event_id', event_id)
    add_field('body_hash', body_hash)
    add_field('mode', ARGV[first + 14])
    add_field('dead_letters', ARGV[first + 15])
    add_field('callback', ARGV[first + 16])
    add_field('ordering_key', ordering)
    add_field('lane', ARGV[first + 20])
    if ARGV[first + 20] ~= '' then lanes[id] = ARGV[first + 20] end
    add_field('data', data) -- last, so that reading the short fields does not step over it
    redis.call('HSET', job, unpack(fields))
    if body_hash ~= '' and marker_seconds ~= '' then
      redis.call('SET', key('qa:seen', id), body_hash, 'EX', marker_seconds)
    end
    if delay > 0 then
      redis.call('ZADD', key('scheduled', queue), score(now + delay), id)
    elseif takes_turn(queue, id, ordering) then
      if not waiting[queue] then
        waiting[queue] = {}
        order[#order + 1] = queue
      end
      table.insert(waiting[queue], id)
    end
    add(enqueued, queue)
    add(kinds, ARGV[first + 8])
    if ARGV[first + 18] ~= '' then
      redis.call('SET', key('qa:latest', ARGV[first + 18]), id, 'EX', LATEST_SECONDS)
    end
    tell(delay > 0 and 'scheduled' or 'queued', queue, id, ARGV[first + 16])
  end
end

for queue, number in pairs(enqueued) do
  redis.call('SADD', PREFIX .. ':queues', key('queue', queue))
  count(queue, 'enqueued', number)
end
count_kinds('enqueued', kinds)
for _, each in ipairs(rejected) do count(each[1], each[2], 1) end
for _, queue in ipairs(order) do put_back(queue, waiting[queue], lanes) end
if #order > 0 then ring() end
announce(ARGV[FIRST])
return keep_reply(reply)
