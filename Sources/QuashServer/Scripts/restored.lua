-- restored(epoch, issuer, needed, excused, bound): says that this issuer has replayed all of its outbox into the epoch.
-- `needed` and `excused` are names of issuers with a comma between two. One that is needed may be `<name>#<outbox>`:
-- then only that outbox counts, which says so with `bound`. Answers {'open'}, {'waiting', names}, {'elsewhere', epoch}
-- or {'recovering'}.
--
-- A revocation that was answered is in the outbox of the issuer that took it. So the epoch opens once every issuer that
-- any of them needs has said this, or was excused by an operator: then every one of them is in the live set, and a
-- lease may be granted.
if not nonce then return {'recovering'} end
if ARGV[1] ~= nonce then return {'elsewhere', nonce} end
if state == 'open' then return {'open'} end
-- Of another type it says nothing. Who has said something waits, and says it again.
if not read('HLEN', '{quash}:restored') then redis.call('DEL', '{quash}:restored') end
redis.call('HSET', '{quash}:restored', ARGV[2], ARGV[3])
if ARGV[5] ~= '' then redis.call('HSET', '{quash}:restored', ARGV[5], '') end
for name in string.gmatch(ARGV[4], '[^,]+') do redis.call('HSET', '{quash}:restored', '!' .. name, '') end
local fields, stated = redis.call('HGETALL', '{quash}:restored'), {}
for i = 1, #fields, 2 do stated[fields[i]] = fields[i + 1] end
local missing, names = {}, {}
for _, needed in pairs(stated) do
  for name in string.gmatch(needed, '[^,]+') do
    local issuer = string.match(name, '^[^#]+')
    if not stated[name] and not stated['!' .. issuer] then missing[issuer] = true end
  end
end
for name in pairs(missing) do names[#names + 1] = name end
if #names > 0 then
  table.sort(names)
  return {'waiting', table.concat(names, ',')}
end
redis.call('SET', '{quash}:epoch', nonce .. ' ' .. term .. ' open ' .. decimal(lease) .. ' ' .. decimal(fence))
redis.call('DEL', '{quash}:restored')
return {'open'}
