-- Every place of some jobs, at one instant. Reads only; walks through the lists, so it is for few jobs at a time.
-- ARGV: '', queue, job id …
-- Reply: for each id the list of its places

local queue = ARGV[2]
local started = {}
for _, member in ipairs(redis.call('ZRANGE', key('wip', queue), 0, -1)) do
  started[string.match(member, '^(.*):[^:]*$') or member] = true
end
local lists = { key('queue', queue), PREFIX .. ':queue:' .. queue .. ':intermediate' }
local buckets = redis.call('HKEYS', key('qa:parked', queue))
for _, bucket in ipairs(buckets) do lists[#lists + 1] = key('qa:parked', queue .. ':' .. bucket) end

local reply = {}
for i = 3, #ARGV do
  local id, places = ARGV[i], {}
  local entries = 0
  for _, list in ipairs(lists) do entries = entries + #redis.call('LPOS', list, id, 'COUNT', 0) end
  for _ = 1, entries - redis.call('SISMEMBER', key('qa:tomb', queue), id) do places[#places + 1] = 'queued' end
  if redis.call('ZSCORE', key('qa:behind', queue), id) then places[#places + 1] = 'queued' end
  if started[id] then places[#places + 1] = 'started' end
  for _, place in ipairs({ 'scheduled', 'failed', 'canceled', 'finished' }) do
    if redis.call('ZSCORE', key(place, queue), id) then places[#places + 1] = place end
  end
  if redis.call('ZSCORE', key('qa:trash', queue), id) then places[#places + 1] = 'trash' end
  reply[#reply + 1] = places
end
return reply
