import QuashCrypto
public import QuashJWT

extension RevocationKey {
    /// One token, by its `jti`: the random part of one that Quash made, a hash of any other.
    public static func token(_ id: String) -> RevocationKey {
        TokenID(id).map(token) ?? hashed(.token, id)
    }

    /// One token that Quash made.
    public static func token(_ id: TokenID) -> RevocationKey {
        RevocationKey(kind: .token, id.bits)
    }

    /// Every token of one sign-in, by the session's name as it stands in a `jti` or a `sid` claim.
    public static func session(_ name: String) -> RevocationKey {
        SessionID(name).map(session) ?? hashed(.session, name)
    }

    /// Every token of one sign-in at Quash.
    public static func session(_ id: SessionID) -> RevocationKey {
        RevocationKey(kind: .session, id.bits)
    }

    /// Every token of this `sub`.
    public static func subject(_ subject: String) -> RevocationKey { hashed(.subject, subject) }

    /// Every token with this `client_id`.
    public static func client(_ clientID: String) -> RevocationKey { hashed(.client, clientID) }

    /// Every token that was signed with the key of this `kid`.
    public static func key(_ keyID: String) -> RevocationKey { hashed(.key, keyID) }

    /// Every token there is.
    public static let everything = RevocationKey(
        kind: .everything, identifier: [UInt8](repeating: 0, count: identifierBytes))

    /// The same 15 bytes that the identifier's text spells, behind the kind.
    private init(kind: RevocationKind, _ bits: Bits120) {
        self.init(
            validHigh: UInt64(kind.rawValue) << 56 | bits.high >> 4, low: (bits.high & 0xF) << 60 | bits.low)
    }

    private static func hashed(_ kind: RevocationKind, _ text: String) -> RevocationKey {
        hashed(kind, Array(text.utf8).span)
    }

    static func hashed(_ kind: RevocationKind, _ text: Span<UInt8>) -> RevocationKey {
        RevocationKey(kind: kind, identifier: SHA256.digest(of: text))
    }
}
