-- nodes(): who is there. Answers {'nodes', epoch, head, registry, issuers} or {'recovering'}; `issuers` has a line
-- `<outbox> <start> <count> <name>` for each.
-- Nothing is let go here: whether a lease has ended, no clock of Redis may say, because anybody may set that.
if state ~= 'open' then return {'recovering'} end
local issuers, lines = {}, redis.call('HGETALL', '{quash}:issuers')
for i = 1, #lines, 2 do issuers[#issuers + 1] = lines[i] .. ' ' .. lines[i + 1] end
return {'nodes', nonce, redis.call('GET', '{quash}:seq'), registry(KEYS[1]), table.concat(issuers, '\n')}
