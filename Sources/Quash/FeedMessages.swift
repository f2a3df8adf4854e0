/// Names one life of the feed's data: a nonce that is made when an issuer opens the feed, and is void as soon as the
/// data is gone or another Redis process serves it.
public struct Epoch: Hashable, Sendable, CustomStringConvertible {
    /// 16 hexadecimal digits.
    public let description: String

    /// - Returns: nil unless `text` is 16 lower-case hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 16, text.utf8.allSatisfy(Self.isHexadecimal) else { return nil }
        description = String(text)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }
}

/// A place in the feed. Sequences of different epochs are not comparable: after a failover the same number may stand
/// for another revocation.
public struct FeedPosition: Hashable, Sendable, CustomStringConvertible {
    /// The life of the data that the sequence counts in.
    public let epoch: Epoch
    /// 1 for the first commit of an epoch; 0 before it.
    public let sequence: UInt64

    /// `<epoch>:<sequence>`, as callers get it and give it back.
    public var description: String { "\(epoch):\(sequence)" }

    /// The place of one commit.
    public init(epoch: Epoch, sequence: UInt64) {
        self.epoch = epoch
        self.sequence = sequence
    }

    /// As ``description`` writes it.
    ///
    /// - Returns: nil when `text` is no position.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = Epoch(parts[0]), parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let sequence = UInt64(parts[1])
        else { return nil }
        self.init(epoch: epoch, sequence: sequence)
    }
}

/// What a published message says: one commit, and whether somebody waits for it.
///
/// As bytes: `<epoch> <sequence> <awaiting> <committed> ` in ASCII, then the revocations (``RevocationCodec``).
public struct FeedMessage: Equatable, Sendable {
    /// The place of the commit.
    public let position: FeedPosition
    /// When a confirmation waits for this commit: how many validators will answer it; otherwise 0.
    public let awaitingNodes: Int
    /// When Redis committed it, by its own clock, in microseconds since 1970: for figures, never for decisions.
    public let committedMicroseconds: Int64
    /// The revocations of the commit, as ``RevocationCodec`` writes them.
    public let record: [UInt8]

    static let maxBytes = 96 + RevocationCodec.maxRevocationsPerCommit * RevocationCodec.maxBytes

    /// A message, as the script publishes it.
    public init(position: FeedPosition, awaitingNodes: Int, committedMicroseconds: Int64, record: [UInt8]) {
        self.position = position
        self.awaitingNodes = awaitingNodes
        self.committedMicroseconds = committedMicroseconds
        self.record = record
    }

    /// - Returns: nil when `bytes` is no message: another program uses the channel, or a part was lost.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.maxBytes else { return nil }
        var rest = bytes[...]
        guard let epoch = Self.nextField(&rest).flatMap({ Epoch(String(decoding: $0, as: UTF8.self)) }),
            let sequence = Self.nextField(&rest).flatMap(Self.decimal), sequence > 0,
            let awaiting = Self.nextField(&rest).flatMap(Self.decimal),
            let committed = Self.nextField(&rest).flatMap(Self.decimal)
        else { return nil }
        self.init(
            position: FeedPosition(epoch: epoch, sequence: UInt64(sequence)), awaitingNodes: awaiting,
            committedMicroseconds: Int64(committed), record: Array(rest))
    }

    /// What is before the next space; `rest` is what is after it.
    private static func nextField(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let space = rest.firstIndex(of: 0x20) else { return nil }
        defer { rest = rest[(space + 1)...] }
        return rest[..<space]
    }

    /// 1 to 18 digits.
    private static func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...18).contains(digits.count) else { return nil }
        var value = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int(digit - 0x30)
        }
        return value
    }
}

/// Why an epoch ended whose data was damaged. The raw values are arguments of scripts and labels of metrics.
public enum EpochDamage: String, CaseIterable, Sendable {
    /// Bytes of the live set are gone.
    case lost
    /// The feed holds what no script wrote.
    case unreadable
    /// Redis refused the same step again and again.
    case refused
    /// The live set lacks revocations that an issuer holds.
    case missing
}

/// What the `renew` script is asked.
public struct RenewRequest: Equatable, Sendable {
    /// Where this node stands, or nil when it must load the live set first.
    public let position: FeedPosition?
    /// The epoch whose data was found to be damaged: it must end, if it has not ended since, so that the issuers
    /// restore what was there.
    public let damagedEpoch: Epoch?
    /// What is wrong with it.
    public let damage: EpochDamage
    /// Somebody waits for this position: it is told on the channel of acknowledgements, besides in the registry.
    public let acknowledges: Bool

    /// A request for a lease, from a node that stands at `position`.
    public init(
        position: FeedPosition?, damagedEpoch: Epoch? = nil, damage: EpochDamage = .lost, acknowledges: Bool = false
    ) {
        self.position = position
        self.damagedEpoch = damagedEpoch
        self.damage = damage
        self.acknowledges = acknowledges
    }
}

/// What the `renew` script answers.
public enum RenewReply: Equatable, Sendable {
    /// No epoch is open: the data is gone, or Redis is another process. An issuer will open a new one.
    case recovering
    /// The feed has this layout, which is newer than the newest that the node reads.
    case newer(FeedLayout)
    /// Another epoch is open, and this is its head.
    case elsewhere(FeedPosition)
    /// The log no longer holds what follows the node's position.
    case gap(head: FeedPosition)
    /// Every commit after the node's position, in order and without a hole. `lease` is nil when there are more.
    case entries(records: [[UInt8]], head: UInt64, lease: Duration?)
}

/// A part of the live set: everything that expires within one period, in chunks of about 1 MiB.
public struct LivePage: Hashable, Sendable {
    /// Which period, counted from 1970 in ``periodSeconds``.
    public let period: UInt32
    /// Which chunk of the period, from 0.
    public let chunk: Int
    /// Bytes from the start of the chunk.
    public let offset: Int

    /// The length of a period: an hour. A directory of 31 days, the longest that anything is remembered, has 744
    /// periods, and is read in one reply.
    public static let periodSeconds: Int64 = 3600
    /// A chunk is closed once it is this long, so it is longer by at most one commit.
    public static let chunkBytes = 1 << 20
    /// Bytes asked for at once.
    public static let pageBytes = 1 << 16

    /// The part of a chunk that begins at `offset`.
    public init(period: UInt32, chunk: Int, offset: Int) {
        self.period = period
        self.chunk = chunk
        self.offset = offset
    }

    /// The period in which something that expires at `seconds` is kept.
    public static func period(ofExpiry seconds: UInt32) -> UInt32 { seconds / UInt32(periodSeconds) }
}

/// How many bytes of revocations each period of the live set holds.
public struct LiveDirectory: Equatable, Sendable {
    /// The life of the data; nil when none is open.
    public let epoch: Epoch?
    /// By period.
    public let bytes: [UInt32: Int]
    /// Whether all of it is what the scripts write. Where it is not, a period may be missing.
    public let isReadable: Bool

    /// What Redis holds.
    public init(epoch: Epoch?, bytes: [UInt32: Int], isReadable: Bool = true) {
        self.epoch = epoch
        self.bytes = bytes
        self.isReadable = isReadable
    }
}
