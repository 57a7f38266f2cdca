-- queue → started, under a lease. Serves the first of the worker's queues that has work, never a mix.
-- ARGV: claim id, worker, limit, lease in seconds, queue …
-- Reply: {} when there is nothing; else queue, then for each job: id, data, ours, attempts, crashes, alone, retries left
--
-- The claim's id is its request id: sent again, it gets the jobs that it already holds. Only the last claim of a
-- worker is remembered, since a kept reply for each would hold 3 KB for 300 s.

local claim, worker, limit, lease = REQUEST, ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local FIRST_QUEUE = 5
local MOST_BYTES = 4 * 1024 * 1024 -- of data in one reply: many large jobs are as slow to send as very many small ones
local MOST_PHANTOMS = 1000 -- ids dropped in one call, so that a list full of them does not hold Redis up

local last = key('qa:last', worker)

local function read(id)
  return redis.call('HMGET', key('job', id), 'status', 'data', 'kind', 'attempts', 'crashes', 'alone', 'retries_left',
    'lapsed')
end

local function add_row(reply, id, found)
  local row = { id, found[2], found[3] and 1 or 0, number_or(found[4], 0), number_or(found[5], 0), found[6] and 1 or 0,
    number_or(found[7], 0) }
  for i = 1, 7 do reply[#reply + 1] = row[i] end
end

local remembered = redis.call('GET', last)
if remembered then
  local before = cjson.decode(remembered)
  if before.claim == claim then
    local reply = { before.queue }
    for _, id in ipairs(before.ids) do
      if redis.call('ZSCORE', key('wip', before.queue), id .. ':' .. claim) then
        local found = read(id)
        if found[2] then add_row(reply, id, found) end
      end
    end
    return #reply > 1 and reply or {}
  end
end

local function work_left(from)
  for i = from, #ARGV do
    if redis.call('LLEN', key('queue', ARGV[i])) > 0 and not is_paused(ARGV[i]) then return true end
  end
  return false
end

local function serve(queue)
  local list, wip = key('queue', queue), key('wip', queue)
  local reply, ids, leases = { queue }, {}, {}
  local phantoms, ours = 0, 0
  local full, bytes = false, 0
  local lease_end = score(now + lease + OFFSET)

  while #ids < limit and not full and phantoms < MOST_PHANTOMS do
    local popped = redis.call('LPOP', list, limit - #ids)
    if not popped then break end
    for i, id in ipairs(popped) do
      local found = read(id)
      local status = found[1]
      if not found[2] or (status and status ~= 'queued' and status ~= 'created') then
        -- Deleted, canceled, or in the list twice: its place is elsewhere.
        phantoms = phantoms + 1
      elseif found[6] and #ids > 0 then
        -- It crashed a worker before, so it must not take others down with it.
        push_front(queue, { unpack(popped, i) })
        full = true
        break
      else
        local job = key('job', id)
        redis.call('HSET', job, 'status', 'started', 'worker_name', worker, 'started_at', NOW)
        if found[8] then redis.call('HDEL', job, 'lapsed') end
        if found[3] then ours = ours + 1 else redis.call('PERSIST', job) end
        ids[#ids + 1] = id
        leases[#leases + 1] = lease_end
        leases[#leases + 1] = id .. ':' .. claim
        add_row(reply, id, found)
        bytes = bytes + #found[2]
        if found[6] or bytes >= MOST_BYTES then
          push_front(queue, { unpack(popped, i + 1) })
          full = true
          break
        end
      end
    end
  end

  count(queue, 'phantom', phantoms)
  if #ids > 0 then
    redis.call('ZADD', wip, unpack(leases))
    count(queue, 'claimed', ours)
    count(queue, 'foreign_claimed', #ids - ours)
    redis.call('SET', last, cjson.encode({ claim = claim, queue = queue, ids = ids }), 'EX', REPLY_SECONDS)
  end
  return reply, #ids > 0, phantoms >= MOST_PHANTOMS
end

for i = FIRST_QUEUE, #ARGV do
  if not is_paused(ARGV[i]) then
    local reply, served, unfinished = serve(ARGV[i])
    if served or unfinished then
      if work_left(i) then ring() end
      return served and reply or {}
    end
  end
end
return {}
