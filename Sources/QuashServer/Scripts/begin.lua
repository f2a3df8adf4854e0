-- begin(nonce, period seconds, chunk bytes, horizon in periods, retain seconds, lease ms, fence s, over, 1 when it may
-- follow damage, unreadable periods): begins a new epoch, unless one is there that is not `over`. Answers
-- {state, nonce, 1 when it was begun now, lease ms, fence s, why the last one ended if its data was damaged}; state is
-- 'restoring' or 'open'. Or {'damaged', why}, when the caller does not say that it has waited for as long as it must.
--
-- No lease is granted in it until every issuer has replayed its outbox, which is what `restored` is for.
-- The log starts anew, so every validator reads the whole live set once. The live set stays, for it only ever grows;
-- its directory is made from what is really there, so that a loss is neither hidden nor reported for ever. Only periods
-- in which an issuer met bytes that are no revocations (names with a comma between two) are deleted: who began an epoch
-- replays its outbox, so what they held comes back, as after any loss.
if nonce and nonce ~= ARGV[8] then return {state, nonce, 0, lease, fence, ''} end
local new_refusal = refusal_by_fence(tonumber(ARGV[7]))
if new_refusal then return new_refusal end
local cause = not read('HGET', KEYS[1], 'epoch') and string.match(read('HGET', KEYS[1], 'damaged') or '', '^%l+$')
-- A validator may write there, and no answer is as long as it likes.
if cause and #cause > 16 then cause = 'unreadable' end
if cause and ARGV[9] ~= '1' then return {'damaged', cause} end
local began, period_seconds, chunk_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local unreadable = {}
for period in string.gmatch(ARGV[10], '%d+') do unreadable[period] = true end
-- What expired a moment ago is kept by Redis, and is there to be read, for clocks that disagree.
local first = math.floor((clock() / 1000 - tonumber(ARGV[5])) / period_seconds)
local directory = {}
for period = first, first + tonumber(ARGV[4]) do
  directory[period] = number(read('HGET', '{quash}:live', decimal(period)))
end
redis.call('DEL', '{quash}:log', '{quash}:nodes', '{quash}:live', '{quash}:restored')
for period = first, first + tonumber(ARGV[4]) do
  local name = '{quash}:live:' .. decimal(period) .. ':'
  local last = math.floor((directory[period] or 0) / chunk_bytes)
  -- No script wrote so many: then what is there is looked at up to the first chunk that is not.
  if last >= most_chunks then last = 0 end
  local total, chunk = 0, 0
  repeat
    most_chunks = most_chunks - 1
    local bytes = chunk_length(name .. chunk)
    if not bytes or unreadable[decimal(period)] then
      -- A chunk that is none, or a part of a period that cannot be read.
      redis.call('DEL', name .. chunk)
      last = math.max(last, bytes ~= 0 and chunk + 1 or 0)
    elseif bytes > 0 then
      -- Behind a chunk that was lost the others move up, each to where its bytes begin by the new total: readers look
      -- no further than the chunk of the last byte, and writers append there.
      local target = math.floor(total / chunk_bytes)
      if target < chunk and redis.call('RENAMENX', name .. chunk, name .. target) == 0 then
        redis.call('APPEND', name .. target, redis.call('GET', name .. chunk))
        redis.call('DEL', name .. chunk)
      end
      total = total + bytes
      last = math.max(last, chunk + 1)
    end
    chunk = chunk + 1
  until chunk > last or most_chunks == 0
  if total > 0 then redis.call('HSET', '{quash}:live', decimal(period), decimal(total)) end
  if most_chunks == 0 then break end
end
redis.call('SET', '{quash}:seq', 0)
redis.call('HSET', '{quash}:live', 'epoch', began)
redis.call('HSET', '{quash}:nodes', 'epoch', began)
redis.call('SET', '{quash}:epoch', began .. ' ' .. term .. ' restoring ' .. ARGV[6] .. ' ' .. ARGV[7])
return {'restoring', began, 1, tonumber(ARGV[6]), tonumber(ARGV[7]), cause or ''}
