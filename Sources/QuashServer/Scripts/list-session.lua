-- list-session(session, expiry ms, now ms, most): lists a session under its subject, whose list is KEYS[1], until it
-- expires. Answers the names of sessions that are more than `most`, those that expire first; at most as many again.
-- What has expired goes, and the list lives as long as the last of it.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
local expiry = math.floor(tonumber(ARGV[2]) / 1000)
if redis.call('EXPIRETIME', KEYS[1]) < expiry then redis.call('EXPIREAT', KEYS[1], expiry) end
local most = tonumber(ARGV[4])
local surplus = math.min(redis.call('ZCARD', KEYS[1]) - most, most)
return surplus > 0 and redis.call('ZRANGE', KEYS[1], 0, surplus - 1) or {}
