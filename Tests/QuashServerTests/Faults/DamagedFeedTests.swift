import Quash
import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// Somebody writes into the keys of the feed: nothing revoked comes back, and everybody recovers without a restart.
@Suite struct DamagedFeedTests {
    private let fleet: Fleet
    private let revoked: Fleet.Pair
    private let good: Fleet.Pair
    private let later: Fleet.Pair
    private let events: LogRecorder

    init() throws {
        events = LogRecorder()
        fleet = try Fleet(validators: 1, settings: Fleet.shortLease, log: events.logger)
        try fleet.waitUntilReady()
        revoked = try fleet.signIn("alice")
        good = try fleet.signIn("bob")
        later = try fleet.signIn("carol")
        #expect(try fleet.logout(revoked.access).status == .ok)
        #expect(try fleet.allAnswer(401, for: revoked.access))
    }

    private func isLogged(_ event: LoggedEvent) -> Bool {
        events.lines.all.contains { $0.message == event.text }
    }

    private func chunk() throws -> String {
        let names = try fleet.redis.cli("KEYS", "{quash}:live:*").split(separator: "\n")
        return String(try #require(names.first))
    }

    /// Everybody is well again, one that starts now too, and nobody forgot anything.
    private func expectRecovery(_ isEpochOver: Bool = true, from epoch: Epoch) throws {
        try fleet.addValidator()
        if isEpochOver {
            #expect(
                try poll(within: .seconds(20)) {
                    try fleet.registry().map { $0.head.epoch != epoch } ?? false
                })
            try fleet.waitUntilReady()
        }
        let position = try fleet.revokeUntilStored("{\"session\":\"\(later.session)\"}")
        try fleet.waitUntilReady()
        try fleet.waitUntilApplied(position)
        #expect(try fleet.statuses(of: later.access) == [401, 401])
        #expect(try fleet.statuses(of: revoked.access) == [401, 401])
        #expect(try fleet.allAnswer(204, for: good.access))
    }

    @Test(arguments: ["epoch", "seq", "log", "live", "nodes"])
    func aKeyOfAnotherTypeStopsNobody(name: String) throws {
        let epoch = try fleet.epoch()
        let replace = "redis.call('DEL', KEYS[1]) return redis.call('SADD', KEYS[1], 'x')"
        try fleet.redis.cli("EVAL", replace, "1", "{quash}:\(name)")
        // What only a commit finds, it finds when there is one.
        try expectRecovery(name != "log", from: epoch)
    }

    @Test func anEntryOfTheLogThatCannotBeReadStopsNobody() throws {
        let epoch = try fleet.epoch()
        let poison = """
            local head = redis.call('INCR', '{quash}:seq')
            return redis.call('XADD', '{quash}:log', head .. '-0', 'r', 'no revocation')
            """
        try fleet.redis.cli("EVAL", poison, "1", "{quash}:log")
        try expectRecovery(from: epoch)
        #expect(isLogged(.feedUnreadable) && isLogged(.epochDamaged))
    }

    @Test(arguments: [
        "redis.call('SETRANGE', KEYS[1], 0, 'no revocation')", "redis.call('APPEND', KEYS[1], 'abc')",
        "redis.call('SET', KEYS[1], string.sub(redis.call('GET', KEYS[1]), 1, 19))",
        "redis.call('DEL', KEYS[1]) redis.call('SADD', KEYS[1], 'x')",
    ])
    func aPartOfTheLiveSetThatCannotBeReadIsRestored(damage: String) throws {
        let epoch = try fleet.epoch()
        try fleet.redis.cli("EVAL", damage, "1", try chunk())
        try expectRecovery(from: epoch)
    }

    @Test(arguments: ["9007199254740992", "x", "-1"])
    func aDirectoryThatCannotBeReadIsMadeAnew(value: String) throws {
        let epoch = try fleet.epoch()
        let period = try #require(try chunk().split(separator: ":").dropLast().last)
        try fleet.redis.cli("HSET", "{quash}:live", String(period), value)
        try expectRecovery(from: epoch)
    }

    /// An issuer that may not write what a commit needs says so, and is not ready.
    @Test func anIssuerThatCannotCommitIsNotReady() throws {
        try fleet.redis.cli("ACL", "SETUSER", "default", "-xadd")
        let epoch = try fleet.epoch()
        for _ in 0..<3 { #expect(try fleet.revoke("{\"session\":\"\(later.session)\"}").status == .serviceUnavailable) }
        #expect(poll(within: .seconds(20)) { fleet.issuer.problems.contains { $0.contains("commits") } })
        #expect(!isLogged(.epochDamaged))
        #expect(try fleet.epoch() == epoch)
        try fleet.redis.cli("ACL", "SETUSER", "default", "+xadd")
        _ = try fleet.revokeUntilStored("{\"session\":\"\(later.session)\"}")
        try fleet.waitUntilReady()
        #expect(try fleet.epoch() == epoch)
    }
}
