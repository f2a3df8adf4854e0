-- renew(node, epoch, applied, lease ms, damaged epoch, version, most records, grace ms): the safety path.
-- Answers {'recovering'}, {'elsewhere', epoch, head}, {'gap', epoch, head} or
-- {'entries', epoch, head, lease ms granted or 0, record, ...} with every commit after `applied`, in order.
--
-- A lease is granted only together with everything up to the head, in this one atomic step. The registry is written
-- with it: a master that may not write (min-replicas-to-write) grants nothing.
-- KEYS[1] is the registry, the only key that a validator may write.
local nonce = open_epoch()
if not nonce then return {'recovering'} end
if ARGV[5] == nonce then
  -- The live set lost data. The epoch ends here, and an issuer opens the next. A report about an epoch that is over
  -- says nothing of this one: else each of many nodes that found the same damage would end an epoch.
  redis.call('HDEL', KEYS[1], 'epoch')
  return {'recovering'}
end
local head = tonumber(redis.call('GET', '{quash}:seq'))
local applied = tonumber(ARGV[3])
if ARGV[2] ~= nonce or applied > head then return {'elsewhere', nonce, decimal(head)} end
local reply = {'entries', nonce, decimal(head), '0'}
if applied < head then
  local items = redis.call('XRANGE', '{quash}:log', decimal(applied + 1) .. '-0', '+', 'COUNT', ARGV[7])
  for _, item in ipairs(items) do
    applied = applied + 1
    if item[1] ~= decimal(applied) .. '-0' then return {'gap', nonce, decimal(head)} end
    reply[#reply + 1] = item[2][2]
  end
  if #items == 0 then return {'gap', nonce, decimal(head)} end
end
if applied == head then
  local entry = ARGV[3] .. ' ' .. decimal(clock()) .. ' ' .. ARGV[4] .. ' ' .. ARGV[6]
  local is_new = redis.call('HSET', KEYS[1], ARGV[1], entry) == 1
  -- Every process has a name of its own, so the dead are let go now and then, as the registry grows.
  if is_new and redis.call('HLEN', KEYS[1]) % 256 == 0 then living_nodes(KEYS[1], tonumber(ARGV[8])) end
  reply[4] = ARGV[4]
end
return reply
