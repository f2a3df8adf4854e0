package import QuashJWT

/// A token whose form, key, signature and claims were found good, and what a decision about it needs again: everything
/// that does not change. Belongs to one loop.
package final class KnownToken {
    /// What it says.
    package let verified: VerifiedToken
    let expiresAtSeconds: Int64
    let notBeforeSeconds: Int64
    /// For longer than a revocation is remembered.
    let livesTooLong: Bool
    /// Whether it says to the millisecond when it was issued: its `jti` has our form, and the time in it lies in the
    /// second of `iat`. Who holds a key that is trusted to sign may date a token as it likes, by `iat` too, so
    /// believing the form gives no one more than the key already does.
    let isExact: Bool
    /// For a token that is not exact the start of its second, so that "issued before" includes what was issued in the
    /// same second.
    let issuedAt: WallInstant
    /// Nothing of the index named it when that had changed this often; nil before the first look.
    var unrevokedAt: UInt64?
    /// Once it is revoked it stays so: the index only grows, until the token has expired.
    var revokedBy: RevocationKind?
    /// By kind, made when there is a revocation of that kind; the inner nil is for what the token does not say.
    private var keys = InlineArray<7, RevocationKey??>(repeating: nil)
    /// For whoever answers requests with this token: what it made of the claims once. Empty at first.
    package var annotation: [UInt8] = []

    init(_ verified: VerifiedToken) {
        self.verified = verified
        expiresAtSeconds = verified.expiresAt.seconds
        notBeforeSeconds = verified.notBefore?.seconds ?? .min
        livesTooLong =
            verified.expiresAt.seconds - verified.issuedAt.seconds > Retention.longestLifetime.components.seconds
        let exact = verified.tokenID.map { WallInstant(milliseconds: $0.issuedAtMilliseconds) }
        if let exact, exact.seconds == verified.issuedAt.seconds {
            (isExact, issuedAt) = (true, exact)
        } else {
            (isExact, issuedAt) = (false, WallInstant(seconds: verified.issuedAt.seconds))
        }
    }

    /// Under which a revocation of this kind would name the token; nil when the token says nothing of the kind.
    func key(_ kind: RevocationKind) -> RevocationKey? {
        let place = Int(kind.rawValue)
        if let key = keys[place] { return key }
        let key = RevocationKey(kind, of: verified)
        keys[place] = .some(key)
        return key
    }
}

@available(*, unavailable)
extension KnownToken: Sendable {}

extension RevocationKey {
    /// The key under which a revocation of this kind would name `token`; nil when the token says nothing of the kind.
    fileprivate init?(_ kind: RevocationKind, of token: VerifiedToken) {
        switch kind {
        case .token:
            self = token.tokenID.map(RevocationKey.token) ?? .hashed(.token, token.id)
        case .session:
            if let id = token.tokenID {
                self = .session(id.session)
            } else if !token.sessionID.isEmpty {
                let name = token.sessionID
                self = SessionID(name).map(RevocationKey.session) ?? .hashed(.session, name)
            } else {
                return nil
            }
        case .subject: self = .hashed(.subject, token.subject)
        case .client:
            guard !token.clientID.isEmpty else { return nil }
            self = .hashed(.client, token.clientID)
        case .key: self = .key(token.keyID)
        case .everything: self = .everything
        }
    }
}
