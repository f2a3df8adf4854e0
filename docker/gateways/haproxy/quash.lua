-- Asks a validator about a request, and leaves what it answers in variables, for haproxy.cfg to act on: quash_status,
-- quash_challenge, and one for each identity field. Where there is no answer, quash_status is not set.

-- Scopes that every token must grant are asked for behind it: ?scope=read+write
local url = "http://127.0.0.1/authz/forward-auth"
local validators = "abns@quash-validators"
local identity = { "subject", "session", "jti", "expires", "scope" }

-- The values of a field of the request, which HAProxy counts from 0.
local function values(fields, name)
    local list = {}
    for index, value in pairs(fields[name] or {}) do list[index + 1] = value end
    return list
end

local function ask(txn)
    -- All of them: whether several can be judged is the validator's to say.
    local authorization = values(txn.http:req_get_headers(), "authorization")
    local headers = {}
    if #authorization > 0 then headers["authorization"] = authorization end
    local answer = core.httpclient():get{ url = url, dst = validators, headers = headers, timeout = 5000 }
    local function first(name) return (answer.headers[name] or {})[0] or "" end
    -- An acceptance says until when it holds. Whatever else answers 200 there is no validator.
    if answer.status == 200 and first("x-auth-expires") == "" then return end
    if answer.status == 200 then
        for _, name in ipairs(identity) do txn:set_var("txn.quash_" .. name, first("x-auth-" .. name)) end
    else
        txn:set_var("txn.quash_challenge", first("www-authenticate"))
    end
    -- Last: an error before this leaves the request refused.
    txn:set_var("txn.quash_status", answer.status)
end

core.register_action("quash", { "http-req" }, ask)
