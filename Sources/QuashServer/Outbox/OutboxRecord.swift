import Quash
import QuashCrypto

/// One record of an outbox file.
///
/// The file is a line `quash-outbox 1 <issuer>`, then records, each as
///
/// | bytes | |
/// |---|---|
/// | 4 | length of the payload, big-endian |
/// | 8 | the first of the payload's SHA-256 |
/// | … | payload: 1 and revocations (``RevocationCodec``), or 2 and the 16 digits of an epoch that was entered |
enum OutboxRecord: Equatable {
    case revocations([Revocation])
    case epoch(Epoch)

    static let headBytes = 12
    static let maxPayloadBytes = 1 + RevocationCodec.bytes(of: RevocationCodec.maxRevocationsPerCommit)
    private static let revocationsTag: UInt8 = 1
    private static let epochTag: UInt8 = 2

    /// The first line of an issuer's outbox.
    static func header(issuer: String) -> [UInt8] { Array("quash-outbox 1 \(issuer)\n".utf8) }

    /// - Precondition: at most ``RevocationCodec/maxRevocationsPerCommit`` revocations.
    func encode(into bytes: inout [UInt8]) {
        let payload: [UInt8] =
            switch self {
            case .revocations(let revocations): [Self.revocationsTag] + RevocationCodec.encode(revocations)
            case .epoch(let epoch): [Self.epochTag] + Array(epoch.description.utf8)
            }
        precondition(payload.count <= Self.maxPayloadBytes, "a record of \(payload.count) bytes")
        for shift in stride(from: 24, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift))
        }
        bytes += SHA256.digest(of: payload.span).prefix(8)
        bytes += payload
    }

    fileprivate init?(payload: ArraySlice<UInt8>) {
        switch payload.first {
        case Self.revocationsTag:
            guard let revocations = try? RevocationCodec.decode(Array(payload.dropFirst())) else { return nil }
            self = .revocations(revocations)
        case Self.epochTag:
            guard let epoch = Epoch(String(decoding: payload.dropFirst(), as: UTF8.self)) else { return nil }
            self = .epoch(epoch)
        default: return nil
        }
    }
}

/// Reads the records of an outbox, however the bytes are cut. What is no record is passed over, byte by byte, so that
/// one torn or broken record takes no other with it.
struct OutboxReader {
    private var buffer: [UInt8] = []
    private var start = 0
    /// Bytes that belong to no record, so far.
    private(set) var brokenBytes = 0
    /// Records that came after a broken one.
    private(set) var recordsAfterBroken = 0

    mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.removeFirst(start)
        start = 0
        buffer += bytes
    }

    /// The next whole record; nil when there is none before more bytes are appended.
    ///
    /// - Parameter isAtEnd: no more bytes will come.
    mutating func next(isAtEnd: Bool) -> OutboxRecord? {
        while start < buffer.count {
            switch record() {
            case .whole(let record, let bytes):
                start += bytes
                if brokenBytes > 0 { recordsAfterBroken += 1 }
                return record
            case .cut where !isAtEnd: return nil
            case .cut, .broken:
                start += 1
                brokenBytes += 1
            }
        }
        return nil
    }

    private enum Found {
        case whole(OutboxRecord, bytes: Int)
        /// More bytes may complete it.
        case cut
        case broken
    }

    private func record() -> Found {
        let head = buffer[start...].prefix(OutboxRecord.headBytes)
        let length = head.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard head.count == OutboxRecord.headBytes else {
            return head.count >= 4 && !(1...OutboxRecord.maxPayloadBytes).contains(length) ? .broken : .cut
        }
        guard (1...OutboxRecord.maxPayloadBytes).contains(length) else { return .broken }
        let payload = buffer[head.endIndex...].prefix(length)
        guard payload.count == length else { return .cut }
        guard SHA256.digest(of: payload.span).prefix(8).elementsEqual(head.dropFirst(4)),
            let record = OutboxRecord(payload: payload)
        else { return .broken }
        return .whole(record, bytes: OutboxRecord.headBytes + length)
    }
}
