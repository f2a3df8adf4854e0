-- What nginx.conf asks about each request.

local cjson = require("cjson.safe")
local digest = require("openssl.digest")
local lrucache = require("resty.lrucache")
local pkey = require("openssl.pkey")

local gate = {}
local verified = lrucache.new(100000)
local key

function gate.start(key_file, revoked_file)
    local file = assert(io.open(key_file))
    key = pkey.new(file:read("*a"))
    file:close()
    for id in io.lines(revoked_file) do ngx.shared.revoked:set(id, true) end
end

local function decode(text)
    text = text:gsub("-", "+"):gsub("_", "/")
    return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

local function verify(token)
    local known = verified:get(token)
    if known then return known end
    local head, payload, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
    if not head then return nil end
    local header = cjson.decode(decode(head) or "")
    if type(header) ~= "table" or header.alg ~= "RS256" then return nil end
    local hash = digest.new("sha256")
    hash:update(head .. "." .. payload)
    if not key:verify(decode(signature) or "", hash) then return nil end
    local claims = cjson.decode(decode(payload) or "")
    if type(claims) ~= "table" then return nil end
    verified:set(token, claims)
    return claims
end

function gate.check()
    local field = ngx.var.http_authorization
    local token = field and field:sub(1, 7) == "Bearer " and field:sub(8)
    local claims = token and verify(token)
    if not claims or claims.exp <= ngx.time() or ngx.shared.revoked:get(claims.jti) then return ngx.exit(401) end
end

return gate
