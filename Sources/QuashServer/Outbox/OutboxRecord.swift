import Quash
import QuashCrypto

/// One record of an outbox file, behind its ``OutboxHead``:
///
/// | bytes | |
/// |---|---|
/// | 4 | length of the payload, big-endian |
/// | 8 | the first of the payload's SHA-256 |
/// | … | payload: a tag, then what the case below says |
enum OutboxRecord: Equatable {
    /// Revocations (``RevocationCodec``).
    case revocations([Revocation])
    /// The 16 digits of an epoch that was entered.
    case epoch(Epoch)
    /// Ends of sessions: 15 bytes of identifier and 4 of time each.
    case ends([SessionEnd])
    /// How many commits this issuer has appended since the outbox was made: 8 bytes, big-endian.
    case count(UInt64)
    /// The name of the issuer.
    case name(String)
    /// The 16 digits of a start of the issuer.
    case start(Nonce)
    /// The name of an issuer that is bound to the outbox with these 16 digits; empty for none.
    case binding(Nonce, name: String)
    /// The 16 digits of the epoch in which every end of a session was applied to the session store again.
    case replayed(Epoch)
    /// Whether records were lost that no crash can explain: 1 or 0.
    case damage(Bool)

    static let headBytes = 12
    static let maxPayloadBytes = 1 + RevocationCodec.bytes(of: RevocationCodec.maxRevocationsPerCommit)
    /// Ends in one record; longer lists are several records.
    static let maxEnds = 100
    private static let endBytes = RevocationKey.identifierBytes + 4

    private enum Tag: UInt8 {
        case revocations = 1
        case epoch, ends, count, name, start, binding, replayed, damage
    }

    /// `ends` in parts that are one record each.
    static func records(of ends: [SessionEnd]) -> [OutboxRecord] {
        stride(from: 0, to: ends.count, by: maxEnds).map { .ends(Array(ends[$0..<min($0 + maxEnds, ends.count)])) }
    }

    /// `revocations` in parts that are one record each.
    static func records(of revocations: [Revocation]) -> [OutboxRecord] {
        RevocationCodec.commits(of: revocations).map { .revocations($0) }
    }

    /// - Precondition: at most ``RevocationCodec/maxRevocationsPerCommit`` revocations, or ``maxEnds`` ends.
    func encode(into bytes: inout [UInt8]) {
        let payload = payload
        precondition(payload.count <= Self.maxPayloadBytes, "a record of \(payload.count) bytes")
        Self.append(UInt64(payload.count), count: 4, to: &bytes)
        bytes += SHA256.digest(of: payload.span).prefix(8)
        bytes += payload
    }

    private var payload: [UInt8] {
        switch self {
        case .revocations(let revocations): [Tag.revocations.rawValue] + RevocationCodec.encode(revocations)
        case .epoch(let epoch): [Tag.epoch.rawValue] + Array(epoch.description.utf8)
        case .ends(let ends): ends.reduce(into: [Tag.ends.rawValue]) { Self.append($1, to: &$0) }
        case .count(let count): [Tag.count.rawValue] + Self.word(count)
        case .name(let name): [Tag.name.rawValue] + Array(name.utf8)
        case .start(let start): [Tag.start.rawValue] + Array(start.description.utf8)
        case .binding(let outbox, let name): [Tag.binding.rawValue] + Array("\(outbox)\(name)".utf8)
        case .replayed(let epoch): [Tag.replayed.rawValue] + Array(epoch.description.utf8)
        case .damage(let isDamaged): [Tag.damage.rawValue, isDamaged ? 1 : 0]
        }
    }

    /// - Returns: nil when `payload` is none of a record.
    init?(payload: ArraySlice<UInt8>) {
        guard let tag = payload.first.flatMap({ Tag(rawValue: $0) }) else { return nil }
        let rest = payload.dropFirst()
        func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
        switch tag {
        case .revocations:
            guard let revocations = try? RevocationCodec.decode(Array(rest)) else { return nil }
            self = .revocations(revocations)
        case .epoch, .replayed:
            guard let epoch = Epoch(text(rest)) else { return nil }
            self = tag == .epoch ? .epoch(epoch) : .replayed(epoch)
        case .ends:
            guard rest.count.isMultiple(of: Self.endBytes) else { return nil }
            self = .ends(
                stride(from: rest.startIndex, to: rest.endIndex, by: Self.endBytes).map { start in
                    Self.end(rest[start..<start + Self.endBytes])
                })
        case .count:
            guard rest.count == 8 else { return nil }
            self = .count(Self.word(rest))
        case .name: self = .name(text(rest))
        case .start:
            guard let start = Nonce(text(rest)) else { return nil }
            self = .start(start)
        case .binding:
            guard let outbox = Nonce(text(rest.prefix(16))) else { return nil }
            self = .binding(outbox, name: text(rest.dropFirst(16)))
        case .damage:
            guard rest.count == 1 else { return nil }
            self = .damage(rest.first != 0)
        }
    }

    private static func append(_ end: SessionEnd, to bytes: inout [UInt8]) {
        bytes += end.session.identifier
        append(UInt64(end.untilSeconds), count: 4, to: &bytes)
    }

    private static func end(_ bytes: ArraySlice<UInt8>) -> SessionEnd {
        SessionEnd(
            session: RevocationKey(kind: .session, identifier: bytes),
            untilSeconds: UInt32(truncatingIfNeeded: word(bytes.suffix(4))))
    }

    static func word(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        append(value, count: 8, to: &bytes)
        return bytes
    }

    static func word(_ bytes: some Collection<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private static func append(_ value: UInt64, count: Int, to bytes: inout [UInt8]) {
        for position in (0..<count).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * position)))
        }
    }
}
