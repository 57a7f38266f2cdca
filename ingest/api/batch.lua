-- Keep what became of a batch's items; the oldest go when all together are too large.
--
-- KEYS: the batch; the list of all that are kept, oldest first, as `<Unix time of its end> <bytes> <key>`; their bytes
-- together. ARGV: the record, seconds to keep it, bytes that all may have.

local OVER = 50 -- entries that one call takes off the list, at most

local now = tonumber(redis.call('TIME')[1])
local size = #ARGV[1] + 200 -- what its key and its entry take
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('RPUSH', KEYS[2], string.format('%d %d %s', now + ARGV[2], size, KEYS[1]))
local total = redis.call('INCRBY', KEYS[3], size)

for _ = 1, OVER do
  local ends, bytes, name = string.match(redis.call('LINDEX', KEYS[2], 0) or '', '^(%d+) (%d+) (.*)$')
  if not ends or (tonumber(ends) > now and total <= tonumber(ARGV[3])) then break end
  redis.call('LPOP', KEYS[2])
  total = redis.call('DECRBY', KEYS[3], bytes)
  if tonumber(ends) > now then redis.call('DEL', name) end
end
return total
