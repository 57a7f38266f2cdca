-- The turns of jobs that are gone or have ended → the next ones of their ordering keys. For jobs that a stock worker or
-- client ended, which knows nothing of turns.
-- ARGV: '', ordering key (a digest) …
-- Reply: how many turns went on

local LIVE = { queued = true, created = true, scheduled = true, started = true, deferred = true }
local passed_on = 0

for i = 2, #ARGV do
  local ordering = ARGV[i]
  local id = redis.call('HGET', TURNS, ordering)
  if id and not LIVE[redis.pcall('HGET', key('job', id), 'status')] then
    end_turn(id, ordering)
    passed_on = passed_on + 1
  end
end
return passed_on
