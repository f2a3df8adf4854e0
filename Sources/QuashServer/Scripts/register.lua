-- register(name, outbox, start, known starts, count, replaced, newest layout, known layout): binds the name of an
-- issuer to its outbox. Answers {'registered', layout}, {'newer', layout} when the feed's layout is newer than the
-- newest that the issuer reads, {'taken', outbox} when the name is bound to another outbox that is not `replaced`,
-- {'copied'} when a start is registered that is not among the `known starts` (with spaces between, and one at each
-- end), unless `replaced` is the outbox itself, or {'behind', count} when fewer commits are known to the issuer than
-- here.
--
-- `{quash}:issuers` has a line `<start> <count> <name>` for each outbox. It belongs to no epoch: an issuer stays who it
-- is when data is lost.
local issuers = '{quash}:issuers'
local name, outbox, start, count, replaced = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5]), ARGV[6]
if layout > tonumber(ARGV[7]) then return {'newer', layout} end
local lines = read('HGETALL', issuers)
if not lines then
  redis.call('DEL', issuers)
  lines = {}
end
local own
for i = 1, #lines, 2 do
  local line_start, line_count, line_name = string.match(lines[i + 1], '^(%x+) (%d+) (.+)$')
  if #lines[i] ~= 16 or string.find(lines[i], '[^0-9a-f]') or not line_name then
    redis.call('HDEL', issuers, lines[i])
  elseif lines[i] == outbox then
    own = {line_start, line_count}
  elseif line_name == name and lines[i] ~= replaced then
    return {'taken', lines[i]}
  end
end
if own and own[1] then
  if replaced ~= outbox and not string.find(ARGV[4], ' ' .. own[1] .. ' ', 1, true) then return {'copied'} end
  if #own[2] < 16 and tonumber(own[2]) > count then return {'behind', own[2]} end
end
if replaced ~= '' and replaced ~= outbox then redis.call('HDEL', issuers, replaced) end
redis.call('HSET', issuers, outbox, start .. ' ' .. decimal(count) .. ' ' .. name)
-- The layout is the feed's until no data of it is left: an issuer that knows of a newer one than Redis does says so.
if tonumber(ARGV[8]) > layout then
  layout = tonumber(ARGV[8])
  redis.call('SET', '{quash}:layout', layout)
end
return {'registered', layout}
