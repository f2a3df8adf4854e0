-- Stands before every script of the feed. INFO is the one way to learn of these things inside a script.
local replication = redis.call('INFO', 'replication')
-- One term of one master: new with each start of a process and with each promotion. `run_id` is not enough, for a
-- master may be demoted, lose what its replica did not have, and be promoted again as the same process.
local term = string.match(replication, 'master_replid:(%x+)')
-- The epoch that is there, as nonce, state, lease in ms and fence in s; or false.
--
-- An epoch is there while (1) the master that began it serves it, (2) each key of the feed still carries its nonce or
-- exists. So a restart, a failover, FLUSHALL and the loss of any one key all end it, and an issuer begins the next.
--
-- It is `restoring` until every issuer has replayed its outbox, and `open` from then on: only then is a lease granted.
local function current_epoch()
  local stored = redis.call('GET', '{quash}:epoch')
  if not stored then return false end
  local nonce, began, state, lease, fence = string.match(stored, '^(%x+) (%x+) (%a+) (%d+) (%d+)$')
  if not nonce or term ~= began then return false end
  if redis.call('HGET', '{quash}:nodes', 'epoch') ~= nonce then return false end
  if redis.call('HGET', '{quash}:live', 'epoch') ~= nonce then return false end
  if not redis.call('GET', '{quash}:seq') then return false end
  return nonce, state, tonumber(lease), tonumber(fence)
end
local nonce, state, lease, fence = current_epoch()
-- A master that no replica answers may have been replaced. Redis itself refuses writes then, but looks at it once a
-- second only, and a process that was stopped looks too late: so it is asked here how long ago each was heard.
local function refusal_by_fence(seconds)
  if seconds == 0 then return nil end
  for lag in string.gmatch(replication, 'state=online,offset=%d+,lag=(%d+)') do
    if tonumber(lag) <= seconds - 2 then return nil end
  end
  return redis.error_reply('NOREPLICAS no replica was heard for longer than the fence allows')
end
local refusal = refusal_by_fence(fence or 0)
if refusal then return refusal end
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
