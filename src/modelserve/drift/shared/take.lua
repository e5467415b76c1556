-- The oldest closed window of a source that nobody judges, for a while.
-- KEYS: parts, open, closed, as those of add.lua, and judged (string: who judges)
-- ARGV: ms after which a window closes with what it has, who asks, ms for which the window is theirs
-- Returns its header and its parts, or nothing.
local parts, open, closed, judged = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = redis.call('HGET', open, 'since')
if since and now - since >= tonumber(ARGV[1]) then
  redis.call('RPUSH', closed, redis.call('LLEN', parts) .. ' ' .. time[1] .. '.' .. time[2])
  while redis.call('LMOVE', parts, closed, 'LEFT', 'RIGHT') do
  end
  redis.call('DEL', open)
end
local header = redis.call('LINDEX', closed, 0)
if not header or not redis.call('SET', judged, ARGV[2], 'NX', 'PX', ARGV[3]) then
  return {}
end
return redis.call('LRANGE', closed, 0, tonumber(string.match(header, '^%d+')))
