-- nodes(): who is there. Answers {'nodes', epoch, head, registry, issuers} or {'recovering'}; `issuers` has a line
-- `<outbox> <start> <count> <name>` for each.
-- Nothing is let go here: whether a lease has ended, no clock of Redis may say, because anybody may set that.
if state ~= 'open' then return {'recovering'} end
-- A directory of more names than one answer may have could be read by no node. A validator may not count them.
if redis.call('HLEN', '{quash}:live') > 2000 then return end_epoch('unreadable') end
local issuers, lines = {}, read('HGETALL', '{quash}:issuers') or {}
for i = 1, #lines, 2 do issuers[#issuers + 1] = lines[i] .. ' ' .. lines[i + 1] end
return {'nodes', nonce, decimal(head), registry(KEYS[1]), table.concat(issuers, '\n')}
