-- started → still started, but asked to end: its worker is told at once, and by its hash should it not hear that. What it
-- does then makes it canceled, or finished if it was faster (see fail, complete, release, recover).
-- ARGV: request, queue, operator, job id …
-- Reply: the ids that were asked
--
-- Only what runs for an effect handler can be told: a batch shares its transaction with others.

local earlier = earlier_reply()
if earlier then return earlier end

local queue, by = ARGV[2], ARGV[3]
local asked = {}

for i = 4, #ARGV do
  local id = ARGV[i]
  local job = key('job', id)
  local found = redis.call('HMGET', job, 'status', 'kind', 'origin', 'mode', 'worker_name')
  if found[1] == 'started' and found[2] and found[3] == queue and found[4] then
    redis.call('HSET', job, 'stopping', '1')
    stamp(id, by)
    redis.call('PUBLISH', PREFIX .. ':pubsub:' .. (found[5] or ''), cjson.encode({ command = 'cancel-job', job_id = id }))
    asked[#asked + 1] = id
  end
end

return keep_reply(asked)
