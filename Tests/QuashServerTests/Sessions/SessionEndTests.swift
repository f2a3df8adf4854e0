import Quash
import QuashHTTP
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// Ending sessions: one, all of a subject, the oldest of too many.
@Suite struct SessionEndTests {
    @Test func logoutEverywhereEndsEverySessionOfTheSubjectAlone() throws {
        let fleet = try Fleet(validators: 2)
        try fleet.waitUntilReady()
        let pairs = try (0..<3).map { _ in try fleet.signIn("alice") }
        let rotated = try Fleet.tokens(fleet.refresh(pairs[2].refresh))
        let other = try fleet.signIn("bob")
        #expect(try fleet.logout(pairs[0].access, body: "everywhere=true").status == .ok)
        for access in pairs.map(\.access) + [rotated.access] { #expect(try fleet.allAnswer(401, for: access)) }
        for refresh in pairs.map(\.refresh) + [rotated.refresh] {
            #expect(try fleet.refresh(refresh).isInvalidGrant)
        }
        #expect(try fleet.sessions(of: "alice").isEmpty)
        #expect(try fleet.statuses(of: other.access) == [204, 204])
        #expect(try fleet.refresh(other.refresh).status == .ok)
    }

    /// Forgotten sooner, it would let in again what it revoked.
    @Test func S2_aRevocationIsRememberedForAsLongAsItsTokensMayLive() throws {
        let fleet = try Fleet(validators: 0, issuerSettings: ["--access-ttl", "10m"])
        try fleet.waitUntilReady()
        let begun = ClockReading.now().wall.seconds
        let pair = try fleet.signIn("alice")
        #expect(try fleet.logout(pair.access).status == .ok)
        #expect(try fleet.revoke("{\"jti\":\"of another issuer\"}").status == .created)
        let log = try RedisCaller(fleet.redis).call("XRANGE", "{quash}:log", "-", "+").elements ?? []
        let revocations = try log.flatMap { try RevocationCodec.decode($0.elements?[1].elements?[1].bytes ?? []) }
        #expect(revocations.map(\.key.kind) == [.session, .token])
        let lifetimes = revocations.map { Int64($0.expiresAtSeconds) - begun }
        #expect(lifetimes[0] >= 600)
        #expect(lifetimes[1] >= Retention.longestLifetime.components.seconds)
    }

    @Test func everySubjectOfAListIsEndedBySessions() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pairs = try ["alice", "bob", "carol"].map { try fleet.signIn($0) }
        #expect(try fleet.revoke("{\"sub\":[\"alice\",\"bob\"]}").status == .created)
        for name in ["alice", "bob"] { #expect(try fleet.sessions(of: name).isEmpty) }
        for pair in pairs.prefix(2) {
            #expect(try fleet.refresh(pair.refresh).isInvalidGrant)
            #expect(try fleet.allAnswer(401, for: pair.access))
        }
        #expect(try fleet.refresh(pairs[2].refresh).status == .ok)
    }

    /// A subject that signs in for years and never logs out.
    @Test func whatHasExpiredLeavesTheListOfItsSubject() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let first = try fleet.signIn("alice")
        let key = try fleet.redis.cli("KEYS", "quash:subject:*")
        let (caller, now) = (try RedisCaller(fleet.redis), ClockReading.now().wall.milliseconds)
        for number in 0..<5000 { try caller.call("ZADD", key, "\(now - 1)", "expired-\(number)") }
        let second = try fleet.signIn("alice")
        #expect(try fleet.redis.cli("ZCARD", key) == "2")
        #expect(Set(try fleet.sessions(of: "alice")) == [first.session, second.session])
    }

    /// Each time in the next millisecond, or in the same one.
    @Test(arguments: ["logout", "subject", "subjects", "all"])
    func aSignInDirectlyAfterwardsIsGood(way: String) throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        var pair = try fleet.signIn("alice")
        for _ in 0..<10 {
            let response =
                switch way {
                case "logout": try fleet.logout(pair.access, body: "everywhere=true")
                case "subject": try fleet.revoke("{\"sub\":\"alice\"}")
                case "subjects": try fleet.revoke("{\"sub\":[\"alice\",\"bob\"]}")
                default: try fleet.revoke("{\"all\":true}")
                }
            #expect(response.status == .ok || response.status == .created)
            let next = try fleet.signIn("alice")
            #expect(try fleet.allAnswer(401, for: pair.access))
            #expect(try fleet.statuses(of: next.access) == [204])
            pair = next
        }
        #expect(try fleet.refresh(pair.refresh).status == .ok)
    }

    @Test func theHundredAndFirstSessionEndsTheOldest() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pairs = try (0...SessionStore.maxSessionsPerSubject).map { _ in try fleet.signIn("alice") }
        #expect(try fleet.allAnswer(401, for: pairs[0].access))
        #expect(try fleet.refresh(pairs[0].refresh).isInvalidGrant)
        #expect(try fleet.sessions(of: "alice").sorted() == pairs.dropFirst().map(\.session).sorted())
        #expect(try fleet.statuses(of: pairs[1].access) == [204])
        #expect(try fleet.refresh(pairs[1].refresh).status == .ok)
    }

    /// The list lives as long as the longest of its sessions, or «everywhere» would miss one.
    @Test func refreshingKeepsTheListOfSessionsAlive() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn("alice")
        let list = try fleet.redis.cli("KEYS", "quash:subject:*")
        // Most of the seven days pass.
        try fleet.redis.cli("EXPIRE", list, "60")
        #expect(try fleet.refresh(pair.refresh).status == .ok)
        let key = "quash:session:{\(pair.session)}"
        let isKept = try poll {
            let ends = try [list, key].map { Int(try fleet.redis.cli("EXPIRETIME", $0)) ?? 0 }
            return ends[0] >= ends[1]
        }
        #expect(isKept)
    }
}
