-- started: what its handler says of it. Only by the claim that holds the job.
-- ARGV: '', queue, claim id, job id, progress (JSON, or ''), line of the log (or ''), lines kept
-- Reply: 1, or 0 when the job is not this claim's any more

local queue, claim, id, value, line = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not redis.call('ZSCORE', key('wip', queue), id .. ':' .. claim) then return 0 end
if redis.call('HGET', key('job', id), 'status') ~= 'started' then return 0 end

if value ~= '' then redis.call('HSET', key('job', id), 'progress', value) end
if line ~= '' then
  redis.call('RPUSH', key('qa:log', id), line)
  redis.call('LTRIM', key('qa:log', id), -ARGV[7], -1)
end
if redis.call('PUBSUB', 'NUMSUB', EVENTS)[2] > 0 then
  redis.call('PUBLISH', EVENTS, cjson.encode({ event = 'progress', queue = queue, ids = { id }, value = value, line = line }))
end
return 1
