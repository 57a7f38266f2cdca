-- scheduled (delayed, or waiting for its retry) → the back of its queue.
-- ARGV: request, queue, operator, job id …
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue, by = ARGV[2], ARGV[3]
local scheduled = key('scheduled', queue)
local moved, waiting = {}, {}

for i = 4, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', scheduled, id) == 1 then
    local job = key('job', id)
    local found = redis.call('HMGET', job, 'status', 'kind', 'callback', 'ordering_key')
    if found[1] == 'scheduled' then
      redis.call('HSET', job, 'status', 'queued', 'enqueued_at', NOW)
      stamp(id, by)
      tell('queued', queue, id, found[3])
      count_job(queue, 'promoted', found[2])
      moved[#moved + 1] = id
      if takes_turn(queue, id, found[4]) then waiting[#waiting + 1] = id end
    else
      count(queue, 'phantom', 1)
      end_turn(id, found[4])
    end
  end
end

put_back(queue, waiting)
if #moved > 0 then ring() end
announce(queue)
return keep_reply(moved)
