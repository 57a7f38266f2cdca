-- trash → gone. The client's id of the job may come again.
-- ARGV: request, queue, job id …
-- Reply: the ids that really went

local earlier = earlier_reply()
if earlier then return earlier end

local queue = ARGV[2]
local trash = key('qa:trash', queue)
local gone = {}

for i = 3, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', trash, id) == 1 then
    count_job(queue, 'purged', redis.call('HGET', key('job', id), 'kind'))
    forget(id)
    gone[#gone + 1] = id
  end
end
return keep_reply(gone)
