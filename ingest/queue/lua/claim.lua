-- queue → started, under a lease. Serves the first of the worker's queues that has work, never a mix.
-- ARGV: claim id, worker, limit, limit for async jobs, lease in seconds, task types (with commas; '' for a worker that
--       has none of its own), queue …
-- Reply: {} when there is nothing; else queue, then for each job: id, data, ours, attempts, crashes, alone,
--        retries left, mode
--
-- All jobs of a claim have the mode of its first: up to `limit` batch jobs, up to `limit for async` async ones, or one
-- of any other mode. With a limit of 0 for async ones, nothing when the next job is one of them: the order stays strict.
-- The claim's id is its request id: sent again, it gets the jobs that it already holds. Only the last claim of a
-- worker is remembered, since a kept reply for each would hold 3 KB for 300 s.

local claim, worker, limit, async_limit, lease = REQUEST, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]),
  tonumber(ARGV[5])
local FIRST_QUEUE = 7
local lanes -- of a worker that has types of its own, and serves nothing else
for type in string.gmatch(ARGV[6], '[^,]+') do
  lanes = lanes or {}
  lanes[LANE .. type] = type
end
local MOST_BYTES = 4 * 1024 * 1024 -- of data in one reply: many large jobs are as slow to send as very many small ones
local MOST_PASSED = 1000 -- ids dropped or parked in one call, so that a list full of them does not hold Redis up

local last = key('qa:last', worker)

-- One table a job, without a loop: it is made a hundred times a call.
local function read(id)
  local found = redis.call('HMGET', key('job', id), 'status', 'data', 'kind', 'attempts', 'crashes', 'alone',
    'retries_left', 'lapsed', 'mode', 'enqueued_at', 'callback', 'source', 'tenant', 'lane')
  return { id = id, status = found[1] or nil, data = found[2] or nil, kind = found[3] or nil,
    attempts = found[4] or nil, crashes = found[5] or nil, alone = found[6] or nil, retries_left = found[7] or nil,
    lapsed = found[8] or nil, mode = found[9] or '', enqueued_at = found[10] or nil, callback = found[11] or nil,
    source = found[12] or nil, tenant = found[13] or nil, lane = found[14] or nil }
end

local function add_row(reply, job)
  local row = #reply
  reply[row + 1], reply[row + 2], reply[row + 3] = job.id, job.data, job.kind and 1 or 0
  reply[row + 4], reply[row + 5] = number_or(job.attempts, 0), number_or(job.crashes, 0)
  reply[row + 6], reply[row + 7], reply[row + 8] = job.alone and 1 or 0, number_or(job.retries_left, 0), job.mode
end

local remembered = redis.call('GET', last)
if remembered then
  local before = cjson.decode(remembered)
  if before.claim == claim then
    local reply = { before.queue }
    for _, id in ipairs(before.ids) do
      if redis.call('ZSCORE', key('wip', before.queue), id .. ':' .. claim) then
        local job = read(id)
        if job.data then add_row(reply, job) end
      end
    end
    return #reply > 1 and reply or {}
  end
end

