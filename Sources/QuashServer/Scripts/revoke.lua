-- revoke(epoch, request id, awaited, log length, chunk bytes, period seconds, retain seconds, issuer, record, period,
-- bytes, ...): commits one record. Answers {'stored', epoch, sequence, registry when awaited}, {'elsewhere', epoch},
-- {'recovering'}, or {'displaced'} when another start of the issuer is registered.
--
-- `issuer` is `<outbox> <start> <count>`: how many commits its outbox holds with this one.
--
-- While the epoch is restored it goes to the live set alone: nobody follows the log yet, and whoever will begins with
-- the live set.
--
-- The order matters. Everything is checked before the first write, which is the one to the log: it alone may still be
-- refused. PUBLISH comes last, because it takes effect at once and nothing undoes it.
if not nonce then return {'recovering'} end
if ARGV[1] ~= nonce then return {'elsewhere', nonce} end
local outbox, start, count = string.match(ARGV[8], '^(%x+) (%x+) (%d+)$')
local line = read('HGET', '{quash}:issuers', outbox) or ''
local known_start, known_count, name = string.match(line, '^(%x+) (%d+) (.+)$')
if known_start ~= start then return {'displaced'} end
local request = ARGV[2] ~= '' and '{quash}:request:' .. ARGV[2]
if request then
  -- A retry of something stored: the same answer, nothing is stored twice. What another epoch stored may be gone.
  local epoch, sequence = string.match(read('GET', request) or '', '^(%x+) (%d+)$')
  if epoch == nonce and (number(sequence) or head + 1) <= head then
    return {'stored', epoch, sequence, registry(KEYS[1])}
  end
end
local chunk_bytes, period_seconds, retain_seconds = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
-- Where bytes were lost none are added: they would make up for the lost ones, and whoever adds up what it reads would
-- find nothing missing. The epoch ends here, so that the outboxes bring back what was lost.
local written = {}
for i = 10, #ARGV, 2 do
  local name = '{quash}:live:' .. ARGV[i] .. ':'
  local total, bytes = number(read('HGET', '{quash}:live', ARGV[i]) or '0'), 0
  local last = total and math.floor(total / chunk_bytes)
  if not total or last >= most_chunks then return end_epoch('unreadable') end
  most_chunks = most_chunks - last - 1
  for chunk = 0, last do
    local length = chunk_length(name .. chunk)
    if not length then return end_epoch('unreadable') end
    bytes = bytes + length
  end
  if bytes < total and (tonumber(ARGV[i]) + 1) * period_seconds + retain_seconds > clock() / 1000 then
    return end_epoch('lost')
  end
  written[i] = total
end
local record, sequence = ARGV[9], decimal(head + 1)
if state == 'open' then
  local added = redis.pcall('XADD', '{quash}:log', 'MAXLEN', '~', ARGV[4], sequence .. '-0', 'r', record)
  if type(added) == 'table' and added.err then
    -- The log is no log, or goes on behind the head. A right that is missing, for one, is no damage.
    if string.find(added.err, '^WRONGTYPE') or string.find(added.err, 'ID specified') then
      return end_epoch('unreadable')
    end
    return added
  end
end
redis.call('SET', '{quash}:seq', sequence)
for i = 10, #ARGV, 2 do
  local period, bytes = ARGV[i], ARGV[i + 1]
  local chunk = math.floor(written[i] / chunk_bytes)
  local key = '{quash}:live:' .. period .. ':' .. chunk
  redis.call('HSET', '{quash}:live', period, decimal(written[i] + #bytes))
  if redis.call('APPEND', key, bytes) == #bytes then
    redis.call('EXPIREAT', key, (tonumber(period) + 1) * period_seconds + retain_seconds)
  end
  if written[i] == 0 then
    -- A new period: let the names of those go whose keys have expired.
    local now = clock() / 1000
    for _, name in ipairs(redis.call('HKEYS', '{quash}:live')) do
      local old = tonumber(name)
      if old and (old + 1) * period_seconds + retain_seconds < now then redis.call('HDEL', '{quash}:live', name) end
    end
  end
end
if tonumber(count) > tonumber(known_count) then
  redis.call('HSET', '{quash}:issuers', outbox, start .. ' ' .. count .. ' ' .. name)
end
if request then redis.call('SET', request, nonce .. ' ' .. sequence, 'EX', retain_seconds) end
if state ~= 'open' then return {'stored', nonce, sequence, ''} end
local awaiting = ARGV[3] == '1' and redis.call('HLEN', KEYS[1]) - 1 or 0
local time = redis.call('TIME')
local committed = decimal(time[1] * 1000000 + time[2])
redis.call('PUBLISH', '{quash}:feed', table.concat({nonce, sequence, awaiting, committed, record}, ' '))
return {'stored', nonce, sequence, awaiting > 0 and registry(KEYS[1]) or ''}
