import QuashCrypto
import QuashJWT
import TestSupport
import Testing

/// Makes tokens that the product would never make, signed by a key that its verifier trusts.
struct TokenForge {
    let key: RSAPrivateKey
    let signer: TokenSigner
    /// Claims of a token that is valid at `now`.
    let claims: Claims
    let now = NumericDate(seconds: 1_700_000_100)

    init() throws {
        key = try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8))
        signer = TokenSigner(key)
        let session = try #require(SessionID("c2Vzc2lvbi1zZXNzaW9u"))
        var claims = Claims(
            subject: "alice", issuedAt: NumericDate(seconds: 1_700_000_000),
            expiresAt: NumericDate(seconds: 1_700_000_900),
            id: TokenID(session: session, issuedAtMilliseconds: 1_700_000_000_123).description)
        claims.issuer = "https://issuer.test"
        claims.audience = ["api"]
        self.claims = claims
    }

    var keyID: String { signer.publicKey.keyID }

    func verifier(_ configure: (inout TokenPolicy) -> Void = { _ in }) throws -> TokenVerifier {
        var policy = TokenPolicy()
        configure(&policy)
        return try TokenVerifier(keys: KeySet([signer.publicKey]), policy: policy)
    }

    /// A token with this header and payload and a good signature of both.
    func token(header: String, payload: [UInt8]) throws -> [UInt8] {
        try token(headerText: Base64URL.encode(Array(header.utf8).span), payloadText: Base64URL.encode(payload.span))
    }

    func token(header: String) throws -> [UInt8] {
        try token(header: header, payload: claims.serialized)
    }

    func token(payload: String) throws -> [UInt8] {
        try token(header: header(), payload: Array(payload.utf8))
    }

    /// A token of these two parts, signed by `signingKey`, or by the trusted key.
    func token(headerText: String, payloadText: String, signingKey: RSAPrivateKey? = nil) throws -> [UInt8] {
        let signed = Array("\(headerText).\(payloadText)".utf8)
        let signature = try (signingKey ?? key).sign(signed.span)
        return signed + Array(".\(Base64URL.encode(signature.span))".utf8)
    }

    /// The header of an access token, with other members before, or other values of `alg`, `typ` and `kid`, as JSON.
    func header(extra: String = "", alg: String = "\"RS256\"", typ: String = "\"at+jwt\"", kid: String? = nil) -> String
    {
        #"{\#(extra)"alg":\#(alg),"typ":\#(typ),"kid":\#(kid ?? "\"\(keyID)\"")}"#
    }
}

extension TokenVerifier {
    /// Why `token` is refused, or nil if it is not.
    func refusal(_ token: [UInt8], at now: NumericDate? = nil, skew: Duration = .zero) -> TokenRefusal? {
        do throws(TokenRefusal) {
            if let now {
                _ = try verify(token.span, at: now, skew: skew)
            } else {
                _ = try verify(token.span)
            }
            return nil
        } catch {
            return error
        }
    }

    func claims(_ token: [UInt8]) throws(TokenRefusal) -> Claims {
        try verify(token.span).claims
    }
}
