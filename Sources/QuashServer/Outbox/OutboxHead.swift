import Quash
import QuashCrypto

/// The first bytes of an outbox file: which outbox it is, and how long it was when its bytes were last known to be on
/// the disk. So a file that has lost bytes that were durable is told from one whose last write a crash has torn.
///
/// | bytes | |
/// |---|---|
/// | 32 | `quash-outbox 2 `, the 16 digits of the outbox's identifier, a line feed |
/// | 2 × 16 | the length of the file in bytes, big-endian; the first 8 bytes of the SHA-256 of identifier and length |
///
/// The two lengths are written in turn, after each synchronisation and without one of their own: a crash can tear one
/// of them, and loses the news of the last write at most.
///
/// The first version had a line `quash-outbox 1 <issuer>` instead. It is read, and rewritten as the second.
struct OutboxHead {
    /// What a file begins with.
    enum Found: Equatable {
        /// Nothing, or a part of a first line: the file was made, and not yet written to.
        case nothing
        /// The first version: the issuer's name, and where its records begin.
        case version1(issuer: String, recordsAt: Int)
        /// - Parameter durableBytes: nil when neither length can be read.
        case version2(Nonce, durableBytes: Int?)
        /// A later version, which this program cannot read.
        case later
        case foreign
    }

    static let byteCount = 64
    /// The longest head of the first version: the longest name of an issuer fits.
    static let maxBytes = 256
    private static let lineBytes = 32
    private static let slotBytes = 16
    private static let magic = "quash-outbox "

    let outbox: Nonce

    /// The head of a file of this length.
    func encoded(durableBytes: Int) -> [UInt8] {
        Array("\(Self.magic)2 \(outbox)\n".utf8) + slot(durableBytes) + slot(durableBytes)
    }

    /// A length, and where it is to be written. `turn` alternates.
    func slot(_ durableBytes: Int, turn: Int) -> (bytes: [UInt8], offset: Int) {
        (slot(durableBytes), Self.lineBytes + turn % 2 * Self.slotBytes)
    }

    private func slot(_ durableBytes: Int) -> [UInt8] {
        let length = OutboxRecord.word(UInt64(durableBytes))
        return length + SHA256.digest(of: (Array(outbox.description.utf8) + length).span).prefix(8)
    }

    /// - Parameter bytes: the first ``maxBytes`` of the file, or all when it is shorter.
    static func find(in bytes: [UInt8]) -> Found {
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        let text = String(decoding: line, as: UTF8.self)
        guard line.count < bytes.count else {
            // One of the second version is renamed into its place when it is whole.
            let first = magic + "1 "
            return first.hasPrefix(text) || text.hasPrefix(first) ? .nothing : .foreign
        }
        guard text.hasPrefix(magic) else { return .foreign }
        let parts = text.dropFirst(magic.count).split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let version = UInt32(parts[0]), version > 0 else { return .foreign }
        switch version {
        case 1: return .version1(issuer: String(parts[1]), recordsAt: line.count + 1)
        case 2:
            guard let outbox = Nonce(parts[1]) else { return .foreign }
            return .version2(outbox, durableBytes: OutboxHead(outbox: outbox).durableBytes(in: bytes))
        default: return .later
        }
    }

    private func durableBytes(in bytes: [UInt8]) -> Int? {
        let slots = stride(from: Self.lineBytes, to: Self.byteCount, by: Self.slotBytes).map { start in
            bytes.dropFirst(start).prefix(Self.slotBytes)
        }
        return slots.compactMap { found in
            guard let length = Int(exactly: OutboxRecord.word(found.prefix(8))), slot(length).elementsEqual(found)
            else { return nil }
            return length
        }.max()
    }
}