-- Rate limits: `most` claims of a bucket in a window that its first claim begins (BullMQ's rule).
local rules
local raw_rules = redis.call('HGETALL', key('qa', 'limits'))
for i = 1, #raw_rules, 2 do
  local most, window = string.match(raw_rules[i + 1], '^(%d+)/([%d.]+)$')
  if most then
    rules = rules or {}
    rules[raw_rules[i]] = { most = tonumber(most), window = tonumber(window) }
  end
end
local left, spent = {}, {}

local function rule_of(bucket)
  if not rules then return nil end
  return rules[bucket] or rules[string.match(bucket, '^[^:]*:') .. '*']
end

local function tokens(bucket)
  local rule = rule_of(bucket)
  if not rule then return math.huge end
  if not left[bucket] then left[bucket] = rule.most - number_or(redis.call('GET', key('qa:used', bucket)), 0) end
  return left[bucket]
end

local NONE = {}
local function buckets_of(job)
  if not rules then return NONE end
  local found = {}
  for _, dimension in ipairs({ 'kind', 'source', 'tenant' }) do
    local value = job[dimension]
    local type = dimension == 'kind' and value and string.match(value, ':(.*)$')
    if type then
      -- A type has a limit of its own only where it is named.
      if rules['kind:' .. value] then found[#found + 1] = 'kind:' .. value end
      value = string.sub(value, 1, -#type - 2)
    end
    local bucket = value and dimension .. ':' .. value
    if bucket and rule_of(bucket) then found[#found + 1] = bucket end
  end
  return found
end

local function write_spent()
  for bucket, number in pairs(spent) do
    local used = key('qa:used', bucket)
    if redis.call('INCRBY', used, number) == number then
      redis.call('PEXPIRE', used, math.max(1, math.floor(rule_of(bucket).window * 1000)))
    end
  end
end

local function work_left(from)
  for i = from, #ARGV do
    for bucket in pairs(lanes or NONE) do
      if redis.call('HEXISTS', key('qa:parked', ARGV[i]), bucket) == 1 and not is_paused(ARGV[i]) then return true end
    end
    if not lanes and redis.call('LLEN', key('queue', ARGV[i])) > 0 and not is_paused(ARGV[i]) then return true end
  end
  return false
end

-- Returns the reply, whether anything was claimed, and whether the call ended before it had looked far enough.
local function serve(queue)
  local list, wip, parked, tombstones = key('queue', queue), key('wip', queue), key('qa:parked', queue),
    key('qa:tomb', queue)
  local reply, ids, leases = { queue }, {}, {}
  local phantoms, ours, passed, bytes, kinds = 0, 0, 0, 0, {}
  local most, mode, ended = limit, nil, false
  local lease_end = score(now + lease + OFFSET)
  local has_tombstones = redis.call('EXISTS', tombstones) == 1

  local function park(id, bucket)
    redis.call('RPUSH', key('qa:parked', queue .. ':' .. bucket), id)
    redis.call('HINCRBY', parked, bucket, 1)
    passed = passed + 1
  end

  local function take(job)
    local hash = key('job', job.id)
    redis.call('HSET', hash, 'status', 'started', 'worker_name', worker, 'started_at', NOW)
    if job.lapsed then redis.call('HDEL', hash, 'lapsed') end
    if job.kind then
      ours = ours + 1
      kinds[job.kind] = (kinds[job.kind] or 0) + 1
    else
      redis.call('PERSIST', hash)
    end
    ids[#ids + 1] = job.id
    leases[#leases + 1] = lease_end
    leases[#leases + 1] = job.id .. ':' .. claim
    add_row(reply, job)
    bytes = bytes + #job.data
    observe('wait', queue, job.kind, job.enqueued_at)
    tell('started', queue, job.id, job.callback)
    for _, bucket in ipairs(buckets_of(job)) do
      left[bucket] = tokens(bucket) - 1
      spent[bucket] = (spent[bucket] or 0) + 1
    end
    if not mode then
      mode = job.mode
      if mode == 'async' then most = math.min(limit, async_limit) elseif mode ~= '' then most = 1 end
    end
    -- It crashed a worker before, so it must not take others down with it.
    if job.alone or bytes >= MOST_BYTES or #ids >= most then ended = true end
  end

  -- One id that was taken out of the list, or of the one of a bucket. False: it must go back, and the claim ends.
  local function consider(id, from)
    if has_tombstones and redis.call('SREM', tombstones, id) == 1 then
      passed = passed + 1
      return true
    end
    local job = read(id)
    if not job.data or (job.status and job.status ~= 'queued' and job.status ~= 'created') then
      -- Deleted, canceled, or in the list twice: its place is elsewhere.
      phantoms, passed = phantoms + 1, passed + 1
      return true
    end
    local unwanted = async_limit == 0 and job.mode == 'async'
    if unwanted or (#ids > 0 and (job.alone or job.mode ~= mode)) then
      ended = true
      return false
    end
    if job.lane and not from then
      push_back(queue, { id }, { [id] = job.lane }) -- a stock client's requeue put it here
      passed = passed + 1
      return true
    end
    for _, bucket in ipairs(buckets_of(job)) do
      if tokens(bucket) <= 0 and bucket ~= from then
        if job.lane then return false end -- its lane waits as a whole: nobody else looks where it would be parked
        park(id, bucket)
        return true
      end
    end
    take(job)
    return true
  end

  -- What a limit held back came before everything that still stands in the list under the same limit.
  local held_back = redis.call('HGETALL', parked)
  for i = 1, #held_back, 2 do
    local bucket = held_back[i]
    local waiting, gone = key('qa:parked', queue .. ':' .. bucket), 0
    local served = bucket ~= BEHIND and (lanes and lanes[bucket] or not lanes and string.sub(bucket, 1, #LANE) ~= LANE)
    while served and not ended and passed < MOST_PASSED and tokens(bucket) > 0 do
      local id = redis.call('LPOP', waiting)
      if not id then
        gone = tonumber(held_back[i + 1])
        break
      end
      if not consider(id, bucket) then
        redis.call('LPUSH', waiting, id)
        break
      end
      gone = gone + 1
    end
    if gone > 0 and redis.call('HINCRBY', parked, bucket, -gone) <= 0 then redis.call('HDEL', parked, bucket) end
  end

  while not lanes and not ended and passed < MOST_PASSED do
    -- One by one until the first is found: it says how many may follow.
    local popped = redis.call('LPOP', list, #ids == 0 and 1 or most - #ids)
    if not popped then break end
    for i, id in ipairs(popped) do
      local considered = not ended and consider(id)
      if not considered then
        push_front(queue, { unpack(popped, i) }, NONE)
        break
      end
    end
  end

  count(queue, 'phantom', phantoms)
  if #ids > 0 then
    redis.call('ZADD', wip, unpack(leases))
    count(queue, 'claimed', ours)
    count_kinds('claimed', kinds)
    count(queue, 'foreign_claimed', #ids - ours)
    redis.call('HSET', key('qa', 'served'), queue, seconds)
    redis.call('SET', last, cjson.encode({ claim = claim, queue = queue, ids = ids }), 'EX', REPLY_SECONDS)
    write_spent()
    write_observed()
    announce(queue)
  end
  return reply, #ids > 0, passed >= MOST_PASSED or (ended and #ids == 0)
end

for i = FIRST_QUEUE, #ARGV do
  if not is_paused(ARGV[i]) then
    local reply, served, unfinished = serve(ARGV[i])
    if served or unfinished then
      if work_left(i) then
        if lanes then
          for _, lane in pairs(lanes) do ring_lane(lane) end
        else
          ring()
        end
      end
      return served and reply or {}
    end
  end
end
return {}
