-- queued, scheduled or failed: another event under the same id, before its next execution. The job stays where it is.
-- ARGV: request, job id, data, body hash
-- Reply: the state that it is in (the contract's word, '' for an unknown id), 1 when it was changed

local earlier = earlier_reply()
if earlier then return earlier end

local id, data, body_hash = ARGV[2], ARGV[3], ARGV[4]
local job = key('job', id)
local found = redis.call('HMGET', job, 'status', 'kind', 'body_hash', 'trashed_at', 'attempts')
local status = found[1]

local may = found[2] and (status == 'queued' or status == 'scheduled' or status == 'failed')
if may then
  redis.call('HSET', job, 'data', data)
  -- Where the client gave the id: a copy of what it says now is the duplicate.
  if found[3] then
    redis.call('HSET', job, 'body_hash', body_hash)
    redis.call('SET', key('qa:seen', id), body_hash, 'XX', 'KEEPTTL')
  end
end

if found[4] then status = 'trash' end
if status == 'scheduled' and number_or(found[5], 0) > 0 then status = 'retrying' end
return keep_reply({ status or '', may and 1 or 0 })
