-- started, with a lapsed lease → the front of its queue, to be claimed alone; or failed, at the third crash (or the
-- trash, where the kind keeps no dead letters).
-- ARGV: request, queue, limit, older than (seconds, or '': lapsed leases only), first live lease to look at,
--       what is said of the third crash: for the hash, for the result stream, error type, error message;
--       what is said of an earlier one, for the result stream, error message
-- Reply: requeued, dead, phantom, live leases looked at (fewer than `limit`: there are no more), then the id of each that
--        became a dead letter

local earlier = earlier_reply()
if earlier then return earlier end

local queue, limit = ARGV[2], tonumber(ARGV[3])
local wip = key('wip', queue)
local back, buried, dead, phantoms, looked_at = {}, {}, 0, 0, 0

local function take(member, crashed, stock)
  redis.call('ZREM', wip, member)
  local id = string.match(member, '^(.*):[^:]*$') or member
  local claim = string.sub(member, #id + 2)
  local job = key('job', id)
  -- A stock worker's execution has a hash and a registry of its own.
  redis.call('DEL', PREFIX .. ':execution:' .. member, key('executions', id))
  local found = redis.call('HMGET', job, 'status', 'kind', 'attempts', 'crashes', 'worker_name', 'started_at',
    'callback', 'dead_letters', 'ordering_key', 'stopping')
  -- A stock worker pops first and writes `started` later: killed in between it leaves a job that says `queued` and
  -- is in no list.
  if found[1] ~= 'started' and not (stock and found[1] == 'queued') then
    phantoms = phantoms + 1 -- deleted or canceled by a stock client, and that stands
    end_turn(id, found[9])
    return
  end
  local ours = found[2]
  if found[10] then
    end_stopped(queue, id, ours, found[7], found[9])
    return
  end
  local attempt = number_or(found[3], 0) + 1
  local crashes = number_or(found[4], 0) + (crashed and 1 or 0)
  local worker = found[5] or ''
  if crashed and crashes >= CRASHES then
    local error = { text = ARGV[6], stream = ARGV[7], reason = 'poison', type = ARGV[8], message = ARGV[9] }
    local outcome = bury(queue, id, found[8] == '0', error)
    end_turn(id, found[9])
    redis.call('HSET', job, 'alone', '1', 'attempts', attempt, 'crashes', crashes)
    add_attempt(id, 2, worker, claim, found[6], attempt, error)
    count_job(queue, outcome == 'trash' and 'dropped' or 'dead', ours)
    count_job(queue, 'poison', ours)
    tell(outcome == 'trash' and 'trash' or 'failed', queue, id, found[7],
      { error = { type = error.type, message = error.message, reason = error.reason } })
    dead = dead + 1
    if outcome ~= 'trash' then buried[#buried + 1] = id end
  else
    add_attempt(id, 4, worker, claim, found[6], attempt,
      { stream = ARGV[10], reason = crashed and 'crash' or 'recovered', type = ARGV[8], message = ARGV[11] })
    redis.call('HSET', job, 'status', 'queued', 'alone', '1', 'lapsed', claim, 'attempts', attempt, 'crashes', crashes)
    redis.call('HDEL', job, 'worker_name', 'started_at')
    redis.call('PERSIST', job)
    count_job(queue, 'recovered', ours)
    tell('queued', queue, id, found[7])
    back[#back + 1] = id
  end
end

-- Ours lapse between OFFSET and now + OFFSET; a stock worker's leases carry no offset.
local lapsed = redis.call('ZRANGEBYSCORE', wip, OFFSET, score(now + OFFSET), 'LIMIT', 0, limit)
for _, member in ipairs(lapsed) do take(member, true, false) end
if #lapsed < limit then
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', wip, 0, score(now), 'LIMIT', 0, limit - #lapsed)) do
    take(member, true, true)
  end
end

-- Asked for by an operator: work under a live lease that runs for too long. Its worker is not known to be dead,
-- so this is no crash; the fence refuses what that worker may still do.
if ARGV[4] ~= '' then
  local too_old = seconds - math.ceil(tonumber(ARGV[4]))
  local before = iso(math.max(too_old, 0), microseconds)
  local live = redis.call('ZRANGEBYSCORE', wip, '(' .. score(now + OFFSET), '+inf', 'LIMIT', ARGV[5], limit)
  looked_at = #live
  for _, member in ipairs(live) do
    local id = string.match(member, '^(.*):[^:]*$') or member
    local started_at = redis.call('HGET', key('job', id), 'started_at')
    -- RQ's dates sort as text.
    if started_at and started_at ~= '' and started_at <= before then take(member, false, false) end
  end
end

push_front(queue, back)
if #back > 0 then ring() end
count(queue, 'phantom', phantoms)
announce(queue)
local reply = { #back, dead, phantoms, looked_at, unpack(buried) }
if #back + dead + phantoms == 0 then return reply end
return keep_reply(reply)
