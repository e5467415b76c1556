-- A window was judged and stored.
-- KEYS: closed, judged, as those of take.lua
-- ARGV: the window's header, who judged it
local closed, judged = KEYS[1], KEYS[2]
if redis.call('LINDEX', closed, 0) == ARGV[1] then
  redis.call('LTRIM', closed, string.match(ARGV[1], '^%d+') + 1, -1)
end
if redis.call('GET', judged) == ARGV[2] then
  redis.call('DEL', judged)
end
