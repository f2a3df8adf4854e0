import Quash
import QuashCrypto
import QuashHTTP
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// What is presented as a refresh token and is none of this session, client or issuer.
@Suite struct RefreshRefusalTests {
    private func expectDead(_ response: HTTPResponse, _ what: Comment) {
        #expect(response.isInvalidGrant, what)
    }

    @Test func onlyARefreshTokenOfThisIssuerIsExchanged() throws {
        let fleet = try Fleet(validators: 0, issuerSettings: ["--issuer-url", "https://issuer.test"])
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        expectDead(try fleet.refresh(pair.access), "an access token")
        expectDead(try fleet.refresh("nonsense"), "no token")
        expectDead(try fleet.refresh(String(pair.refresh.dropLast(4))), "a token without its end")

        let own = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8)))
        let stranger = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.otherPrivateKey.utf8)))
        let session = try #require(SessionID(pair.session))
        let claims = Self.claims(session: session)
        expectDead(try fleet.refresh(Self.sign(claims, stranger)), "another issuer's key")
        var foreign = claims
        foreign.issuer = "https://other.test"
        expectDead(try fleet.refresh(Self.sign(foreign, own)), "our key, another issuer")
        foreign = claims
        foreign.id = "not-one-of-ours"
        expectDead(try fleet.refresh(Self.sign(foreign, own)), "a foreign identifier")
        expectDead(try fleet.refresh(Self.sign(Self.claims(session: .random()), own)), "a session that never was")
        // None of these did harm to the session.
        #expect(try fleet.refresh(pair.refresh).status == .ok)
    }

    /// Signed by the issuer's own key for this very session, but never handed out: as good as a spent one.
    @Test func aTokenThatWasNeverHandedOutEndsTheSession() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let signer = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8)))
        let session = try #require(SessionID(pair.session))
        expectDead(try fleet.refresh(Self.sign(Self.claims(session: session, issuer: nil), signer)), "never handed out")
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    @Test func anotherClientsTokenIsRefusedAndUnharmed() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn(more: ",\"client_id\":\"spa\"")
        expectDead(try fleet.refresh(pair.refresh), "no client")
        expectDead(try fleet.refresh(pair.refresh, more: "&client_id=app"), "another client")
        #expect(try fleet.refresh(pair.refresh, more: "&client_id=spa").status == .ok)
    }

    private static func claims(session: SessionID, issuer: String? = "https://issuer.test") -> Claims {
        let now = ClockReading.now().wall
        var claims = Claims(
            subject: "alice", issuedAt: NumericDate(seconds: now.seconds),
            expiresAt: NumericDate(seconds: now.seconds + 900),
            id: TokenID(session: session, issuedAtMilliseconds: now.milliseconds).description)
        claims.issuer = issuer
        return claims
    }

    private static func sign(_ claims: Claims, _ signer: TokenSigner) throws -> String {
        String(decoding: try signer.sign(claims, type: .refresh), as: UTF8.self)
    }
}
