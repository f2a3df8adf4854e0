import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// Tokens that are dated ahead, and revocations by issue time.
@Suite("Issue times and clocks that are ahead", .sharedFleet) struct IssueTimeTests {
    /// A token of another issuer, with whole seconds and a `jti` of another form.
    private func foreign(_ subject: String, client: String? = nil, issued: Int64) throws -> String {
        let forge = try TokenForge()
        var claims = forge.claims
        claims.subject = subject
        claims.clientID = client
        claims.id = "urn:uuid:\(subject)"
        claims.issuedAt = NumericDate(seconds: issued)
        claims.expiresAt = NumericDate(seconds: issued + 7200)
        return try forge.token(header: forge.header(), claims: claims)
    }

    @Test("A confirmed revocation catches a provider's tokens that are dated ahead", arguments: ["sub", "client_id"])
    func datedAhead(kind: String) throws {
        let fleet = try Fleet.current
        let name = "ahead-\(kind)"
        let now = ClockReading.now().wall.seconds
        let tokens = try [0, 3, 30, 3600].map { try foreign(name, client: name, issued: now + $0) }
        let revoked = try fleet.revoke(#"{"\#(kind)":"\#(name)","wait":"confirmed"}"#)
        #expect(revoked.status == .created, "\(revoked.text)")
        for token in tokens { #expect(try fleet.decide(token).status == .unauthorized) }
    }

    @Test("A bound in the provider's time is exact: a sign-in there in the next second is good")
    func boundsOfAProvider() throws {
        let fleet = try Fleet.current
        let now = ClockReading.now().wall.seconds
        let (before, after) = (try foreign("prue", issued: now - 1), try foreign("prue", issued: now))
        let body = #"{"sub":"prue","issued_before":\#(now - 1),"clock":"provider","wait":"confirmed"}"#
        #expect(try fleet.revoke(body).status == .created)
        #expect(try fleet.decide(before).status == .unauthorized)
        #expect(try fleet.decide(after).status == .noContent)
        #expect(try fleet.revoke(#"{"sub":"prue","issued_before":\#(now - 1),"wait":"confirmed"}"#).status == .created)
        #expect(try fleet.decide(after).status == .unauthorized, "in our time it covers the tolerance, too")
    }

    @Test("Our own tokens: signing in directly after a revocation is good, and signing out again catches that")
    func signInAfterARevocation() throws {
        let fleet = try Fleet.current
        for bound in ["", #","issued_before":\#(ClockReading.now().wall.seconds + 3)"#] {
            #expect(try fleet.revoke(#"{"client_id":"app","wait":"confirmed"\#(bound)}"#).status == .created)
            let pair = try fleet.signIn("quinn", more: #","client_id":"app""#)
            #expect(try fleet.decide(pair.access).status == .noContent, "\(bound)")
            #expect(try fleet.revoke(#"{"client_id":"app","wait":"confirmed"}"#).status == .created)
            #expect(try fleet.decide(pair.access).status == .unauthorized, "dated ahead by a bound ahead: \(bound)")
        }
    }

    @Test("A bound further ahead than the tolerance is refused, never cut")
    func boundsAhead() throws {
        let fleet = try Fleet.current
        let now = ClockReading.now().wall.seconds
        for clock in ["", #","clock":"provider""#] {
            let problem = try fleet.revoke(#"{"sub":"rhea","issued_before":\#(now + 30)\#(clock)}"#)
            problem.expectProblem(400, naming: "issue-tolerance")
        }
        try fleet.revoke(#"{"sub":"rhea","clock":"provider"}"#).expectProblem(400, naming: "clock")
        try fleet.revoke(#"{"sub":"rhea","issued_before":1,"clock":"ours"}"#).expectProblem(400, naming: "clock")
    }
}

/// What shows that a clock is wrong.
@Suite struct TokenAheadTests {
    @Test func aTokenOfOursFromTheFutureIsNotDecidedAndReported() throws {
        let record = LogRecorder()
        let fleet = try Fleet(log: record.logger)
        try fleet.waitUntilReady()
        let forge = try TokenForge()
        var claims = forge.claims
        claims.issuedAt = NumericDate(seconds: claims.issuedAt.seconds + 60)
        claims.id = TokenID(session: .random(), issuedAtMilliseconds: claims.issuedAt.seconds * 1000).description
        let token = try forge.token(header: forge.header(), claims: claims)
        for _ in 0..<3 * LineLimit.perSecond { try fleet.decide(token).expectUnavailable() }
        let lines = record.lines.all.count { $0.message == LoggedEvent.tokenAhead.text }
        #expect((1...3 * LineLimit.perSecond - 1).contains(lines), "bounded")
        #expect(try fleet.metric(#"quash_decisions_total{result="unavailable",reason="token_ahead"}"#, at: 0) == 30)
    }
}

@Suite struct IssueClockTests {
    private static func at(_ milliseconds: Int64) -> WallInstant { WallInstant(milliseconds: milliseconds) }

    /// Whatever the civil clock shows: a bound covers what was issued before it, and nothing that is issued after it.
    @Test func boundsAndTokensAreInOneOrder() {
        var generator = SeededGenerator(7)
        var clock = IssueClock(maxLead: .seconds(6))
        var latest = (bound: Self.at(-1), issued: Self.at(0))
        for _ in 0..<10_000 {
            let now = Self.at(1_000_000 + .random(in: 0..<50, using: &generator))
            switch UInt8.random(in: 0..<3, using: &generator) {
            case 0:
                let issued = clock.issue(now: now)
                #expect(issued > latest.bound && issued >= now)
                latest.issued = max(latest.issued, issued)
            case 1:
                let bound = clock.bound(now: now)
                #expect(bound >= latest.issued && bound >= now)
                latest.bound = max(latest.bound, bound)
            default:
                clock.note(bound: now)
                latest.bound = max(latest.bound, now)
            }
        }
    }

    /// What a clock that was 8 days ahead had dated does not date what is issued after it was corrected.
    @Test func timesOfAClockThatWasWrongAreForgotten() {
        for ahead in [5_000, 6_001, 8 * 86_400_000] as [Int64] {
            var clock = IssueClock(maxLead: .seconds(6))
            let wrong = clock.issue(now: Self.at(1_000_000 + ahead))
            #expect(clock.bound(now: Self.at(1_000_000)) == (ahead > 6000 ? Self.at(1_000_000) : wrong))
            clock = IssueClock(maxLead: .seconds(6))
            _ = clock.bound(now: Self.at(1_000_000 + ahead))
            let issued = clock.issue(now: Self.at(1_000_000))
            #expect(issued == Self.at(ahead > 6000 ? 1_000_000 : 1_000_001 + ahead))
        }
    }
}
