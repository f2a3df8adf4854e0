/// The bytes of revocations, as they stand in the feed's log, its messages and its live set.
///
/// | bytes | |
/// |---|---|
/// | 1 | kind (1 to 6), plus 128, 64 and 32 for each of the parts below that is there |
/// | 15 | identifier |
/// | 4 | expiry, seconds since 1970, big-endian |
/// | 6 | 128: issue-time bound: whose time it is in the highest bit, then milliseconds since 1970, big-endian |
/// | 4 | 64: the end of the session, seconds since 1970, big-endian (``SessionEnd``) |
/// | 8 | 32: the seal, by which issuers recognise what an issuer wrote (``FeedSeal``) |
///
/// The last two parts belong to the second ``FeedLayout``; a validator skips them.
///
/// The highest bit of a bound is set when the bound is a time of the provider's clock, and clear when it is one of
/// ours. A bound that was written before that bit had a meaning has it clear, and is a time of ours. A reader of that
/// age takes one by the provider's clock for a bound of the year 6429, and refuses more than it should, never less.
///
/// So a plain revocation is 20 bytes, a bounded one 26, and several simply follow each other. There is no length and no
/// count: what cannot be read to its very end is refused whole.
public enum RevocationCodec {
    /// Revocations in one commit; longer lists are several commits. Keeps a message below 3 KiB.
    public static let maxRevocationsPerCommit = 100

    /// Bytes of one without a bound: the least that a revocation takes.
    package static let plainBytes = 20
    static let boundedBytes = 26
    static let endBytes = 4
    static let sealBytes = 8
    /// The most that one takes.
    static let maxBytes = boundedBytes + endBytes + sealBytes
    static let boundFlag: UInt8 = 0x80
    static let endFlag: UInt8 = 0x40
    static let sealFlag: UInt8 = 0x20
    private static let providerFlag: UInt64 = 1 << 47

    /// `revocations` in parts that are one commit each.
    public static func commits(of revocations: [Revocation]) -> [[Revocation]] {
        stride(from: 0, to: revocations.count, by: maxRevocationsPerCommit).map { start in
            Array(revocations[start..<min(start + maxRevocationsPerCommit, revocations.count)])
        }
    }

    /// The most bytes that this many revocations take, without the parts of the second layout.
    public static func bytes(of count: Int) -> Int { count * boundedBytes }

    /// Appends the 20 or 26 bytes of `revocation` to `bytes`.
    public static func encode(_ revocation: Revocation, into bytes: inout [UInt8]) {
        let bounded = revocation.issuedBefore != nil
        bytes.append(UInt8(truncatingIfNeeded: revocation.key.high >> 56) | (bounded ? boundFlag : 0))
        append(revocation.key.high, count: 7, to: &bytes)
        append(revocation.key.low, count: 8, to: &bytes)
        append(UInt64(revocation.expiresAtSeconds), count: 4, to: &bytes)
        if let bound = revocation.issuedBefore {
            let milliseconds = min(max(bound.milliseconds, 0), IssueBound.milliseconds.upperBound)
            let clock = revocation.boundClock == .provider ? providerFlag : 0
            append(UInt64(milliseconds) | clock, count: 6, to: &bytes)
        }
    }

    /// The bytes of `revocations`, one after the other.
    public static func encode(_ revocations: some Sequence<Revocation>) -> [UInt8] {
        var bytes: [UInt8] = []
        for revocation in revocations { encode(revocation, into: &bytes) }
        return bytes
    }

    /// Decodes every revocation in `bytes`.
    ///
    /// - Throws: ``RevocationCodecError`` when a kind is unknown or the last one is cut short. A validator that meets
    ///   such bytes must not advance past them: it cannot know what it would be accepting.
    public static func decode(_ bytes: [UInt8]) throws(RevocationCodecError) -> [Revocation] {
        let (revocations, rest) = try decodePrefix(bytes)
        guard rest == 0 else { throw .truncated }
        return revocations
    }

    /// Decodes the whole revocations at the start of a page of the live set.
    ///
    /// - Returns: the revocations, and how many bytes of a cut one (0 to 37) remain at the end.
    static func decodePrefix(
        _ bytes: [UInt8]
    ) throws(RevocationCodecError) -> (revocations: [Revocation], remainingBytes: Int) {
        var revocations: [Revocation] = []
        revocations.reserveCapacity(bytes.count / plainBytes)
        let remainder = try forEach(bytes) { revocation, _ in revocations.append(revocation) }
        return (revocations, remainder)
    }

    /// Calls `body` with each whole revocation in `bytes` and where it stands there.
    ///
    /// - Returns: how many bytes of a cut one remain at the end.
    static func forEach(
        _ bytes: [UInt8], _ body: (Revocation, Range<Int>) -> Void
    ) throws(RevocationCodecError) -> Int {
        // SAFETY: bytes have no padding.
        let span = unsafe bytes.span.bytes
        var position = 0
        while position < bytes.count {
            let first = bytes[position]
            guard let kind = RevocationKind(rawValue: first & ~(boundFlag | endFlag | sealFlag)) else {
                throw .unknownKind(first)
            }
            let isBounded = first & boundFlag != 0
            let length =
                (isBounded ? boundedBytes : plainBytes) + (first & endFlag != 0 ? endBytes : 0)
                + (first & sealFlag != 0 ? sealBytes : 0)
            guard bytes.count - position >= length else { break }
            let range = position..<position + length
            body(decodeOne(span.extracting(range), kind, isBounded), range)
            position += length
        }
        return bytes.count - position
    }

    private static func decodeOne(_ bytes: RawSpan, _ kind: RevocationKind, _ isBounded: Bool) -> Revocation {
        func word(at offset: Int) -> UInt64 {
            // SAFETY: any bit pattern is a UInt64; that eight bytes are left is checked.
            UInt64(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        let high = word(at: 0) & ~(0xFF << 56) | UInt64(kind.rawValue) << 56
        let key = RevocationKey(validHigh: high, low: word(at: 8))
        let expiry = UInt32(truncatingIfNeeded: word(at: 12))
        guard isBounded else { return Revocation(key: key, expiresAtSeconds: expiry) }
        let bound = word(at: 18)
        return Revocation(
            key: key, issuedBefore: WallInstant(milliseconds: Int64(bound & (providerFlag - 1))),
            by: bound & providerFlag == 0 ? .ours : .provider, expiresAtSeconds: expiry)
    }

    static func append(_ value: UInt64, count: Int, to bytes: inout [UInt8]) {
        for position in (0..<count).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * position)))
        }
    }
}

/// Why bytes are not revocations.
public enum RevocationCodecError: Error, Equatable, CustomStringConvertible {
    /// The first byte of an entry is no kind that this version knows.
    case unknownKind(UInt8)
    /// The last entry is cut short.
    case truncated
    /// What should hold revocations is of another type.
    case noBytes

    public var description: String {
        switch self {
        case .unknownKind(let byte): "a revocation of unknown kind \(byte): was it written by a newer version?"
        case .truncated: "a revocation is cut short"
        case .noBytes: "a key of another type stands in the place of revocations"
        }
    }
}
