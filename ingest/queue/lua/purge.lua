-- trash → gone. The client's id of the job may come again.
-- ARGV: request, queue, then for each job: id, score that it must have in the trash ('' for any), since one that was
--       restored and discarded again is kept for as long as any other
-- Reply: the ids that really went

local earlier = earlier_reply()
if earlier then return earlier end

local queue = ARGV[2]
local trash = key('qa:trash', queue)
local gone = {}

for i = 3, #ARGV, 2 do
  local id, expected = ARGV[i], tonumber(ARGV[i + 1])
  local same = not expected or number_or(redis.call('ZSCORE', trash, id), nil) == expected
  if same and redis.call('ZREM', trash, id) == 1 then
    count_job(queue, 'purged', redis.call('HGET', key('job', id), 'kind'))
    forget(id)
    gone[#gone + 1] = id
  end
end
return keep_reply(gone)
