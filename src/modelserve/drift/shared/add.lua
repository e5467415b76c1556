-- A part of a source's open window, which closes when it has enough samples.
-- KEYS: parts (list), open (hash: samples, since), closed (list: of each window a header, then its parts),
--   seen (hash: writer to the number of its last part)
-- ARGV: part, its samples, samples of a window, writer, the part's number, most in closed, ms to keep all this
-- Returns 1, or 0 where there is no room.
local parts, open, closed, seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local last = redis.call('HGET', seen, ARGV[4])
if last and tonumber(last) >= tonumber(ARGV[5]) then
  return 1 -- it came before, and its answer was lost
end
if redis.call('LLEN', closed) >= tonumber(ARGV[6]) then
  return 0
end
redis.call('HSET', seen, ARGV[4], ARGV[5])
redis.call('RPUSH', parts, ARGV[1])
local time = redis.call('TIME')
redis.call('HSETNX', open, 'since', time[1] * 1000 + math.floor(time[2] / 1000))
if redis.call('HINCRBY', open, 'samples', ARGV[2]) >= tonumber(ARGV[3]) then
  redis.call('RPUSH', closed, redis.call('LLEN', parts) .. ' ' .. time[1] .. '.' .. time[2])
  while redis.call('LMOVE', parts, closed, 'LEFT', 'RIGHT') do
  end
  redis.call('DEL', open)
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ARGV[7])
end
return 1
