-- nodes(grace ms): the registry, without those whose leases ended longer ago than that.
-- Answers {'nodes', epoch, head, now ms, text} with a line `applied granted lease version node` for each node: one
-- string, because a reply's elements are limited and nodes may be many.
local nonce = open_epoch()
if not nonce then return {'recovering'} end
local lines = {}
for _, node in ipairs(living_nodes(KEYS[1], tonumber(ARGV[1]))) do lines[#lines + 1] = node[2] .. ' ' .. node[1] end
return {'nodes', nonce, redis.call('GET', '{quash}:seq'), decimal(clock()), table.concat(lines, '\n')}
