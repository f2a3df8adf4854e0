-- nodes(): the registry. Answers {'nodes', epoch, head, registry} or {'recovering'}.
-- Nothing is let go here: whether a lease has ended, no clock of Redis may say, because anybody may set that.
if state ~= 'open' then return {'recovering'} end
return {'nodes', nonce, redis.call('GET', '{quash}:seq'), registry(KEYS[1])}
