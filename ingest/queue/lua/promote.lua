-- scheduled and due → the back of its queue.
-- ARGV: '', queue, limit
-- Reply: how many were promoted, how many were looked at

local queue, limit = ARGV[2], tonumber(ARGV[3])
local scheduled = key('scheduled', queue)
local ids, promoted, phantoms = {}, 0, 0

local due = redis.call('ZRANGEBYSCORE', scheduled, '-inf', score(now), 'LIMIT', 0, limit)
for _, id in ipairs(due) do
  redis.call('ZREM', scheduled, id)
  local job = key('job', id)
  local found = redis.call('HMGET', job, 'status', 'kind', 'callback', 'ordering_key')
  if found[1] == 'scheduled' then
    redis.call('HSET', job, 'status', 'queued', 'enqueued_at', NOW)
    promoted = promoted + 1
    if takes_turn(queue, id, found[4]) then ids[#ids + 1] = id end
    count_job(queue, 'promoted', found[2])
    tell('queued', queue, id, found[3])
  else
    phantoms = phantoms + 1 -- deleted or canceled by a stock client, and that stands
    end_turn(id, found[4])
  end
end

put_back(queue, ids)
if #ids > 0 then
  redis.call('SADD', PREFIX .. ':queues', key('queue', queue))
  ring()
end
count(queue, 'phantom', phantoms)
announce(queue)
return { promoted, #due }
