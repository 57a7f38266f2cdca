-- queue or scheduled → canceled, where it stays visible for 24 h.
-- ARGV: request, queue, operator, entries of the list that are searched (see take_out), job id …
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue, by, near = ARGV[2], ARGV[3], tonumber(ARGV[4])
local moved = {}

for i = 5, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  local found = redis.call('HMGET', job, 'status', 'kind', 'origin', 'callback', 'data', 'ordering_key')
  local may = found[3] == queue and found[5]
  if may and found[1] == 'queued' then
    if not step_out(queue, id, found[6]) then take_out(queue, id, near) end
  elseif may and found[1] == 'scheduled' then
    may = redis.call('ZREM', key('scheduled', queue), id) == 1
  else
    may = false
  end
  if may then
    redis.call('HSET', job, 'status', 'canceled', 'ended_at', NOW)
    redis.call('ZADD', key('canceled', queue), score(now), id)
    stamp(id, by)
    count_job(queue, 'canceled', found[2])
    tell('canceled', queue, id, found[4])
    end_turn(id, found[6])
    moved[#moved + 1] = id
  end
end

announce(queue)
return keep_reply(moved)
