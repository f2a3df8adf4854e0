/// What a revocation names. The raw values are on the wire and never change their meaning; 0 stays unused, because an
/// index cell that begins with a zero byte is empty.
public enum RevocationKind: UInt8, CaseIterable, Sendable {
    /// One token, by its `jti`.
    case token = 1
    /// Every token of one sign-in: the refresh family.
    case session = 2
    /// Every token of one `sub`.
    case subject = 3
    /// Every token issued to one `client_id`.
    case client = 4
    /// Every token signed with one key, by its `kid`.
    case key = 5
    /// Every token.
    case everything = 6

    /// The word used in the HTTP interface, on the command line and as a metric label.
    public var name: String {
        switch self {
        case .token: "jti"
        case .session: "session"
        case .subject: "sub"
        case .client: "client_id"
        case .key: "kid"
        case .everything: "all"
        }
    }
}

/// The 16 bytes under which a revocation is stored and looked up: one byte of kind and 120 bits of identifier.
///
/// Identifiers that Quash made itself (a session id, the random part of a `jti`) are 120 random bits and stand for
/// themselves. Any other text is represented by the first 120 bits of its SHA-256. So a key is exact up to a chance of
/// 2⁻¹²⁰ for each pair of identifiers, costs no look-up structure for names, and keeps subjects out of Redis.
public struct RevocationKey: Hashable, Sendable {
    /// The kind in the top byte, then the first 7 bytes of the identifier, big-endian. Never zero.
    public let high: UInt64
    /// The last 8 bytes of the identifier, big-endian.
    public let low: UInt64

    /// Bytes of an identifier: 120 bits.
    public static let identifierBytes = 15

    /// - Precondition: `identifier` holds at least 15 bytes; the first 15 count.
    public init(kind: RevocationKind, identifier: some Collection<UInt8>) {
        precondition(identifier.count >= Self.identifierBytes, "a revocation identifier is 15 bytes")
        var high = UInt64(kind.rawValue)
        var low: UInt64 = 0
        for (position, byte) in identifier.prefix(Self.identifierBytes).enumerated() {
            if position < 7 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
        }
        self.high = high
        self.low = low
    }

    init?(high: UInt64, low: UInt64) {
        guard RevocationKind(rawValue: UInt8(high >> 56)) != nil else { return nil }
        self.init(validHigh: high, low: low)
    }

    /// - Precondition: the top byte of `high` is a kind.
    init(validHigh high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// What kind of thing this names.
    public var kind: RevocationKind {
        guard let kind = RevocationKind(rawValue: UInt8(high >> 56)) else {
            preconditionFailure("a key without a kind was made")
        }
        return kind
    }

    /// The 15 bytes of identifier.
    public var identifier: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.identifierBytes)
        for shift in stride(from: 48, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: high >> shift)) }
        for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: low >> shift)) }
        return bytes
    }
}

/// Something that is no longer valid, and until when that must be remembered.
public struct Revocation: Hashable, Sendable {
    /// What is no longer valid.
    public let key: RevocationKey
    /// Only tokens issued at or before this instant are revoked; nil revokes whatever the issue time.
    public let issuedBefore: WallInstant?
    /// Whose time ``issuedBefore`` is; ``BoundClock/ours`` without it.
    public let boundClock: BoundClock
    /// The latest `exp`, in seconds since 1970, of any token that this revokes. Whoever stores it keeps it longer than
    /// that, by its clock skew and ``Retention/margin``.
    public let expiresAtSeconds: UInt32

    /// A revocation; without `issuedBefore`, whatever the issue time.
    public init(
        key: RevocationKey, issuedBefore: WallInstant? = nil, by boundClock: BoundClock = .ours,
        expiresAtSeconds: UInt32
    ) {
        self.key = key
        self.issuedBefore = issuedBefore
        self.boundClock = issuedBefore == nil ? .ours : boundClock
        self.expiresAtSeconds = expiresAtSeconds
    }
}

/// How long a revocation outlives the tokens it revokes.
public enum Retention {
    /// The longest that a token may live, 30 days: no revocation is remembered for longer, so a token that expires
    /// later is not accepted.
    public static let longestLifetime: Duration = .seconds(30 * 86_400)
    /// Kept beyond the last `exp` and the configured clock skew, for clocks that disagree: 60 s.
    public static let margin: Duration = .seconds(60)
}
