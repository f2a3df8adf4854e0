import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// What issuers keep of a feed on which not every entry carries a seal.
@Suite struct FeedSealTests {
    private static func secret(_ name: String, in folder: TemporaryFolder) throws -> String {
        let path = folder.path(name)
        try SecretFile.create(path: path, contents: Array("\(name)-0123456789abcdef0123456789abcdef".utf8))
        return path
    }

    private static func waitsForOther(_ fleet: Fleet) throws -> Bool {
        try poll(within: .seconds(20)) {
            let json = try fleet.admin(.get, "/admin/v1/recovery").json
            return json?["waiting_for"]?.array?.compactMap(\.string) == ["other"]
        }
    }

    /// `other` confirms a revocation and is gone for good, and so is the data of Redis: the outbox of `issuer` has it.
    private static func isRefusedAfterOtherIsGone(_ fleet: Fleet) throws -> Bool {
        let pair = try fleet.signIn("alice")
        let response = try fleet.revoke("{\"session\":\"\(pair.session)\",\"wait\":\"confirmed\"}", at: 1)
        #expect(response.status == .created)
        fleet.removeIssuer()
        fleet.removeValidator()
        try fleet.redis.cli("FLUSHALL")
        #expect(try waitsForOther(fleet))
        #expect(try fleet.admin(.post, "/admin/v1/recovery", "{\"without\":[\"other\"]}").status == .accepted)
        try fleet.addValidator()
        try fleet.waitUntilReady()
        return try fleet.statuses(of: pair.access) == [401]
    }

    /// A node of the first version keeps the feed in the first layout, which has no seals.
    @Test func S2_confirmedInTheFirstLayoutSurvivesTheIssuerThatTookIt() throws {
        let folder = try TemporaryFolder()
        let path = try Self.secret("secret", in: folder)
        let fleet = try Fleet(
            validators: 1, settings: Fleet.shortLease,
            issuerSettings: ["--issuers", "issuer,other", "--feed-secret-file", path])
        #expect(try Self.waitsForOther(fleet))
        let now = ClockReading.now().wall.milliseconds
        try fleet.redis.cli("HSET", "{quash}:nodes", "old/1", "999999 \(now) 60000 0.1.0")
        try fleet.addIssuer("other")
        try fleet.waitUntilReady()
        #expect(try fleet.redis.cli("GET", "{quash}:layout") != "2")
        #expect(try Self.isRefusedAfterOtherIsGone(fleet))
    }

    /// One issuer has the new secret already, which the other does not know.
    @Test func S2_confirmedWhileTheSecretIsChangedSurvivesTheIssuerThatTookIt() throws {
        let folder = try TemporaryFolder()
        let (old, new) = (try Self.secret("old", in: folder), try Self.secret("new", in: folder))
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease, issuerSettings: ["--issuers", "issuer,other"])
        fleet.removeIssuer()
        try fleet.addIssuer("issuer", ["--feed-secret-file", old])
        try fleet.addIssuer("other", ["--feed-secret-file", new, "--feed-previous-secret-file", old])
        // The validator fetches keys where the first issuer was.
        fleet.removeValidator()
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try poll(within: .seconds(20)) { try fleet.redis.cli("GET", "{quash}:layout") == "2" })
        #expect(try Self.isRefusedAfterOtherIsGone(fleet))
    }

    /// An outbox that lost a record has not got it back from a feed of which the issuer dropped entries.
    @Test(arguments: [UnsealedEntries.keep, .drop])
    func S5_whatWasDroppedDoesNotCountAsRestored(unsealed: UnsealedEntries) throws {
        let folder = try TemporaryFolder()
        let path = try Self.secret("secret", in: folder)
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let (pair, other) = (try fleet.signIn("alice"), try fleet.signIn("bob"))
        #expect(try fleet.revoke("{\"session\":\"\(pair.session)\",\"wait\":\"confirmed\"}").status == .created)
        fleet.removeIssuer()
        let file = fleet.folder.path("outbox-issuer")
        var bytes = try PlainFile.read(path: file, maxBytes: 1 << 20)
        bytes[bytes.count - 60] ^= 1
        try fleet.folder.write("outbox-issuer", bytes: bytes)
        let log = LogRecorder()
        let flags = ["--feed-secret-file", path, "--feed-unsealed", unsealed.rawValue]
        try fleet.addIssuer("issuer", flags, log: log.logger)
        #expect(poll { log.lines.all.contains { $0.message == LoggedEvent.feedUnsealed.text } })
        #expect(poll { fleet.validators[0].isReady })
        let isRestored = unsealed == .keep
        if isRestored { #expect(poll { log.lines.all.contains { $0.message == LoggedEvent.outboxRestored.text } }) }
        try fleet.redis.cli("FLUSHALL")
        if isRestored {
            try fleet.waitUntilReady()
            #expect(try fleet.statuses(of: pair.access) == [401])
        } else {
            #expect(
                try poll(within: .seconds(20)) {
                    let json = try fleet.admin(.get, "/admin/v1/recovery").json
                    return json?["waiting_for"]?.array?.compactMap(\.string).isEmpty == false
                }, "an operator decides")
            #expect(!log.lines.all.contains { $0.message == LoggedEvent.outboxRestored.text })
            #expect(try fleet.allAnswer(503, for: other.access))
        }
    }

    /// Somebody writes a revocation of everybody into Redis. Validators apply it, and it is gone with that Redis.
    @Test func S2_whatNoIssuerWroteIsGoneWithItsRedis() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("secret")
        try SecretFile.create(path: path, contents: Array("0123456789abcdef0123456789abcdef".utf8))
        let fleet = try Fleet(
            validators: 1, settings: Fleet.shortLease,
            issuerSettings: ["--feed-secret-file", path, "--feed-unsealed", "drop"])
        try fleet.waitUntilReady()
        #expect(try poll(within: .seconds(20)) { try fleet.redis.cli("GET", "{quash}:layout") == "2" })
        let (alice, bob) = (try fleet.signIn("alice"), try fleet.signIn("bob"))
        #expect(try fleet.logout(alice.access, body: "wait=confirmed").status == .ok)
        let script = try ScriptCaller(of: fleet.redis)
        let forger = IssuerIdentity(name: "forger", outbox: ScriptCaller.outbox(9), start: ScriptCaller.start(9))
        #expect(try script.register(forger) == .registered(.second))
        let forged = Revocation(
            key: .subject("bob"), issuedBefore: WallInstant(milliseconds: 4_000_000_000_000),
            expiresAtSeconds: UInt32(ClockReading.now().wall.seconds) + 900)
        let arguments = FeedScript.revokeArguments(
            FeedWriter.Commit(revocations: [forged]), to: try fleet.epoch(), by: forger, count: 1)
        guard case .stored = try RevokeReply(script.caller.eval(FeedScript.revoke, arguments)) else {
            throw TestSupportError("not stored")
        }
        #expect(try fleet.allAnswer(401, for: bob.access), "a validator cannot tell")
        #expect(
            try poll {
                try fleet.web.call(.get, "\(fleet.adminURL)/metrics").text.contains("\nquash_feed_unsealed_total 1\n")
            })
        fleet.removeIssuer()
        fleet.removeValidator()
        try fleet.redis.cli("FLUSHALL")
        try fleet.addIssuer("issuer")
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.allAnswer(204, for: bob.access))
        #expect(try fleet.allAnswer(401, for: alice.access))
    }
}
