-- rotate(presented, next, now ms, grace ms, kid, expiry s, tombstone s, access expiry ms, lifetimes,
-- refresh expiry ms): spends a refresh token of the session KEYS[1].
-- `presented` and `next` are hashes of refresh identifiers. Answers, followed by the session's fields:
--   {'rotated', ...}  the presented one was current; `next` is now
--   {'replayed', ...} it was the direct parent, its successor is unused and the grace is not over: that successor again
--   {'reused', ...}   it was spent before: the session has ended by this
--   {'ended', ...}    the session had ended before
--   {'unknown'}       there is no such session
-- One atomic step, so of any number of concurrent uses exactly one rotates. The grace is judged by the clock of Redis
-- alone: an issuer's may be behind another's, or be read before the call waits in line.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local session = redis.call('HGETALL', KEYS[1])
if #session == 0 then return {'unknown'} end
local field = {}
for i = 1, #session, 2 do field[session[i]] = session[i + 1] end
local function answer(outcome)
  table.insert(session, 1, outcome)
  return session
end
if field.ended then return answer('ended') end
-- Read before the first write, which nothing undoes.
local access, spent = tonumber(field.access) or 0, tonumber(field.spent) or 0
local refresh = tonumber(field.refresh)
if field.current == ARGV[1] then
  redis.call('HSET', KEYS[1], 'current', ARGV[2], 'parent', ARGV[1], 'rotated', ARGV[3], 'kid', ARGV[5],
    'lifetimes', ARGV[9], 'spent', string.format('%.0f', now))
  -- The latest stays, so that a shorter lifetime does not make an older token forgotten too soon. A session that says
  -- nothing of its refresh tokens was begun by the first version, and goes on saying nothing.
  if tonumber(ARGV[8]) > access then redis.call('HSET', KEYS[1], 'access', ARGV[8]) end
  if refresh and tonumber(ARGV[10]) > refresh then redis.call('HSET', KEYS[1], 'refresh', ARGV[10]) end
  redis.call('EXPIREAT', KEYS[1], ARGV[6])
  return answer('rotated')
end
if field.parent == ARGV[1] and now - spent < tonumber(ARGV[4]) then
  return answer('replayed')
end
redis.call('HSET', KEYS[1], 'ended', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[7])
return answer('reused')
