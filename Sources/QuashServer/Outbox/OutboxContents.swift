import Quash
import QuashCrypto

/// What an outbox holds, in memory: read from its file at the start, changed with each record that became durable, and
/// written to a new file now and then.
struct OutboxContents: ~Copyable {
    /// Starts that are remembered: one of them is the last that the registry of issuers knows.
    static let maxStarts = 1024

    /// Names the outbox, whatever its file or its issuer is called.
    let outbox: Nonce
    let issuer: String
    private(set) var revocations: RevocationIndex.Writer
    /// Ends of sessions, as revocations that are remembered as long as the end is.
    private(set) var ends: RevocationIndex.Writer
    /// Commits that this issuer has appended since the outbox was made.
    private(set) var count: UInt64 = 0
    /// Starts of this issuer, the latest last.
    private(set) var starts: [Nonce] = []
    /// Epochs that were entered, the latest last.
    private(set) var entered: [Epoch] = []
    /// The epoch in which the session store knows of all ends.
    private(set) var replayed: Epoch?
    /// The outboxes of other issuers, by identifier; and of this one, should its name be bound to another.
    private(set) var bindings: [Nonce: String] = [:]
    /// Records were lost that no crash can explain.
    private(set) var isDamaged = false
    /// What the file was found to have lost when it was read; nil for nothing.
    private(set) var loss: Loss?

    init(outbox: Nonce, issuer: String) {
        self.outbox = outbox
        self.issuer = issuer
        revocations = RevocationIndex().makeWriter(maxRevocations: .max, clockSkew: Outbox.retention)
        ends = RevocationIndex().makeWriter(maxRevocations: .max, clockSkew: Outbox.retention)
    }

    /// - Returns: false when the record is none of this issuer's.
    @discardableResult
    mutating func take(_ record: OutboxRecord) -> Bool {
        switch record {
        case .revocations(let revocations): Self.add(revocations, to: &self.revocations)
        case .ends(let ends): Self.add(ends.map(\.revocation), to: &self.ends)
        case .epoch(let epoch): entered = entered.suffix(FeedWriter.maxEntered - 1) + [epoch]
        case .count(let count): self.count = max(self.count, count)
        case .start(let start): starts = starts.suffix(Self.maxStarts - 1) + [start]
        case .replayed(let epoch): replayed = epoch
        case .binding(let outbox, let name): bindings[outbox] = name.isEmpty ? nil : name
        case .damage(let isDamaged): self.isDamaged = isDamaged
        case .name(let name): return Self.isSame(name, as: issuer)
        }
        return true
    }

    /// The first version of this program named an issuer after its host up to the first dot when nothing else was
    /// configured.
    static func isSame(_ written: String, as issuer: String) -> Bool {
        written == issuer || issuer.hasPrefix(written + ".")
    }

    private static func add(_ revocations: [Revocation], to writer: inout RevocationIndex.Writer) {
        do {
            try writer.apply(revocations)
        } catch {
            preconditionFailure("an index without a ceiling is full")
        }
    }

    /// As ``RevocationIndex/Writer/discardTime()``.
    mutating func discardTime() {
        revocations.discardTime()
        ends.discardTime()
    }

    /// Lets go of what is past its retention.
    mutating func expire(at now: WallInstant) {
        revocations.expire(at: now)
        ends.expire(at: now)
    }

    /// The ends of sessions that have not expired.
    func sessionEnds(from instant: WallInstant) -> [SessionEnd] {
        ends.revocations(from: instant).map { SessionEnd(session: $0.key, untilSeconds: $0.expiresAtSeconds) }
    }

    /// The ends that are known of these sessions.
    func sessionEnds(of sessions: [RevocationKey]) -> [SessionEnd] {
        sessions.compactMap { session in
            ends.expiry(of: session).map { SessionEnd(session: session, untilSeconds: $0) }
        }
    }

    /// Those of `ends` of whose session no end is known.
    func unknown(_ ends: [SessionEnd]) -> [SessionEnd] { ends.filter { self.ends.expiry(of: $0.session) == nil } }

