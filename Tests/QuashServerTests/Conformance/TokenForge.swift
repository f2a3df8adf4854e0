import Quash
import QuashCrypto
import QuashJWT
import TestSupport

/// Makes tokens that no issuer of ours would make, signed by the very key of the fleet, or by another.
struct TokenForge {
    let key: RSAPrivateKey
    let keyID: String
    /// Claims of a token that is valid now and belongs to no session that was ever opened.
    let claims: Claims

    init(_ pem: String = TestKeys.privateKey) throws {
        key = try RSAPrivateKey(pem: Array(pem.utf8))
        keyID = TokenSigner(key).publicKey.keyID
        let now = ClockReading.now().wall
        claims = Claims(
            subject: "mallory", issuedAt: NumericDate(seconds: now.seconds),
            expiresAt: NumericDate(seconds: now.seconds + 300),
            id: TokenID(session: .random(), issuedAtMilliseconds: now.milliseconds).description)
    }

    /// A header as JSON: other members before `alg`, or other values of these three.
    func header(extra: String = "", alg: String = "RS256", typ: String = "at+jwt", kid: String? = nil) -> String {
        #"{\#(extra)"alg":"\#(alg)","typ":"\#(typ)","kid":"\#(kid ?? keyID)"}"#
    }

    func token(header: String, claims: Claims) throws -> String {
        try token(header: header, payload: String(decoding: claims.serialized, as: UTF8.self))
    }

    /// A token of this header and this payload with a good RS256 signature of both.
    func token(header: String, payload: String) throws -> String {
        let signed = signedPart(header: header, payload: payload)
        let bytes = Array(signed.utf8)
        let signature = try key.sign(bytes.span)
        return "\(signed).\(Base64URL.encode(signature.span))"
    }

    /// What a signature is of (RFC 7515 §5.1).
    func signedPart(header: String, payload: String) -> String { "\(encoded(header)).\(encoded(payload))" }

    private func encoded(_ text: String) -> String { Base64URL.encode(Array(text.utf8).span) }
}
