import Quash
import QuashCrypto
import QuashJWT
import QuashLoop

/// Makes signed tokens, off the event loop.
///
/// A key file may hold several keys: the first signs, the others are only published, so that what they signed stays
/// valid and what they will sign is known in advance.
final class TokenMint {
    private struct Key {
        let signer: TokenSigner
        let secret: SuccessorSecret
    }

    private let issuer: String?
    private let audience: [String]
    private let pool: SigningPool
    private var keys: [String: Key] = [:]
    /// The `kid` that signs.
    private(set) var currentKeyID = ""

    init(issuer: String?, audience: [String], keys: [RSAPrivateKey], pool: SigningPool) throws {
        self.issuer = issuer
        self.audience = audience
        self.pool = pool
        try replaceKeys(keys)
    }

    /// - Precondition: at least one key.
    func replaceKeys(_ replacement: [RSAPrivateKey]) throws {
        var keys: [String: Key] = [:]
        for key in replacement {
            let signer = TokenSigner(key)
            keys[signer.publicKey.keyID] = Key(signer: signer, secret: try SuccessorSecret(key: key))
        }
        guard let first = replacement.first else { preconditionFailure("an issuer signs with a key") }
        self.keys = keys
        currentKeyID = TokenSigner(first).publicKey.keyID
    }

    /// The identifiers of the pair that follows `parent`; nil when the key is no longer here.
    func successors(
        of parent: TokenID, issued: WallInstant, keyID: String
    ) -> (access: TokenID, refresh: TokenID)? {
        keys[keyID]?.secret.successors(of: parent, issued: issued)
    }

    /// A place among those who wait for signatures; nil when too many do.
    func place() -> SigningPlace? { pool.place() }

    /// Signs an access and a refresh token.
    func pair(
        _ identifiers: (access: TokenID, refresh: TokenID), _ record: SessionRecord, scope: String?,
        in place: SigningPlace,
        answer: @escaping (Result<(access: [UInt8], refresh: [UInt8]), any Error>) -> Void
    ) {
        guard let signer = keys[record.keyID]?.signer else {
            return answer(.failure(IssuerService.Failure.unavailable("the signing key was replaced")))
        }
        let access = claims(identifiers.access, record, scope: scope, lifetime: record.lifetimes.access)
        let refresh = claims(identifiers.refresh, record, scope: record.scope, lifetime: record.lifetimes.refresh)
        let reply = LoopBound(answer)
        pool.run(in: place) {
            (access: try signer.sign(access, type: .access), refresh: try signer.sign(refresh, type: .refresh))
        } done: { _, result in
            reply.value(result)
        }
    }

    private func claims(_ id: TokenID, _ record: SessionRecord, scope: String?, lifetime: Duration) -> Claims {
        let issued = NumericDate(seconds: record.rotated.seconds)
        var claims = Claims(
            subject: record.subject, issuedAt: issued, expiresAt: issued + lifetime, id: id.description)
        claims.issuer = issuer
        claims.audience = record.audience.isEmpty ? audience : record.audience
        claims.clientID = record.client
        claims.scope = scope
        return claims
    }
}
