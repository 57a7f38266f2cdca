-- queue, scheduled or failed → the trash, for 24 h.
-- ARGV: request, queue, operator, operation that can be undone ('' for none), entries of the list that are searched (see
--       take_out), then for each job: id, score that it must have as a dead letter ('' for any job), since one that was
--       retried and failed again is another failure
-- Reply: the ids that really moved

local earlier = earlier_reply()
if earlier then return earlier end

local queue, by, operation, near = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local moved = {}

for i = 6, #ARGV, 2 do
  local id, expected = ARGV[i], tonumber(ARGV[i + 1])
  local found = redis.call('HMGET', key('job', id), 'status', 'kind', 'origin', 'callback', 'data', 'ordering_key')
  local from, old_score
  if found[3] == queue and found[5] then
    if found[1] == 'queued' and not expected then
      from, old_score = 'queued', '0'
      if not step_out(queue, id, found[6]) then take_out(queue, id, near) end
    elseif found[1] == 'scheduled' or found[1] == 'failed' then
      local place = key(found[1], queue)
      old_score = redis.call('ZSCORE', place, id)
      if old_score and (not expected or (found[1] == 'failed' and tonumber(old_score) == expected)) then
        from = found[1]
        redis.call('ZREM', place, id)
      end
    end
  end
  if from then
    put_in_trash(queue, id, from, old_score, 0, operation)
    stamp(id, by)
    count_job(queue, 'trashed', found[2])
    if from == 'failed' then count_job(queue, 'trashed_failed', found[2]) end
    tell('trash', queue, id, found[4])
    end_turn(id, found[6])
    moved[#moved + 1] = id
  end
end

announce(queue)
return keep_reply(moved)
