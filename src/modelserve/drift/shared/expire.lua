-- Halves that have waited long enough, and calls that need not be known any more.
-- KEYS: as those of offer.lua
-- ARGV: ms that a half waits, ms that a call is known after its end, most of each to do at once
-- Returns how many requests and how many responses were given up.
local waiting, since, over, ended, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', time[2])

local function before(ms)
  return string.format('%.0f', now - 1000 * ms)
end

local given_up = {request = 0, response = 0}
for _, call in ipairs(redis.call('ZRANGE', since, '-inf', before(ARGV[1]), 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
  local held = redis.call('HGET', waiting, call)
  local side = string.match(held, '^(%l+)')
  given_up[side] = given_up[side] + 1
  redis.call('HDEL', waiting, call)
  redis.call('ZREM', since, call)
  redis.call('DECRBY', bytes, #held)
  redis.call('HSET', over, call, side)
  redis.call('ZADD', ended, now, call)
end
for _, call in ipairs(redis.call('ZRANGE', ended, '-inf', before(ARGV[2]), 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
  redis.call('HDEL', over, call)
  redis.call('ZREM', ended, call)
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, string.format('%.0f', ARGV[1] + ARGV[2]))
end
return {given_up.request, given_up.response}
