-- finished → gone: stored results that ended long enough ago. Their ids stay known for their dedupe window.
-- ARGV: request, queue, ended before (Unix time), job id …
-- Reply: the ids that really went

local earlier = earlier_reply()
if earlier then return earlier end

local queue, before = ARGV[2], tonumber(ARGV[3])
local finished = key('finished', queue)
local gone = {}

for i = 4, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  if redis.call('ZSCORE', finished, id) and (moment(redis.call('HGET', job, 'ended_at')) or 0) < before then
    redis.call('ZREM', finished, id)
    redis.call('DEL', job, key('results', id), key('executions', id), key('qa:log', id))
    gone[#gone + 1] = id
  end
end
return keep_reply(gone)