    /// About how long the file is when it is written anew.
    var byteCount: Int {
        RevocationCodec.bytes(of: revocations.count) + RevocationCodec.plainBytes * ends.count
    }

    /// All records, without those that expired before `instant`.
    func records(from instant: WallInstant) -> [UInt8] {
        var records: [OutboxRecord] = [.name(issuer), .count(count), .damage(isDamaged)]
        records += starts.map { .start($0) } + entered.map { .epoch($0) }
        records += bindings.map { .binding($0.key, name: $0.value) }
        if let replayed { records.append(.replayed(replayed)) }
        records += OutboxRecord.records(of: revocations.revocations(from: instant))
        records += OutboxRecord.records(of: sessionEnds(from: instant))
        var bytes: [UInt8] = []
        for record in records { record.encode(into: &bytes) }
        return bytes
    }
}

extension OutboxContents {
    /// What is wrong with a file, beyond a last write that a crash has torn.
    struct Loss: Equatable {
        /// Bytes that belong to no record.
        var brokenBytes = 0
        /// Bytes that were on the disk, and are not there.
        var missingBytes = 0
        /// Only what was not yet known to be durable is concerned, so a crash explains it.
        var isTorn = false
    }

    /// Reads the outbox in `file`, or begins one where there is none.
    static func load(
        _ file: borrowing OutboxFile, issuer: String
    ) throws(OutboxFile.Failure) -> OutboxContents {
        var start: [UInt8] = []
        try file.read(pieceBytes: OutboxHead.maxBytes) {
            start += $0
            return start.count < OutboxHead.maxBytes
        }
        switch OutboxHead.find(in: start) {
        case .nothing: return OutboxContents(outbox: .random(), issuer: issuer)
        case .foreign: throw OutboxFile.Failure("is not an outbox: name another file")
        case .later: throw OutboxFile.Failure("was written by a later version of quash: upgrade, or name another file")
        case .version1(let name, let offset):
            guard isSame(name, as: issuer) else { throw notOf(issuer) }
            var contents = OutboxContents(outbox: .random(), issuer: issuer)
            let reader = try contents.read(file, from: offset, issuer)
            contents.lost(reader, isTorn: reader.recordsAfterBroken == 0)
            return contents
        case .version2(let outbox, let durableBytes):
            var contents = OutboxContents(outbox: outbox, issuer: issuer)
            let reader = try contents.read(file, from: OutboxHead.byteCount, issuer)
            let firstBroken = reader.firstBroken.map { OutboxHead.byteCount + $0 } ?? file.byteCount
            let durable = durableBytes ?? .max
            contents.lost(reader, isTorn: firstBroken >= durable)
            if durable > file.byteCount {
                contents.loss = Loss(
                    brokenBytes: reader.brokenBytes, missingBytes: durableBytes.map { $0 - file.byteCount } ?? 0)
            }
            return contents
        }
    }

    private static func notOf(_ issuer: String) -> OutboxFile.Failure {
        OutboxFile.Failure("is not the outbox of the issuer \(issuer): name another file or node-id")
    }

    private mutating func read(
        _ file: borrowing OutboxFile, from offset: Int, _ issuer: String
    ) throws(OutboxFile.Failure) -> OutboxReader {
        var reader = OutboxReader()
        var isOwn = true
        try file.read(from: offset) { bytes in
            reader.append(bytes)
            while let record = reader.next(isAtEnd: false) { isOwn = take(record) && isOwn }
            return true
        }
        while let record = reader.next(isAtEnd: true) { isOwn = take(record) && isOwn }
        guard isOwn else { throw Self.notOf(issuer) }
        return reader
    }

    private mutating func lost(_ reader: OutboxReader, isTorn: Bool) {
        if reader.brokenBytes > 0 { loss = Loss(brokenBytes: reader.brokenBytes, isTorn: isTorn) }
    }
}

extension Nonce {
    /// A name that nothing had before.
    static func random() -> Nonce {
        let bits = Random.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let nonce = Nonce(hexadecimal(bits)) else { preconditionFailure("a nonce is 16 hexadecimal digits") }
        return nonce
    }
}
