import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// What stands in Redis: hashes of refresh identifiers, and nothing for ever.
@Suite struct SessionSecrecyTests {
    @Test func redisHoldsNoTokenAndNoIdentifierOfOne() throws {
        let fleet = try Fleet(validators: 1, redis: RedisServer.Options(settings: ["rdbcompression": "no"]))
        try fleet.waitUntilReady()
        // One session in each state: fresh, rotated, ended, and ended by reuse.
        let pairs = try (0..<4).map { _ in try fleet.signIn("alice") }
        let next = try (1..<4).map { try Fleet.tokens(fleet.refresh(pairs[$0].refresh)) }
        #expect(try fleet.logout(pairs[2].access).status == .ok)
        _ = try Fleet.tokens(fleet.refresh(next[2].refresh))
        #expect(try fleet.refresh(pairs[3].refresh).status == .badRequest)

        let data = try savedData(of: fleet.redis)
        // The search finds what is there.
        #expect(data.contains("quash:session:{\(pairs[0].session)}"))
        let tokens = pairs.flatMap { [$0.access, $0.refresh] } + next.flatMap { [$0.access, $0.refresh] }
        for token in tokens {
            let parts = token.split(separator: ".")
            #expect(!data.contains(String(parts[1])) && !data.contains(String(parts[2])))
            let identifier = try fleet.identifier(of: token)
            // `session.time.random`: the session is a key's name; the rest is for its bearer alone.
            #expect(!data.contains(String(identifier.suffix(20))))
        }
        try expectLifetimes(fleet)
    }

    /// Everything that Redis holds, as it writes it to disk.
    private func savedData(of redis: RedisServer) throws -> String {
        #expect(try redis.cli("SAVE") == "OK")
        return TemporaryFolder.read(redis.socketPath.replacing("redis.sock", with: "dump.rdb"))
    }

    /// Every key of sessions ends by itself.
    private func expectLifetimes(_ fleet: Fleet) throws {
        let keys = try fleet.redis.cli("KEYS", "quash:*").split(separator: "\n").map(String.init)
        #expect(keys.count == 5, "four sessions and a list: \(keys)")
        for key in keys {
            let seconds = try #require(Int(try fleet.redis.cli("TTL", key)))
            #expect((1...7 * 86_400).contains(seconds), "\(key): \(seconds)")
            #expect(key.hasPrefix("quash:session:{") || key.hasPrefix("quash:subject:{"))
        }
        // The ended ones are remembered as long as an access token lives, and the margin.
        let ended = try keys.filter { try fleet.redis.cli("HEXISTS", $0, "ended") == "1" }
        #expect(ended.count == 2)
        for key in ended { #expect(try #require(Int(try fleet.redis.cli("TTL", key))) <= 960) }
    }
}
