// A gateway in Node: RS256 with its own crypto, verified tokens remembered, revocations in a Set. What it saves is the
// verification; the expiry and the Set are looked at for each request.
'use strict'
const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')

const [port, keyFile, revokedFile] = process.argv.slice(2)
const key = crypto.createPublicKey(fs.readFileSync(keyFile))
const revoked = new Set(fs.readFileSync(revokedFile, 'utf8').split('\n').filter(Boolean))
const maxTokens = 100000
const verified = new Map()

function verify(token) {
  const known = verified.get(token)
  if (known !== undefined) return known
  const parts = token.split('.')
  if (parts.length !== 3) return null
  let claims
  try {
    if (JSON.parse(Buffer.from(parts[0], 'base64url')).alg !== 'RS256') return null
    const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')))
    if (!crypto.verify('sha256', signed, key, Buffer.from(parts[2], 'base64url'))) return null
    claims = JSON.parse(Buffer.from(parts[1], 'base64url'))
  } catch {
    return null
  }
  // The oldest goes first: a Map keeps the order of insertion.
  if (verified.size >= maxTokens) verified.delete(verified.keys().next().value)
  verified.set(token, claims)
  return claims
}

const server = http.createServer((request, response) => {
  const field = request.headers.authorization
  const claims = field !== undefined && field.startsWith('Bearer ') ? verify(field.slice(7)) : null
  const isGood = claims !== null && claims.exp * 1000 > Date.now() && !revoked.has(claims.jti)
  if (isGood) response.writeHead(204)
  else response.writeHead(401, { 'Content-Length': 0 })
  response.end()
})
server.keepAliveTimeout = 75000
server.listen(Number(port), '127.0.0.1')
