import Logging
import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// A Redis that may evict keys undoes revocations silently. The roles do not work on one, and say why.
@Suite struct RedisPolicyTests {
    @Test func onARedisThatEvictsNothingIsOpenedOrServed() throws {
        let record = LogRecorder()
        let options = RedisServer.Options(settings: ["maxmemory-policy": "allkeys-lru"])
        let fleet = try Fleet(validators: 1, redis: options, log: record.logger)
        // Once by each role.
        let isTold = poll {
            record.lines.all.count { $0.level == .critical && $0.error.contains("maxmemory-policy allkeys-lru") } == 2
        }
        #expect(isTold, "\(record.lines.all)")
        #expect(poll { (try? fleet.readiness(at: 0))?.contains("[-] redis: Redis may evict keys") ?? false })
        #expect(!fleet.issuer.isReady)

        // Nobody opens an epoch, not even for a revocation that somebody asks for; and without one there is no lease.
        #expect(try fleet.revoke("{\"sub\":\"alice\"}").status == .serviceUnavailable)
        #expect(try fleet.redis.cli("KEYS", "{quash}:*").isEmpty)
        let pair = try fleet.signIn()
        #expect(poll { (try? fleet.readiness(at: 0))?.contains("[+] keys ok") ?? false })
        #expect(try fleet.statuses(of: pair.access) == [503])

        // It is looked at again.
        try fleet.redis.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: pair.access) == [204])
    }

    @Test func aRedisThatBeginsToEvictIsNoticedAtTheNextConnection() throws {
        let record = LogRecorder()
        let fleet = try Fleet(validators: 1, settings: ["--lease", "60s"], log: record.logger)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        #expect(try fleet.statuses(of: pair.access) == [204])
        try fleet.redis.cli("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        try fleet.redis.cli("CLIENT", "KILL", "TYPE", "normal")
        // Not after the lease of a minute: at once.
        #expect(try fleet.allAnswer(503, for: pair.access))
        #expect(record.lines.all.contains { $0.level == .critical && $0.error.contains("volatile-ttl") })
        try fleet.redis.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
        #expect(try fleet.allAnswer(204, for: pair.access))
    }

    @Test func whatIsOnlyUnwiseIsWarnedOf() throws {
        let record = LogRecorder()
        let fleet = try Fleet(validators: 1, log: record.logger)
        try fleet.waitUntilReady()
        #expect(record.lines.all.contains { $0.level == .warning && $0.error.contains("append-only") })

        let quiet = LogRecorder()
        let durable = try Fleet(validators: 1, redis: Fleet.durableRedis, log: quiet.logger)
        try durable.waitUntilReady()
        #expect(!quiet.lines.all.contains { $0.error.contains("append-only") })
    }
}
