// The usual stack: each request's token is verified, and Redis is asked whether it was revoked. Commands of concurrent
// requests share one connection and are written together, as the clients for Redis do it.
'use strict'
const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')

const [port, keyFile, redisSocket] = process.argv.slice(2)
const key = crypto.createPublicKey(fs.readFileSync(keyFile))

const redis = net.connect(redisSocket)
const waiting = []
let first = 0
let queued = ''
let rest = ''

// Only EXISTS is asked, so every answer is one integer or an error, a line each.
redis.on('data', (data) => {
  const lines = (rest + data.toString('latin1')).split('\r\n')
  rest = lines.pop()
  for (const line of lines) {
    const answer = waiting[first]
    waiting[first++] = undefined
    answer(line[0] === ':' ? line === ':1' : null)
  }
  if (first > 1024) {
    waiting.splice(0, first)
    first = 0
  }
})
redis.on('close', () => process.exit(1))

function exists(name, answer) {
  const command = `*2\r\n$6\r\nEXISTS\r\n$${Buffer.byteLength(name)}\r\n${name}\r\n`
  if (queued === '') setImmediate(() => { redis.write(queued); queued = '' })
  queued += command
  waiting.push(answer)
}

function verify(token) {
  const parts = token.split('.')
  if (parts.length !== 3) return null
  try {
    if (JSON.parse(Buffer.from(parts[0], 'base64url')).alg !== 'RS256') return null
    const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')))
    if (!crypto.verify('sha256', signed, key, Buffer.from(parts[2], 'base64url'))) return null
    return JSON.parse(Buffer.from(parts[1], 'base64url'))
  } catch {
    return null
  }
}

function answer(response, status) {
  if (status === 204) response.writeHead(204)
  else response.writeHead(status, { 'Content-Length': 0 })
  response.end()
}

const server = http.createServer((request, response) => {
  const field = request.headers.authorization
  const claims = field !== undefined && field.startsWith('Bearer ') ? verify(field.slice(7)) : null
  if (claims === null || claims.exp * 1000 <= Date.now()) return answer(response, 401)
  exists(`revoked:${claims.jti}`, (isRevoked) => answer(response, isRevoked === null ? 503 : isRevoked ? 401 : 204))
})
server.keepAliveTimeout = 75000
server.listen(Number(port), '127.0.0.1')
