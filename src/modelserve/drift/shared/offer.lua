-- Half a call: the other half if that was waiting, else what becomes of this one.
-- KEYS: waiting (hash: call to half), since (sorted set: call by time), over (hash: call to what was had of
--   it), ended (sorted set: call by time), bytes (of the halves that wait)
-- ARGV: call, side, half, most that wait, most bytes of them
-- Returns the outcome, and the other half or how many had to make room.
local waiting, since, over, ended, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call, side, half = ARGV[1], ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', time[2]) -- µs: two halves at one time have no order

local function release(one)
  local held = redis.call('HGET', waiting, one)
  redis.call('HDEL', waiting, one)
  redis.call('ZREM', since, one)
  return held, redis.call('DECRBY', bytes, #held)
end

local function finish(one, had)
  redis.call('HSET', over, one, had)
  redis.call('ZADD', ended, now, one)
end

local had = redis.call('HGET', over, call)
if had then
  if had == 'both' or had == side then
    return {'duplicate', 1}
  end
  redis.call('HSET', over, call, 'both')
  return {'half_' .. side, 1}
end

local held = redis.call('HGET', waiting, call)
if held then
  if string.sub(held, 1, #side) == side then
    return {'duplicate', 1}
  end
  release(call)
  finish(call, 'both')
  return {'paired', held}
end

redis.call('HSET', waiting, call, half)
redis.call('ZADD', since, now, call)
local total = redis.call('INCRBY', bytes, #half)
local displaced = 0
while redis.call('ZCARD', since) > tonumber(ARGV[4]) or total > tonumber(ARGV[5]) do
  local oldest = redis.call('ZRANGE', since, 0, 0)[1]
  held, total = release(oldest)
  finish(oldest, string.match(held, '^(%l+)'))
  displaced = displaced + 1
end
return {'displaced', displaced}
