-- failed (a dead letter) → the back of its queue, or of another one, with all its retries again.
-- ARGV: request, queue, queue that it goes to, operator, replay, then for each job: id, score that it must have in the
--       registry ('' for any), since one that was retried and failed again is another failure
-- With a replay it has one attempt, and its hash says which replay that was until it is requeued again; its last failure
-- stays there as well, for a replay that gives it back (see give_back).
-- Reply: the ids that really moved
--
-- 100,000 go back after an outage, so a job costs as few commands as can be: the registry is asked and left once for all
-- of a call, and what is counted is counted together.

local earlier = earlier_reply()
if earlier then return earlier end

local queue, to, by, replay = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local failed = key('failed', queue)
local asked, expected, seen = {}, {}, {}
for i = 6, #ARGV, 2 do
  local id = ARGV[i]
  if not seen[id] then
    seen[id] = true
    asked[#asked + 1], expected[#expected + 1] = id, tonumber(ARGV[i + 1]) or false
  end
end
if #asked == 0 then return keep_reply({}) end

local dead = {}
for i, found in ipairs(redis.call('ZMSCORE', failed, unpack(asked))) do
  if found and (not expected[i] or number_or(found, nil) == expected[i]) then dead[#dead + 1] = asked[i] end
end

local FIRST, LAST = { 'started_at', 'worker_name', 'lapsed', 'replay', 'given_back' }, { 'crashes', 'alone' }
local FAILURE = { 'ended_at', 'exc_info', 'error_type', 'error_message', 'reason', 'frames', 'permanent' }
local function fields(...)
  local all = {}
  for _, some in ipairs({ ... }) do
    for _, name in ipairs(some) do all[#all + 1] = name end
  end
  return all
end
-- Poison keeps its crashes and is claimed alone: at its first further crash it is dead again.
local poisoned = replay == '' and fields(FIRST, FAILURE) or FIRST
local others = fields(poisoned, LAST)

local moved, waiting, lanes, kinds, foreign, phantoms = {}, {}, {}, {}, 0, 0
if #dead > 0 then redis.call('ZREM', failed, unpack(dead)) end
for _, id in ipairs(dead) do
  local job = key('job', id)
  local found = redis.call('HMGET', job, 'data', 'kind', 'reason', 'retries_left', 'retry_intervals', 'callback',
    'ordering_key', 'lane')
  if not found[1] then
    phantoms = phantoms + 1
  else
    -- A stock client may have asked for more retries than it gave delays.
    local retries = replay == '' and math.max(#retry_delays(found[5]), number_or(found[4], 0)) or 0
    redis.call('HDEL', job, unpack(found[3] == 'poison' and poisoned or others))
    if replay == '' then
      redis.call('HSET', job, 'status', 'queued', 'origin', to, 'enqueued_at', NOW, 'retries_left', retries,
        'moved_by', by, 'moved_at', NOW)
    else
      redis.call('HSET', job, 'status', 'queued', 'origin', to, 'enqueued_at', NOW, 'retries_left', retries,
        'moved_by', by, 'moved_at', NOW, 'replay', replay)
    end
    redis.call('PERSIST', job)
    moved[#moved + 1] = id
    lanes[id] = found[8] or nil
    if takes_turn(to, id, found[7]) then waiting[#waiting + 1] = id end
    if found[2] then kinds[found[2]] = (kinds[found[2]] or 0) + 1 else foreign = foreign + 1 end
    tell('queued', to, id, found[6])
  end
end

local function count_all(name, where)
  count(where, name, #moved - foreign)
  count(where, 'foreign_' .. name, foreign)
  count_kinds(name, kinds)
end
count(queue, 'phantom', phantoms)
count_all('requeued', queue)
if to ~= queue then
  count_all('moved_out', queue)
  count_all('moved_in', to)
end
put_back(to, waiting, lanes)
if #moved > 0 then
  redis.call('SADD', PREFIX .. ':queues', key('queue', to))
  ring()
end
announce(to)
return keep_reply(moved)
