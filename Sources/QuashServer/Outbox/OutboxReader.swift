import QuashCrypto

/// Reads the records of an outbox, however the bytes are cut. What is no record is passed over, byte by byte, so that
/// one torn or broken record takes no other with it.
struct OutboxReader {
    private var buffer: [UInt8] = []
    private var start = 0
    /// Where in all that was appended the buffer begins.
    private var base = 0
    /// Bytes that belong to no record, so far.
    private(set) var brokenBytes = 0
    /// Where the first of these is, counted from the first byte that was appended.
    private(set) var firstBroken: Int?
    /// Records that came after a broken one.
    private(set) var recordsAfterBroken = 0

    mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.removeFirst(start)
        base += start
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
                firstBroken = firstBroken ?? base + start
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
        let length = Int(OutboxRecord.word(head.prefix(4)))
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
