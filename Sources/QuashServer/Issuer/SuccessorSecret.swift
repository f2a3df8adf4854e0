import Quash
import QuashCrypto
import QuashJWT

/// From which the identifiers of a refresh token's successor are derived, so that a retry gets the same pair again,
/// byte for byte, though Redis holds nothing but hashes.
///
/// The secret is a hash of the key's own signature of a fixed text (RS256 is deterministic), so all issuers with one
/// signing key agree on it, and it never leaves them. An identifier derived from it is as unpredictable as a random one
/// to everybody else (HMAC-SHA256 as a PRF).
struct SuccessorSecret: Sendable {
    private let secret: [UInt8]

    init(key: RSAPrivateKey) throws {
        let signature = try key.sign(Array("quash successor identifiers, version 1".utf8).span)
        secret = SHA256.digest(of: signature.span)
    }

    /// The identifiers of the pair that follows `parent` and is issued at `issued`.
    func successors(of parent: TokenID, issued: WallInstant) -> (access: TokenID, refresh: TokenID) {
        (token("access", parent, issued), token("refresh", parent, issued))
    }

    private func token(_ use: String, _ parent: TokenID, _ issued: WallInstant) -> TokenID {
        let message = Array("\(use) \(parent) \(issued.milliseconds)".utf8)
        let code = SHA256.authenticationCode(of: message.span, key: secret.span)
        return TokenID(
            session: parent.session, issuedAtMilliseconds: issued.milliseconds,
            bits: Bits120(firstOf: code))
    }
}
