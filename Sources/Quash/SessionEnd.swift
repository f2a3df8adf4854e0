public import QuashJWT

/// The end of a session, as issuers remember it: for as long as a refresh token of the session may live, while the
/// revocation of its access tokens is needed only until the last of these has expired.
public struct SessionEnd: Hashable, Sendable {
    /// The session, of the kind ``RevocationKind/session``.
    public let session: RevocationKey
    /// The latest `exp` of any refresh token of the session, in seconds since 1970.
    public let untilSeconds: UInt32

    /// - Precondition: `session` is of the kind ``RevocationKind/session``.
    public init(session: RevocationKey, untilSeconds: UInt32) {
        precondition(session.kind == .session, "only a session has an end")
        self.session = session
        self.untilSeconds = untilSeconds
    }

    /// As a revocation that is remembered until then.
    public var revocation: Revocation { Revocation(key: session, expiresAtSeconds: untilSeconds) }
}

extension SessionID {
    /// The session that a revocation names; nil when it names none. Where the revocation was made of another issuer's
    /// name of a session, this is a name that no session has.
    public init?(_ key: RevocationKey) {
        guard key.kind == .session else { return nil }
        self.init(Base64URL.encode(key.identifier.span))
    }
}
