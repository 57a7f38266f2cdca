-- What is due → gone: the trash after its time, canceled jobs after theirs, results past theirs.
-- ARGV: '', queue, limit of each, seconds in the trash, seconds canceled
-- Reply: how many went

local queue, limit = ARGV[2], tonumber(ARGV[3])
local trash, canceled, finished = key('qa:trash', queue), key('canceled', queue), key('finished', queue)
local gone = 0

for _, id in ipairs(redis.call('ZRANGEBYSCORE', trash, '-inf', score(now - ARGV[4]), 'LIMIT', 0, limit)) do
  redis.call('ZREM', trash, id)
  count_job(queue, 'purged', redis.call('HGET', key('job', id), 'kind'))
  forget(id)
  gone = gone + 1
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', canceled, '-inf', score(now - ARGV[5]), 'LIMIT', 0, limit)) do
  redis.call('ZREM', canceled, id)
  if redis.call('HGET', key('job', id), 'status') == 'canceled' then forget(id) end
  gone = gone + 1
end
-- The hash of a result has a time to live as well; its entry here, and what stands beside it, has none.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', finished, 0, score(now), 'LIMIT', 0, limit)) do
  redis.call('ZREM', finished, id)
  redis.call('DEL', key('job', id), key('results', id), key('executions', id), key('qa:log', id))
  gone = gone + 1
end
return gone
