import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
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
}
