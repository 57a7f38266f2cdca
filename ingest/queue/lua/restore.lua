-- trash → where the job came from: its queue, scheduled or failed.
-- ARGV: request, queue, operator, then for each job: id, score that it must have in the trash ('' for any), since one
--       that was restored and discarded again was discarded by somebody who may have meant it
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue, by = ARGV[2], ARGV[3]
local trash = key('qa:trash', queue)
local moved, waiting = {}, {}

for i = 4, #ARGV, 2 do
  local id, expected = ARGV[i], tonumber(ARGV[i + 1])
  local same = not expected or number_or(redis.call('ZSCORE', trash, id), nil) == expected
  if same and redis.call('ZREM', trash, id) == 1 then
    local job = key('job', id)
    local found = redis.call('HMGET', job, 'trashed_from', 'trashed_score', 'kind', 'callback', 'data',
      'ordering_key')
    if not found[5] then
      count(queue, 'phantom', 1)
    else
      local from = found[1] or 'failed'
      redis.call('HSET', job, 'status', from)
      redis.call('HDEL', job, 'trashed_at', 'trashed_from', 'trashed_score')
      if from == 'queued' then
        if takes_turn(queue, id, found[6]) then waiting[#waiting + 1] = id end
      else
        redis.call('ZADD', key(from, queue), found[2] or score(now + OFFSET), id)
      end
      stamp(id, by)
      count_job(queue, 'restored', found[3])
      if from == 'failed' then count_job(queue, 'restored_failed', found[3]) end
      tell(from, queue, id, found[4])
      moved[#moved + 1] = id
    end
  end
end

put_back(queue, waiting)
if #waiting > 0 then ring() end
announce(queue)
return keep_reply(moved)
