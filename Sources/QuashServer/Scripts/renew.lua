-- renew(node, epoch, applied, lease ms, damaged epoch, version, most records, 1 when somebody waits, what is damaged,
-- newest layout): the safety path.
-- Answers {'recovering'}, {'layout', layout} when that is newer than the newest that the node reads,
-- {'elsewhere', epoch, head}, {'gap', epoch, head} or
-- {'entries', epoch, head, lease ms granted or 0, record, ...} with every commit after `applied`, in order.
--
-- A lease is granted only together with everything up to the head, in this one atomic step. The registry is written
-- with it: a master that may not write (min-replicas-to-write) grants nothing.
-- KEYS[1] is the registry, the only key that a validator may write.
if state ~= 'open' then return {'recovering'} end
-- Before all else: what such a node cannot read is no damage.
if layout > tonumber(ARGV[10]) then return {'layout', layout} end
-- The data is damaged. The epoch ends here, and an issuer opens the next. A report about an epoch that is over says
-- nothing of this one: else each of many nodes that found the same damage would end an epoch.
if ARGV[5] == nonce then return end_epoch(ARGV[9]) end
local applied = tonumber(ARGV[3])
if ARGV[2] ~= nonce or applied > head then return {'elsewhere', nonce, decimal(head)} end
local reply = {'entries', nonce, decimal(head), '0'}
if applied < head then
  local items = read('XRANGE', '{quash}:log', decimal(applied + 1) .. '-0', '+', 'COUNT', ARGV[7])
  if not items then return end_epoch('unreadable') end
  for _, item in ipairs(items) do
    applied = applied + 1
    if item[1] ~= decimal(applied) .. '-0' then return {'gap', nonce, decimal(head)} end
    -- No commit is that long. An answer made of such would be more than a node takes.
    if #item[2][2] > 8192 then return end_epoch('unreadable') end
    reply[#reply + 1] = item[2][2]
  end
  if #items == 0 then return {'gap', nonce, decimal(head)} end
end
if applied == head then
  reply[4] = decimal(math.min(tonumber(ARGV[4]), lease))
  -- Tells this grant from the node's others, also when the clock is set back; for how long it holds, no issuer asks it.
  local before = number(string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%d+ (%d+) ')) or 0
  local granted = math.max(clock(), (before < 281474976710655 and before or 0) + 1)
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. decimal(granted) .. ' ' .. reply[4] .. ' ' .. ARGV[6])
end
-- What the registry says now, to the issuers that wait for it. It may be lost: they read the registry too.
if ARGV[8] == '1' then redis.call('PUBLISH', '{quash}:acks', nonce .. ' ' .. ARGV[3] .. ' ' .. ARGV[1]) end
return reply
