-- The epoch that is there, as nonce, state and lease in ms; or false. Stands before every script of the feed.
--
-- An epoch is there while (1) the Redis process that began it serves it, (2) each key of the feed still carries its
-- nonce or exists. So a restart, a failover, FLUSHALL and the loss of any one key all end it, and only an issuer begins
-- the next. INFO is the one way to learn run_id inside a script.
--
-- It is `restoring` until every issuer has replayed its outbox, and `open` from then on: only then is a lease granted.
local function current_epoch()
  local stored = redis.call('GET', '{quash}:epoch')
  if not stored then return false end
  local nonce, run_id, state, lease = string.match(stored, '^(%x+) (%x+) (%a+) (%d+)$')
  if not nonce or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= run_id then return false end
  if redis.call('HGET', '{quash}:nodes', 'epoch') ~= nonce then return false end
  if redis.call('HGET', '{quash}:live', 'epoch') ~= nonce then return false end
  if not redis.call('GET', '{quash}:seq') then return false end
  return nonce, state, tonumber(lease)
end
-- Milliseconds since 1970.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- The registry as one string, because a reply's elements are limited and nodes may be many: a line
-- `applied granted lease version node` for each.
local function registry(key)
  local lines, fields = {}, redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if fields[i] ~= 'epoch' then lines[#lines + 1] = fields[i + 1] .. ' ' .. fields[i] end
  end
  return table.concat(lines, '\n')
end
-- Lua writes numbers from 1e14 on with an exponent.
local function decimal(number) return string.format('%.0f', number) end
