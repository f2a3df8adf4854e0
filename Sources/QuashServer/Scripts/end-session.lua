-- end-session(now ms, tombstone s): ends the session KEYS[1]. Answers {'ended', field, value, ...} or {'unknown'}.
-- What is left of it is a tombstone for as long as its access tokens may live, so that ending it twice, because storing
-- the revocation failed the first time, still knows whose it was.
local session = redis.call('HGETALL', KEYS[1])
if #session == 0 then return {'unknown'} end
if redis.call('HSETNX', KEYS[1], 'ended', ARGV[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
table.insert(session, 1, 'ended')
return session
