import Quash
import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// A client whose answer was lost repeats its refresh: it gets the same pair, for a while, and only it.
@Suite struct RotationGraceTests {
    @Test func aRetryGetsTheSamePairByteForByte() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn(more: ",\"scope\":\"read write\",\"aud\":[\"a\",\"b\"]")
        let first = try fleet.refresh(pair.refresh)
        #expect(first.status == .ok)
        for _ in 0..<3 { #expect(try fleet.refresh(pair.refresh).body == first.body) }
        #expect(try fleet.statuses(of: Fleet.tokens(first).access) == [204])
        // The retries left the successor unused.
        #expect(try fleet.refresh(Fleet.tokens(first).refresh).status == .ok)
    }

    /// Another issuer may answer the retry, or the same one after it was configured anew.
    @Test func aRetryGetsTheSamePairWhateverLifetimesAreConfigured() throws {
        let fleet = try Fleet(validators: 1, issuerSettings: ["--issuers", "issuer,other"])
        try fleet.addIssuer("other", ["--access-ttl", "1h", "--refresh-ttl", "1d"])
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let first = try fleet.refresh(pair.refresh)
        let again = try fleet.refresh(pair.refresh, at: 1)
        #expect(again.status == .ok)
        #expect(again.body == first.body)
        // So the revocation of the session outlives every token that was ever handed out.
        let next = try Fleet.tokens(fleet.refresh(Fleet.tokens(first).refresh, at: 1))
        #expect(try fleet.logout(next.access).status == .ok)
        let inAnHour = UInt32(ClockReading.now().wall.seconds) + 3600 - 60
        let hour = try fleet.redis.cli("KEYS", "{quash}:live:*:0").split(separator: ":").dropLast().last
        #expect(UInt32(try #require(hour)).map { $0 >= LivePage.period(ofExpiry: inAnHour) } == true)
    }

    @Test func concurrentRetriesAllGetTheSamePair() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let answers = try fleet.web.all(fleet.refreshRequests(Array(repeating: pair.refresh, count: 50)))
        #expect(answers.allSatisfy { $0.status == .ok })
        #expect(Set(answers.map(\.body)).count == 1)
    }

    /// Whoever has the successor got the answer: what comes then with the parent is theft.
    @Test func notAfterTheSuccessorWasUsed() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let second = try Fleet.tokens(fleet.refresh(pair.refresh))
        let third = try Fleet.tokens(fleet.refresh(second.refresh))
        #expect(try fleet.refresh(pair.refresh).isInvalidGrant)
        #expect(try fleet.refresh(third.refresh).isInvalidGrant)
        for token in [pair.access, second.access, third.access] { #expect(try fleet.allAnswer(401, for: token)) }
    }

    @Test func notAfterTheGrace() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let second = try Fleet.tokens(fleet.refresh(pair.refresh))
        // Ten seconds pass: the rotation was that much earlier.
        try fleet.redis.cli("HINCRBY", "quash:session:{\(pair.session)}", "spent", "-10000")
        #expect(try fleet.refresh(pair.refresh).isInvalidGrant)
        #expect(try fleet.refresh(second.refresh).isInvalidGrant)
        for token in [pair.access, second.access] { #expect(try fleet.allAnswer(401, for: token)) }
    }

    @Test func notWithoutAGrace() throws {
        let fleet = try Fleet(validators: 1, issuerSettings: ["--rotation-grace", "0s"])
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        #expect(try fleet.refresh(pair.refresh).status == .ok)
        #expect(try fleet.refresh(pair.refresh).isInvalidGrant)
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    /// Redis forgot that the session ended, as after a restart without its data: the issuer still knows.
    @Test func anEndedSessionThatRedisForgotStaysEnded() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let key = "quash:session:{\(pair.session)}"
        #expect(try fleet.logout(pair.access).status == .ok)
        #expect(try fleet.allAnswer(401, for: pair.access))
        try fleet.redis.cli("HDEL", key, "ended")
        #expect(poll { (try? fleet.refresh(pair.refresh))?.isInvalidGrant ?? false })
        #expect(try fleet.redis.cli("HEXISTS", key, "ended") == "0", "it was not the record that refused")
    }
}
