-- forget(node, entry, ...): lets go of nodes whose leases an issuer has measured to have ended, unless one has renewed
-- since. Answers {'forgotten', how many}.
local count = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then count = count + redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return {'forgotten', count}
