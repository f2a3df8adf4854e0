/// A revocation as an issuer reads and writes it on the feed: with what only issuers need.
public struct FeedEntry: Equatable, Sendable {
    /// What validators apply.
    public let revocation: Revocation
    /// Of a session: how long issuers remember that it has ended; nil when the entry does not say it.
    public let end: SessionEnd?
    /// Whether a seal is there that was made with the secret of the issuers, or no secret is configured.
    public let isGenuine: Bool

    /// The whole entries at the start of `bytes`; a cut one at the end is left out. `seal` recognises what an issuer
    /// wrote, and is nil when no secret is configured.
    ///
    /// - Throws: ``RevocationCodecError`` when a kind is unknown.
    public static func decode(_ bytes: [UInt8], seal: FeedSeal?) throws(RevocationCodecError) -> [FeedEntry] {
        var entries: [FeedEntry] = []
        entries.reserveCapacity(bytes.count / RevocationCodec.plainBytes)
        _ = try RevocationCodec.forEach(bytes) { revocation, range in
            entries.append(FeedEntry(revocation, bytes[range], seal))
        }
        return entries
    }

    private init(_ revocation: Revocation, _ bytes: ArraySlice<UInt8>, _ seal: FeedSeal?) {
        self.revocation = revocation
        let hasSeal = bytes[bytes.startIndex] & RevocationCodec.sealFlag != 0
        let body = hasSeal ? bytes.dropLast(RevocationCodec.sealBytes) : bytes
        let endsAt = body.suffix(RevocationCodec.endBytes).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let hasEnd = bytes[bytes.startIndex] & RevocationCodec.endFlag != 0 && revocation.key.kind == .session
        end = hasEnd ? SessionEnd(session: revocation.key, untilSeconds: endsAt) : nil
        guard let seal else {
            isGenuine = true
            return
        }
        isGenuine = hasSeal && seal.isGenuine(bytes.suffix(RevocationCodec.sealBytes), of: body)
    }
}

/// How an issuer writes entries: in which layout, and with which seal.
public struct FeedEncoder {
    private let layout: FeedLayout
    private let seal: FeedSeal?

    /// In this layout, and with this seal, which is nil when no secret is configured.
    public init(layout: FeedLayout, seal: FeedSeal?) {
        self.layout = layout
        self.seal = seal
    }

    /// Appends the bytes of `revocation`, with the `end` of the session that it names.
    public func encode(_ revocation: Revocation, end: SessionEnd?, into bytes: inout [UInt8]) {
        let start = bytes.count
        RevocationCodec.encode(revocation, into: &bytes)
        guard layout >= .second else { return }
        if let end {
            bytes[start] |= RevocationCodec.endFlag
            RevocationCodec.append(UInt64(end.untilSeconds), count: RevocationCodec.endBytes, to: &bytes)
        }
        guard let seal else { return }
        bytes[start] |= RevocationCodec.sealFlag
        bytes += seal.code(of: bytes[start...])
    }
}
