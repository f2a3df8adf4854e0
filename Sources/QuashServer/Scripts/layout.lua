-- layout(newest): begins the layout `newest` of the feed if every node of the registry reads it. Answers
-- {'layout', layout}, the one that the feed has then, or {'recovering'}.
--
-- A node states what it reads behind its version: `<version>,<entries>,<decisions>,<layout>`. The first version of this
-- program states nothing.
if state ~= 'open' then return {'recovering'} end
local newest = tonumber(ARGV[1])
if layout >= newest then return {'layout', layout} end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local stated = string.match(fields[i + 1], '^%d+ %d+ %d+ [^,]*,[^,]*,[^,]*,(%d+)$')
  if fields[i] ~= 'epoch' and (number(stated) or 1) < newest then return {'layout', layout} end
end
redis.call('SET', '{quash}:layout', newest)
return {'layout', newest}
