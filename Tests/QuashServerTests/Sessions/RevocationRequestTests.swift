import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// Revocations that the administration asks for.
@Suite struct RevocationRequestTests {
    private func identifiers(_ count: Int) -> String {
        (0..<count).map { _ in "\"\(TokenID(session: .random(), issuedAtMilliseconds: 1))\"" }.joined(separator: ",")
    }

    private func position(_ response: HTTPResponse) throws -> FeedPosition {
        #expect(response.status == .created, "\(response.text)")
        return try #require(response.json.flatMap(FeedPosition.init(receipt:)))
    }

    @Test func aRepeatedRequestIsStoredOnceHoweverManyCommitsItIs() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let body = "{\"jti\":[\(identifiers(250))]}"
        let first = try position(fleet.revoke(body, fields: ["Idempotency-Key": "one"]))
        #expect(first.sequence == 3)
        #expect(try position(fleet.revoke(body, fields: ["Idempotency-Key": "one"])) == first)
        #expect(try position(fleet.revoke(body, fields: ["Idempotency-Key": "two"])).sequence == 6)
    }

    /// The second commit of a request has a name of its own, which no key can spell.
    @Test(arguments: ["one/1", "one/2"])
    func aKeyThatLooksLikeAPartOfAnotherRequestIsItsOwn(key: String) throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        _ = try position(fleet.revoke("{\"jti\":[\(identifiers(250))]}", fields: ["Idempotency-Key": "one"]))
        let revoked = try position(fleet.revoke("{\"session\":\"\(pair.session)\"}", fields: ["Idempotency-Key": key]))
        #expect(revoked.sequence == 4)
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    @Test func aBoundInThePastSparesWhatCameLater() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let before = try fleet.signIn("alice")
        let issued = try #require(TokenID(try fleet.identifier(of: before.access))).issuedAtMilliseconds
        let bound = WallInstant(milliseconds: issued)
        #expect(poll { ClockReading.now().wall > bound })
        let after = try fleet.signIn("alice")
        // The issuer, too, judges by what it has heard on the feed.
        try fleet.waitUntilApplied(position(fleet.revoke("{\"sub\":\"alice\",\"issued_before\":\"\(bound)\"}")))
        #expect(try fleet.statuses(of: before.access) == [401])
        #expect(try fleet.statuses(of: after.access) == [204])
        let refused = try fleet.refresh(before.refresh)
        #expect(refused.isInvalidGrant, "\(refused.status) \(refused.text)")
        #expect(try fleet.refresh(after.refresh).status == .ok)
    }

    /// Seconds from now for which the feed remembers each of these, the last of each key.
    private func remembered(_ fleet: Fleet, _ keys: [RevocationKey]) throws -> [Int64?] {
        let log = try RedisCaller(fleet.redis).call("XRANGE", "{quash}:log", "-", "+").elements ?? []
        let revocations = try log.flatMap { try RevocationCodec.decode($0.elements?[1].elements?[1].bytes ?? []) }
        let now = ClockReading.now().wall.seconds
        return keys.map { key in
            revocations.last { $0.key == key }.map { Int64($0.expiresAtSeconds) - now }
        }
    }

    private func isAbout(_ found: Int64?, _ seconds: Int64) -> Bool {
        guard let found else { return false }
        return (seconds - 30...seconds + 3).contains(found)
    }

    private static let longest = Retention.longestLifetime.components.seconds

    /// What it is not told, it knows for its own sessions, and takes for the longest that there is for any other.
    @Test func S2_whatIsOfThisIssuerIsRememberedForItsOwnLifetime() throws {
        let fleet = try Fleet(validators: 0, issuerSettings: ["--access-ttl", "10m", "--refresh-ttl", "3h"])
        try fleet.waitUntilReady()
        let (ended, single) = (try fleet.signIn("alice"), try fleet.signIn("bob"))
        let jti = try fleet.identifier(of: single.access)
        let foreign = TokenID(session: .random(), issuedAtMilliseconds: ClockReading.now().wall.milliseconds)
        _ = try position(fleet.revoke("{\"session\":[\"\(ended.session)\",\"\(foreign.session)\",\"theirs\"]}"))
        _ = try position(fleet.revoke("{\"jti\":[\"\(jti)\",\"\(foreign)\",\"theirs\"]}"))
        let found = try remembered(
            fleet,
            [
                .session(ended.session), .session(foreign.session), .session("theirs"), .token(jti), .token(foreign),
                .token("theirs"),
            ])
        #expect(isAbout(found[0], 600), "\(found)")
        // It may be a refresh token.
        #expect(isAbout(found[3], 3 * 3600), "\(found)")
        for other in [1, 2, 4, 5] { #expect(isAbout(found[other], Self.longest), "\(found)") }
    }

    /// A token of ours cannot live longer than any token from its issue on, and when that was stands in its name.
    @Test func anOldTokenIsRememberedNoLongerThanItCanLive() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let day: Int64 = 86_400
        let issued = ClockReading.now().wall.milliseconds - 29 * day * 1000
        let old = TokenID(session: .random(), issuedAtMilliseconds: issued)
        _ = try position(fleet.revoke("{\"jti\":\"\(old)\"}"))
        #expect(isAbout(try remembered(fleet, [.token(old)])[0], day))
    }

    /// An administrator may know when the tokens of another issuer expire. What is of this issuer is remembered for as
    /// long as it may live, whatever is said.
    @Test func S2_whatIsOfAnotherIssuerIsRememberedForAsLongAsIsSaid() throws {
        let fleet = try Fleet(validators: 0, issuerSettings: ["--access-ttl", "10m", "--refresh-ttl", "3h"])
        try fleet.waitUntilReady()
        let (ended, single) = (try fleet.signIn("alice"), try fleet.signIn("bob"))
        let jti = try fleet.identifier(of: single.access)
        let expiry = "\"expires_at\":\(ClockReading.now().wall.seconds + 120)"
        _ = try position(fleet.revoke("{\"session\":[\"\(ended.session)\",\"theirs\"],\(expiry)}"))
        _ = try position(fleet.revoke("{\"jti\":[\"\(jti)\",\"theirs\"],\(expiry)}"))
        _ = try position(fleet.revoke("{\"sub\":\"carol\",\(expiry)}"))
        let keys: [RevocationKey] = [
            .session(ended.session), .session("theirs"), .token(jti), .token("theirs"), .subject("carol"),
        ]
        let found = try remembered(fleet, keys)
        for (place, seconds) in [(0, 600), (1, 120), (2, 3 * 3600), (3, 120), (4, 86_400)] {
            #expect(isAbout(found[place], Int64(seconds)), "\(place): \(found)")
        }
    }

    @Test func anExpiryOutOfRangeIsRefused() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let now = ClockReading.now().wall.seconds
        for (name, expiry) in [
            ("jti", now - 1), ("session", now), ("sub", 0), ("jti", now + Self.longest + 60), ("session", now * 1000),
        ] {
            let response = try fleet.revoke("{\"\(name)\":\"a\",\"expires_at\":\(expiry)}")
            #expect(response.status == .badRequest && response.text.contains("expires_at"), "\(response.text)")
        }
        for body in [
            "\"client_id\":\"a\"", "\"kid\":\"a\"", "\"all\":true", "\"sub\":\"a\",\"issued_before\":1",
            "\"session\":\"a\",\"issued_before\":1",
        ] {
            let response = try fleet.revoke("{\(body),\"expires_at\":\(now + 60)}")
            #expect(response.status == .badRequest && response.text.contains("expires_at"), "\(response.text)")
        }
        #expect(try remembered(fleet, [.token("a"), .session("a"), .subject("a")]) == [nil, nil, nil])
    }
}
