-- queued by a replay and not begun → failed, as it was: a dead letter of the queue that the replay took it from.
-- ARGV: request, queue, queue that it came from, operator, replay, entries of the list that are searched (see take_out),
--       then for each job: id, score that it had in the registry ('' for the moment of its failure: a stock worker's
--       dead letters may have another one)
-- Its hash says which replay gave it back until it is requeued again. One that a worker lost has begun, and stays.
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue, home, by, replay, near = ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local moved = {}

for i = 7, #ARGV, 2 do
  local id = ARGV[i]
  local job = key('job', id)
  local found = redis.call('HMGET', job, 'status', 'kind', 'origin', 'callback', 'data', 'ordering_key', 'replay',
    'lapsed', 'ended_at')
  if found[1] == 'queued' and found[3] == queue and found[5] and found[7] == replay and not found[8] then
    if not step_out(queue, id, found[6]) then take_out(queue, id, near) end
    redis.call('HSET', job, 'status', 'failed', 'origin', home, 'given_back', replay)
    redis.call('HDEL', job, 'replay')
    redis.call('ZADD', key('failed', home), score(tonumber(ARGV[i + 1]) or (moment(found[9]) or now) + OFFSET), id)
    count_job(home, 'returned', found[2])
    if home ~= queue then
      count_job(queue, 'moved_out', found[2])
      count_job(home, 'moved_in', found[2])
    end
    stamp(id, by)
    tell('failed', home, id, found[4])
    end_turn(id, found[6])
    moved[#moved + 1] = id
  end
end

announce(home)
return keep_reply(moved)
