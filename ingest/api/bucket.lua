-- Take events out of a token bucket, which is kept as one number: when it is full again, in microseconds (GCRA).
--
-- KEYS[1]: the bucket. ARGV: microseconds that one event takes to come back, events in a full bucket, events wanted.
-- Answers whether they were taken (1 or 0), and the microseconds until the bucket is full.
--
-- More than a full bucket holds is taken from a full one, and what is missing is owed: the next ones wait for it.
-- Nobody owes for longer than OWED events, also when the clock was set back.

local OWED = 10000

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local each, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local full = tonumber(redis.call('GET', KEYS[1]) or '') or now
full = math.min(math.max(full, now), now + (burst + OWED) * each)
if full + math.min(wanted, burst) * each > now + burst * each + 0.5 then
  return { 0, math.ceil(full - now) }
end
full = full + wanted * each
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return { 1, math.ceil(full - now) }
