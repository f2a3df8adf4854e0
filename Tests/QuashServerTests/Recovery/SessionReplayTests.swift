import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// A session that has ended stays ended, whatever Redis forgets and however long ago it was.
@Suite struct SessionReplayTests {
    /// Leaves in the outbox of the issuer, which does not run, that these sessions ended long ago: the feed holds
    /// nothing of that any more.
    private func end(_ sessions: [SessionID], inOutboxOf fleet: Fleet) throws {
        let outbox = try Outbox(path: fleet.folder.path("outbox-issuer"), issuer: "issuer", log: Fleet.silent)
        let now = ClockReading.now().wall.seconds
        let done = Recorder<UInt64?>()
        outbox.append(
            sessions.map { Revocation(key: .session($0), expiresAtSeconds: UInt32(now) - 3600) },
            ends: sessions.map { SessionEnd(session: .session($0), untilSeconds: UInt32(now) + 86_400) }
        ) { done.record($0) }
        #expect(try done.wait(count: 1)[0] != nil)
        outbox.close()
    }

    /// Redis has the session as it was before it ended: by a failover, or because it lost the last second.
    @Test(arguments: ["same epoch", "new epoch"])
    func S2_aSessionThatEndedLongAgoDoesNotComeBack(way: String) throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let ended = try fleet.signIn("alice")
        let good = try fleet.signIn("bob")
        fleet.removeIssuer()
        try end([try #require(SessionID(ended.session))], inOutboxOf: fleet)
        if way == "new epoch" { try fleet.redis.cli("DEL", "{quash}:epoch") }
        try fleet.addIssuer("issuer")
        try fleet.waitUntilReady()
        let response = try fleet.refresh(ended.refresh)
        #expect(response.status == .badRequest)
        #expect(response.json?["error"]?.string == "invalid_grant")
        if way == "new epoch" {
            #expect(try fleet.sessions(of: "alice").isEmpty, "the session store knows of it again")
            #expect(try fleet.redis.cli("HGET", "quash:session:{\(ended.session)}", "ended") != "")
        }
        #expect(try fleet.refresh(good.refresh).status == .ok)
    }

    /// An issuer that never had the session's end in its index, because it follows no feed yet, does not decide.
    @Test func refreshTokensWaitUntilTheStoreKnowsOfEveryEnd() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        fleet.removeIssuer()
        try end((0..<20_000).map { _ in .random() }, inOutboxOf: fleet)
        try fleet.redis.cli("DEL", "{quash}:epoch")
        let log = LogRecorder()
        try fleet.addIssuer("issuer", log: log.logger)
        var waited = 0
        var status = 503
        #expect(
            try poll(within: .seconds(60)) {
                status = try fleet.refresh(pair.refresh).status.code
                if status == 503 { waited += 1 }
                return status != 503
            })
        #expect(status == 200)
        #expect(waited > 0)
        #expect(log.lines.all.contains { $0.message.contains("ended in the session store again") })
    }

    /// However a session ends, the issuer that ended it and the one that heard of it both know until its last refresh
    /// token has expired.
    @Test(arguments: ["logout", "everywhere", "reuse", "session", "sub"])
    func everyEndOfASessionIsInEveryOutbox(way: String) throws {
        let fleet = try Fleet(
            validators: 0, settings: Fleet.shortLease, issuerSettings: ["--issuers", "issuer,other"])
        try fleet.addIssuer("other")
        try fleet.waitUntilReady()
        let pair = try fleet.signIn("alice")
        let begun = ClockReading.now().wall.seconds
        switch way {
        case "logout": #expect(try fleet.logout(pair.access, body: "wait=confirmed").status == .ok)
        case "everywhere": #expect(try fleet.logout(pair.access, body: "everywhere=true").status == .ok)
        case "session": #expect(try fleet.revoke("{\"session\":\"\(pair.session)\"}").status == .created)
        case "sub": #expect(try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\"}").status == .created)
        default:
            let next = try Fleet.tokens(fleet.refresh(pair.refresh))
            _ = try Fleet.tokens(fleet.refresh(next.refresh))
            #expect(try fleet.refresh(pair.refresh).isInvalidGrant)
        }
        let position = try #require(try fleet.registry()?.head)
        try fleet.waitUntilEveryIssuerApplied(position)
        fleet.removeIssuer()
        fleet.removeIssuer()
        for issuer in ["issuer", "other"] {
            let outbox = try Outbox(
                path: fleet.folder.path("outbox-\(issuer)"), issuer: issuer, log: Fleet.silent)
            let done = Recorder<[SessionEnd]>()
            outbox.readEnds { done.record($0) }
            let ends = try done.wait(count: 1)[0]
            outbox.close()
            let session = try #require(SessionID(pair.session))
            #expect(ends.map(\.session) == [.session(session)], "\(issuer)")
            #expect(ends.allSatisfy { Int64($0.untilSeconds) >= begun + 7 * 86_400 }, "\(issuer)")
        }
    }

    /// The issuer died when its outbox had the end of the session, and the feed had not. It has heard of it, and a
    /// logout is stored when the feed has it.
    @Test func S2_aLogoutIsNotStoredBecauseTheOutboxHasIt() throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        fleet.removeIssuer()
        let session = try #require(SessionID(pair.session))
        let outbox = try Outbox(path: fleet.folder.path("outbox-issuer"), issuer: "issuer", log: Fleet.silent)
        let now = UInt32(ClockReading.now().wall.seconds)
        let counts = Recorder<UInt64?>()
        outbox.append(
            [Revocation(key: .session(session), expiresAtSeconds: now + 3600)],
            ends: [SessionEnd(session: .session(session), untilSeconds: now + 86_400)]
        ) { counts.record($0) }
        #expect(try counts.wait(count: 1)[0] != nil)
        outbox.close()
        // The feed takes no commit.
        try fleet.redis.cli("ACL", "SETUSER", "default", "-xadd")
        try fleet.addIssuer("issuer")
        #expect(try poll(within: .seconds(20)) { try fleet.refresh(pair.refresh).isInvalidGrant })
        #expect(try fleet.decide(pair.access).status == .noContent)
        #expect(try fleet.logout(pair.access).status == .serviceUnavailable)
        try fleet.redis.cli("ACL", "SETUSER", "default", "+xadd")
        #expect(try poll(within: .seconds(20)) { try fleet.logout(pair.access).status == .ok })
        #expect(try fleet.allAnswer(401, for: pair.access))
    }
}
