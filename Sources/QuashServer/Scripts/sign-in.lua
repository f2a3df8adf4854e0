-- sign-in(expiry s, field, value, ...): records a new session under KEYS[1]. Answers {'created'}.
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIREAT', KEYS[1], ARGV[1])
return {'created'}
