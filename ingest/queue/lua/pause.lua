-- A queue, or all of them ('*'), are claimed from no more until a moment, or until they are resumed.
-- ARGV: '', queue or '*', Unix time or 'inf'
redis.call('ZADD', PAUSED, ARGV[3], ARGV[2])
return 1
