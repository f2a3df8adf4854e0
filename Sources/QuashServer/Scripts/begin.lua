-- begin(nonce, period seconds, chunk bytes, horizon in periods, retain seconds, lease ms, fence s, over): begins a new
-- epoch, unless one is there that is not `over`. Answers {state, nonce, 1 when it was begun now, lease ms, fence s};
-- state is 'restoring' or 'open'.
--
-- No lease is granted in it until every issuer has replayed its outbox, which is what `restored` is for.
-- The log starts anew, so every validator reads the whole live set once. The live set stays, for it only ever grows;
-- its directory is made from what is really there, so that a loss is neither hidden nor reported for ever.
if nonce and nonce ~= ARGV[8] then return {state, nonce, 0, lease, fence} end
local new_refusal = refusal_by_fence(tonumber(ARGV[7]))
if new_refusal then return new_refusal end
local began, period_seconds, chunk_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local directory = {}
local written = redis.call('HGETALL', '{quash}:live')
for i = 1, #written, 2 do directory[written[i]] = tonumber(written[i + 1]) end
redis.call('DEL', '{quash}:log', '{quash}:nodes', '{quash}:live', '{quash}:restored')
-- What expired a moment ago is kept by Redis, and is there to be read, for clocks that disagree.
local first = math.floor((clock() / 1000 - tonumber(ARGV[5])) / period_seconds)
for period = first, first + tonumber(ARGV[4]) do
  local name = '{quash}:live:' .. decimal(period) .. ':'
  local last = math.floor((directory[decimal(period)] or 0) / chunk_bytes)
  local total, chunk = 0, 0
  local bytes = redis.call('STRLEN', name .. 0)
  while bytes > 0 or chunk < last do
    if bytes > 0 then
      -- Behind a chunk that was lost the others move up, each to where its bytes begin by the new total: readers look
      -- no further than the chunk of the last byte, and writers append there.
      local target = math.floor(total / chunk_bytes)
      if target < chunk and redis.call('RENAMENX', name .. chunk, name .. target) == 0 then
        redis.call('APPEND', name .. target, redis.call('GET', name .. chunk))
        redis.call('DEL', name .. chunk)
      end
      total = total + bytes
    end
    chunk = chunk + 1
    bytes = redis.call('STRLEN', name .. chunk)
  end
  if total > 0 then redis.call('HSET', '{quash}:live', decimal(period), decimal(total)) end
end
redis.call('SET', '{quash}:seq', 0)
redis.call('HSET', '{quash}:live', 'epoch', began)
redis.call('HSET', '{quash}:nodes', 'epoch', began)
redis.call('SET', '{quash}:epoch', began .. ' ' .. term .. ' restoring ' .. ARGV[6] .. ' ' .. ARGV[7])
return {'restoring', began, 1, tonumber(ARGV[6]), tonumber(ARGV[7])}
