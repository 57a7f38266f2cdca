-- failed (a dead letter): whether whatever moves many at once leaves it where it is. A requeue takes the mark off, but for
-- one by a replay, which may give the job back as it was.
-- ARGV: request, queue, '1' to mark it or '' to take the mark off, job id …
-- Reply: the ids of those that changed

local earlier = earlier_reply()
if earlier then return earlier end

local queue, is_marked = ARGV[2], ARGV[3] == '1'
local failed = key('failed', queue)
local changed = {}

for i = 4, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  if redis.call('ZSCORE', failed, id) and (redis.call('HEXISTS', job, 'permanent') == 1) ~= is_marked then
    if is_marked then redis.call('HSET', job, 'permanent', '1') else redis.call('HDEL', job, 'permanent') end
    changed[#changed + 1] = id
  end
end

return keep_reply(changed)
