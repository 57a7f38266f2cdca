-- started: leases prolonged.
-- ARGV: '', lease in seconds, then for each job: queue, member (job id:claim id)
-- Reply: the members that are not ours any more

local lease_end = score(now + tonumber(ARGV[2]) + OFFSET)
local lost = {}
for i = 3, #ARGV, 2 do
  local wip, member = key('wip', ARGV[i]), ARGV[i + 1]
  -- Out and in again: a full Redis refuses ZADD unless a ZREM went before, and then every lease would lapse.
  if redis.call('ZREM', wip, member) == 1 then
    redis.call('ZADD', wip, lease_end, member)
  else
    lost[#lost + 1] = member
  end
end
return lost
