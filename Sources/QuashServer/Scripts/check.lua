-- Stands before every script of the feed. INFO is the one way to learn of these things inside a script.
local replication = redis.call('INFO', 'replication')
-- One term of one master: new with each start of a process and with each promotion. `run_id` is not enough, for a
-- master may be demoted, lose what its replica did not have, and be promoted again as the same process.
local term = string.match(replication, 'master_replid:(%x+)')
-- The reply to a command that only reads; nil when a key is of another type than the scripts make it. That is damage,
-- and no less than an absent key. Any other error is the caller's: a right that is missing says nothing of the data.
local function read(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.sub(reply.err, 1, 9) == 'WRONGTYPE' then return nil end
  error(reply)
end
-- A number as the scripts write it, in 1 to 16 digits and exact in Lua, which it is below 2^53; otherwise nil.
local function number(text)
  local digits = text and string.match(text, '^%d+$')
  if not digits or #digits > 16 or #digits > 1 and string.sub(digits, 1, 1) == '0' then return nil end
  local value = tonumber(digits)
  return value < 9007199254740992 and value or nil
end
-- The epoch that is there, as nonce, state, lease in ms, fence in s and head of the feed; or false.
--
-- An epoch is there while (1) the master that began it serves it, (2) each key of the feed still carries its nonce or
-- exists. So a restart, a failover, FLUSHALL and the loss of any one key all end it, and an issuer begins the next. A
-- key that holds what no script writes ends it as an absent one does: an error would be met again and again.
--
-- It is `restoring` until every issuer has replayed its outbox, and `open` from then on: only then is a lease granted.
local function current_epoch()
  local nonce, began, state, lease, fence =
    string.match(read('GET', '{quash}:epoch') or '', '^([0-9a-f]+) (%x+) (%a+) (%d+) (%d+)$')
  if not nonce or #nonce ~= 16 or term ~= began then return false end
  if state ~= 'open' and state ~= 'restoring' then return false end
  lease, fence = number(lease), number(fence)
  if not lease or lease >= 4294967296 or not fence or fence > 3600 then return false end
  if read('HGET', '{quash}:nodes', 'epoch') ~= nonce then return false end
  if read('HGET', '{quash}:live', 'epoch') ~= nonce then return false end
  local head = number(read('GET', '{quash}:seq'))
  if not head then return false end
  return nonce, state, lease, fence, head
end
local nonce, state, lease, fence, head = current_epoch()
-- Ends the epoch, because its data is damaged: an issuer begins the next, and learns why. Of many that find the same
-- damage only the first ends an epoch, for what they say names the epoch that they found it in.
local function end_epoch(cause)
  redis.call('HDEL', KEYS[1], 'epoch')
  redis.call('HSET', KEYS[1], 'damaged', cause)
  return {'recovering'}
end
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
-- `applied granted lease version node` for each. None is that long: of one that is, the rest is no matter.
local function registry(key)
  local lines, fields = {}, redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if fields[i] ~= 'epoch' and fields[i] ~= 'damaged' then
      lines[#lines + 1] = string.sub(fields[i + 1] .. ' ' .. fields[i], 1, 512)
    end
  end
  return table.concat(lines, '\n')
end
-- The layout of what is stored: a node that does not read it must not go on.
local layout = number(read('GET', '{quash}:layout')) or 1
-- Lua writes numbers from 1e14 on with an exponent.
local function decimal(number) return string.format('%.0f', number) end
-- Chunks of the live set that one call looks at, at most: 64 GiB. And the longest chunk that is believed to be one, far
-- below the 512 MiB at which Redis refuses to append.
local most_chunks, longest_chunk = 65536, 268435456
-- How many bytes a chunk has; nil when it is none.
local function chunk_length(name)
  local bytes = read('STRLEN', name)
  return bytes and bytes <= longest_chunk and bytes or nil
end
