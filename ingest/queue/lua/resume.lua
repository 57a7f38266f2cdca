-- The pause of a queue, or the one of all ('*'), ends.
-- ARGV: '', queue or '*'
-- Reply: 1, or 0 when it was not paused

local ended = redis.call('ZREM', PAUSED, ARGV[2])
ring()
return ended
