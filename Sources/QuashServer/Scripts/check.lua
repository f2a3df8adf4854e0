-- The open epoch, or false. Stands before every script of the feed.
--
-- An epoch is open while (1) the Redis process that opened it serves it, (2) each key of the feed still carries its
-- nonce or exists. So a restart, a failover, FLUSHALL and the loss of any one key all end it, and only an issuer opens
-- the next. INFO is the one way to learn run_id inside a script.
local function open_epoch()
  local stored = redis.call('GET', '{quash}:epoch')
  if not stored then return false end
  local nonce, run_id = string.match(stored, '^(%x+) (%x+)$')
  if not nonce or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= run_id then return false end
  if redis.call('HGET', '{quash}:nodes', 'epoch') ~= nonce then return false end
  if redis.call('HGET', '{quash}:live', 'epoch') ~= nonce then return false end
  if not redis.call('GET', '{quash}:seq') then return false end
  return nonce
end
-- Milliseconds since 1970.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- The registry's nodes, each as {node, entry}, without those whose leases ended longer than `grace` ms ago: these go.
local function living_nodes(registry, grace)
  local now, nodes = clock(), {}
  local fields = redis.call('HGETALL', registry)
  for i = 1, #fields, 2 do
    local granted, lease = string.match(fields[i + 1], '^%d+ (%d+) (%d+)')
    if granted and granted + lease + grace > now then
      nodes[#nodes + 1] = {fields[i], fields[i + 1]}
    elseif fields[i] ~= 'epoch' then
      redis.call('HDEL', registry, fields[i])
    end
  end
  return nodes
end
-- Lua writes numbers from 1e14 on with an exponent.
local function decimal(number) return string.format('%.0f', number) end
