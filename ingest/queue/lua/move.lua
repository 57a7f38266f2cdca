-- queue → the back of another queue.
-- ARGV: request, queue, queue that it goes to, operator, entries of the list that are searched (see take_out), job id …
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue, to, by, near = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local moved, waiting = {}, {}

-- One that waits for its turn keeps its number.
local function move_behind(id, ordering)
  local number = ordering and redis.call('ZSCORE', key('qa:turns', ordering), queue .. ':' .. id)
  if not number then return false end
  step_out(queue, id, ordering)
  redis.call('ZADD', key('qa:turns', ordering), number, to .. ':' .. id)
  redis.call('ZADD', key('qa:behind', to), number, id)
  redis.call('HINCRBY', key('qa:parked', to), BEHIND, 1)
  return true
end

for i = 6, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  local found = redis.call('HMGET', job, 'status', 'kind', 'origin', 'callback', 'data', 'ordering_key')
  if queue ~= to and found[5] and found[1] == 'queued' and found[3] == queue then
    if not move_behind(id, found[6]) then
      take_out(queue, id, near)
      waiting[#waiting + 1] = id
    end
    redis.call('HSET', job, 'origin', to)
    redis.call('HDEL', job, 'lapsed') -- a late worker would look for it in its old queue
    stamp(id, by)
    count_job(queue, 'moved_out', found[2])
    count_job(to, 'moved_in', found[2])
    tell('queued', to, id, found[4])
    moved[#moved + 1] = id
  end
end

put_back(to, waiting)
if #moved > 0 then
  redis.call('SADD', PREFIX .. ':queues', key('queue', to))
  ring()
end
announce(to)
return keep_reply(moved)
