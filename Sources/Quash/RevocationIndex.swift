import Synchronization

/// A validator's set of revocations: exact, in memory, O(1), shared by every loop of the process.
///
/// It grows only (invariant S2): an entry leaves when the greatest civil time seen has passed its expiry by the clock
/// skew and ``Retention/margin``, and for no other reason; ``Writer/discardTime()`` is for a clock that was wrong.
/// Applying is idempotent and commutative, so entries may come twice, late, and in any order.
///
/// When it is full, the revocations that expire first give way to the new, and no token that expires by then is
/// accepted any more: ``cutBy`` says until when. So what is refused becomes coarser, and never less. In this order:
/// what has expired goes; tokens are refused as expired, by up to ``longestCut`` before their time; about tokens that
/// expire by up to ``longestGap`` from now nothing is said any more, and those that live longer are still judged; and
/// where that makes no room either, the index refuses, and its owner says nothing about any token.
///
/// One ``Writer`` changes it, on the feed's thread. Each loop reads through a ``Reader`` of its own, without a lock.
public final class RevocationIndex: Sendable {
    /// Revocations whatever the issue time: no bound to store. The most common by far.
    private let plain = ConcurrentTable(hasBounds: false)
    /// Revocations of what was issued at or before an instant.
    private let bounded = ConcurrentTable(hasBounds: true)
    private let statistics = Statistics()

    private let hasWriter = Atomic(false)

    /// How long before its time a token may be refused when the index is full: five minutes.
    public static let longestCut: Duration = .seconds(300)
    /// How far ahead may expire what nothing is said about when the index is full: a day, the longest that access
    /// tokens of Quash live.
    public static let longestGap: Duration = .seconds(86_400)

    /// An index without entries.
    public init() {}

    /// The one writer of this index.
    ///
    /// - Parameter maxRevocations: entries beyond which ``Writer/apply(_:)`` refuses; 20 to 50 bytes of memory each.
    /// - Parameter clockSkew: how long after its `exp` a token is still accepted.
    /// - Precondition: called once.
    public func makeWriter(maxRevocations: Int, clockSkew: Duration) -> Writer {
        precondition(!hasWriter.exchange(true, ordering: .relaxed), "an index has one writer")
        return Writer(self, maxRevocations: maxRevocations, clockSkew: clockSkew)
    }

    /// Entries of one kind, the expired ones not yet dropped included.
    public func count(of kind: RevocationKind) -> Int { statistics.entries[kind].load(ordering: .relaxed) }

    /// Bytes of memory of the index.
    public var bytes: Int { statistics.bytes.load(ordering: .relaxed) }

    /// How often the index was added to. A decision made when it had this value needs no new look-up while it still
    /// has.
    public var changes: UInt64 { statistics.changes.load(ordering: .acquiring) }

    /// The greatest civil time by which anything was dropped as expired; later than any clock's when the index was
    /// full. A decision judges `exp` by this, if it is later than its own clock, **after** it looked for revocations:
    /// so what was dropped as expired is refused as expired, even by a thread whose clock never showed that time.
    public var droppedBy: WallInstant {
        WallInstant(milliseconds: statistics.droppedByMilliseconds.load(ordering: .acquiring))
    }

    /// The greatest civil time that the writer was given; never later than a clock showed, unlike ``droppedBy``.
    public var latest: WallInstant {
        WallInstant(milliseconds: statistics.latestMilliseconds.load(ordering: .acquiring))
    }

    /// How often the greatest civil time was discarded. A decision that saw this change may have missed what had been
    /// dropped by that time, and does not count.
    public var discards: UInt64 { statistics.discards.load(ordering: .acquiring) }

    /// No token that expires by this is accepted, because the index was full and what expired by then was let go; in
    /// the past when it was not. Later than ``droppedBy`` where that is more than tokens may be called expired before
    /// their time. Looked at **after** the revocations, too.
    public var cutBy: WallInstant {
        WallInstant(milliseconds: statistics.cutByMilliseconds.load(ordering: .acquiring))
    }

    fileprivate final class Statistics: Sendable {
        let discards = Atomic<UInt64>(0)
        let latestMilliseconds = Atomic<Int64>(0)
        let droppedByMilliseconds = Atomic<Int64>(0)
        let cutByMilliseconds = Atomic<Int64>(0)
        let entries = PerKind()
        let bytes = Atomic<Int>(0)
        let changes = Atomic<UInt64>(0)
    }

    /// One count for each kind.
    fileprivate final class PerKind: Sendable {
        private let token = Atomic(0)
        private let session = Atomic(0)
        private let subject = Atomic(0)
        private let client = Atomic(0)
        private let key = Atomic(0)
        private let everything = Atomic(0)

        subscript(kind: RevocationKind) -> Atomic<Int> {
            _read {
                switch kind {
                case .token: yield token
                case .session: yield session
                case .subject: yield subject
                case .client: yield client
                case .key: yield key
                case .everything: yield everything
                }
            }
        }
    }

    /// One loop's view of the index. Not Sendable: made and used on one thread.
    public final class Reader {
        private let plain: ConcurrentTable.Reader
        private let bounded: ConcurrentTable.Reader
        private let statistics: Statistics

        /// A view of `index` for the thread that makes it.
        public init(_ index: RevocationIndex) {
            plain = ConcurrentTable.Reader(index.plain)
            bounded = ConcurrentTable.Reader(index.bounded)
            statistics = index.statistics
        }

        /// Whether there is any revocation of `kind`: without one, no key of it need be made. One load.
        public func has(_ kind: RevocationKind) -> Bool {
            statistics.entries[kind].load(ordering: .acquiring) != 0
        }

        /// Whether a token with this identifier, issued at `issuedAt`, is revoked. O(1), no allocation.
        ///
        /// - Parameters:
        ///   - key: what the token says of one kind.
        ///   - issuedAt: when the token says that it was issued.
        ///   - toleranceMilliseconds: how far the clock that wrote `issuedAt` may be ahead of the one that a bound was
        ///     read from; 0 to 60,000. Zero for what an issuer of ours dated.
        public func revokes(_ key: RevocationKey, issuedAt: WallInstant, toleranceMilliseconds: Int64 = 0) -> Bool {
            guard has(key.kind) else { return false }
            if plain.match(key) != .absent { return true }
            guard case .present(let bound) = bounded.match(key) else { return false }
            return IssueBound(packed: bound).covers(issuedAt, toleranceMilliseconds: toleranceMilliseconds)
        }
    }

    /// The one place from which the index changes.
    public struct Writer: ~Copyable {
        private let statistics: Statistics
        private var plain: ConcurrentTable.Writer
        private var bounded: ConcurrentTable.Writer
        private let maxRevocations: Int
        private let graceSeconds: Int64
        private var latest = WallInstant(milliseconds: 0)
        /// Every token that expires before this second is refused though it has not expired: the index was full.
        private var cutBySeconds: Int64 = 0

        fileprivate init(_ index: RevocationIndex, maxRevocations: Int, clockSkew: Duration) {
            statistics = index.statistics
            plain = ConcurrentTable.Writer(index.plain)
            bounded = ConcurrentTable.Writer(index.bounded)
            self.maxRevocations = maxRevocations
            graceSeconds = (clockSkew + Retention.margin).components.seconds
            publish()
        }

        /// Entries, the expired ones not yet dropped included.
        public var count: Int { plain.count + bounded.count }

        /// Whether applying `revocation` would change nothing. O(1).
        public func covers(_ revocation: Revocation) -> Bool {
            let expiry = revocation.expiresAtSeconds
            guard let bound = revocation.issuedBefore else {
                return plain.covers(revocation.key, expiresAtSeconds: expiry, bound: .max)
            }
            return bounded.covers(
                revocation.key, expiresAtSeconds: expiry, bound: IssueBound(bound, by: revocation.boundClock).packed)
        }

        /// Until when an entry without a bound is remembered, in seconds since 1970; nil when there is none. O(1).
        public func expiry(of key: RevocationKey) -> UInt32? { plain.expiry(of: key) }

        /// Every entry that does not expire before `instant`, in no order. O(entries).
        public func revocations(from instant: WallInstant) -> [Revocation] {
            revocations { Int64($0) >= instant.seconds }
        }

        /// Every entry that expires in one of these periods of the live set, in no order. O(entries).
        public func revocations(in periods: Set<UInt32>) -> [Revocation] {
            guard let first = periods.min(), let last = periods.max() else { return [] }
            // A table, because a set would be asked once for each entry.
            let isWanted = (first...last).map(periods.contains)
            return revocations {
                let period = LivePage.period(ofExpiry: $0)
                return period >= first && period <= last && isWanted[Int(period - first)]
            }
        }

        private func revocations(_ isWanted: (_ expiresAtSeconds: UInt32) -> Bool) -> [Revocation] {
            var revocations: [Revocation] = []
            plain.forEach { key, expiry, _ in
                guard isWanted(expiry) else { return }
                revocations.append(Revocation(key: key, expiresAtSeconds: expiry))
            }
            bounded.forEach { key, expiry, bound in
                guard isWanted(expiry) else { return }
                for (instant, clock) in IssueBound(packed: bound).bounds {
                    revocations.append(
                        Revocation(key: key, issuedBefore: instant, by: clock, expiresAtSeconds: expiry))
                }
            }
            return revocations
        }

        /// What expires in each of `count` periods of the live set, from `first` on, in brief. O(entries).
        public func digests(first: UInt32, count: Int) -> [HeldDigest] {
            var digests = [HeldDigest](repeating: HeldDigest(), count: count)
            func add(_ key: RevocationKey, _ expiry: UInt32, _ bound: Int64) {
                let offset = Int(LivePage.period(ofExpiry: expiry)) - Int(first)
                guard digests.indices.contains(offset) else { return }
                digests[offset].add(key, expiresAtSeconds: expiry, bound: bound)
            }
            plain.forEach(add)
            bounded.forEach(add)
            return digests
        }

        /// Makes room for this many revocations at once, or for as many as the ceiling allows. Only saves time.
        public mutating func reserve(_ revocations: Int) {
            plain.reserve(min(revocations, maxRevocations))
            publish()
        }

        /// Adds revocations; the strictest of equal keys stays. Amortised O(1) each.
        ///
        /// - Throws: ``IndexFull`` when the ceiling is reached and letting go what expires within
        ///   ``RevocationIndex/longestGap`` does not make room; what came before in the list is in.
        public mutating func apply(_ revocations: [Revocation]) throws(IndexFull) {
            defer { publish() }
            for start in stride(from: 0, to: revocations.count, by: Self.prefetched) {
                let group = start..<min(start + Self.prefetched, revocations.count)
                for place in group where revocations[place].issuedBefore == nil {
                    plain.prefetch(revocations[place].key)
                }
                for place in group { try apply(revocations[place]) }
            }
        }

        /// Look-ups whose waits for memory overlap.
        private static let prefetched = 16

        private mutating func apply(_ revocation: Revocation) throws(IndexFull) {
            let key = revocation.key
            if count >= maxRevocations {
                let known = revocation.issuedBefore == nil ? plain.contains(key) : bounded.contains(key)
                guard known || isCut(revocation) else {
                    try makeRoom()
                    return try apply(revocation)
                }
            }
            // Before the entry (publish() makes it exact), because a reader does not look for a kind of which there is
            // none.
            if statistics.entries[key.kind].load(ordering: .relaxed) == 0 {
                statistics.entries[key.kind].store(1, ordering: .releasing)
            }
            if let bound = revocation.issuedBefore {
                bounded.put(
                    key, expiresAtSeconds: revocation.expiresAtSeconds,
                    bound: IssueBound(bound, by: revocation.boundClock).packed)
            } else if !isCut(revocation) {
                plain.put(key, expiresAtSeconds: revocation.expiresAtSeconds, bound: .max)
            }
        }

        /// Lets go what no accepted token can need any more.
        ///
        /// - Parameter latest: the greatest civil time seen: expiry does not go back with a clock that does.
        /// - Parameter atOnce: lets a few go as well, whose memory is not worth giving back. O(capacity).
        public mutating func expire(at latest: WallInstant, atOnce: Bool = false) {
            self.latest = max(self.latest, latest)
            // Before anything is dropped by it: who sees what was dropped as expired sees by which time.
            statistics.latestMilliseconds.store(self.latest.milliseconds, ordering: .sequentiallyConsistent)
            drop(by: latest, isRoomNeeded: atOnce)
        }

        /// Discards the greatest civil time, after the clock that showed it was corrected. What was dropped by it is
        /// missing until the live set is read again; what is there stays, which is always safe.
        ///
        /// - Precondition: the lease was dropped before, and is extended only by a grant that was asked for after the
        ///   live set was read again.
        public mutating func discardTime() {
            // Before the time itself: who sees the token as not expired sees that this has changed.
            statistics.discards.add(1, ordering: .sequentiallyConsistent)
            latest = WallInstant(milliseconds: 0)
            cutBySeconds = 0
            plain.discardTime()
            bounded.discardTime()
            statistics.droppedByMilliseconds.store(0, ordering: .sequentiallyConsistent)
            statistics.cutByMilliseconds.store(0, ordering: .sequentiallyConsistent)
            statistics.latestMilliseconds.store(0, ordering: .sequentiallyConsistent)
            publish()
        }

        private mutating func drop(by instant: WallInstant, isRoomNeeded: Bool = false) {
            let expired = min(instant, latest + RevocationIndex.longestCut)
            statistics.droppedByMilliseconds.max(expired.milliseconds, ordering: .sequentiallyConsistent)
            plain.drop(before: instant.seconds - graceSeconds, isRoomNeeded: isRoomNeeded)
            bounded.drop(before: instant.seconds - graceSeconds, isRoomNeeded: isRoomNeeded)
            publish()
        }

        /// Lets go what has expired; if that is not enough, an eighth of the entries, those that expire first, or as
        /// many of them as tokens may be cut short for; and if even those that expire first live on for longer, they.
        private mutating func makeRoom() throws(IndexFull) {
            drop(by: latest, isRoomNeeded: true)
            guard count >= maxRevocations else { return }
            func end(_ ahead: Duration) -> Int64 { (latest + ahead).seconds - graceSeconds }
            var second = plain.second(beforeWhichExpire: maxRevocations / 8 + 1) ?? .max
            // Not for a few: each time costs a look at all of them.
            if second > end(RevocationIndex.longestCut) {
                second = plain.second(beforeWhichExpire: maxRevocations / 64 + 1) ?? .max
            }
            guard second <= end(RevocationIndex.longestGap) else { throw IndexFull(maxRevocations: maxRevocations) }
            cutBySeconds = second + graceSeconds
            let cut = WallInstant(seconds: cutBySeconds)
            statistics.cutByMilliseconds.max(cut.milliseconds, ordering: .sequentiallyConsistent)
            drop(by: cut, isRoomNeeded: true)
        }

        /// Whether tokens are refused before they expire, because the index was full. Until the time of the last
        /// ``expire(at:atOnce:)`` has come to that.
        public var cutsTokensShort: Bool {
            latest.milliseconds < statistics.cutByMilliseconds.load(ordering: .relaxed)
        }

        /// Whether what it revokes was cut short, and is refused without it.
        private func isCut(_ revocation: Revocation) -> Bool {
            revocation.issuedBefore == nil && Int64(revocation.expiresAtSeconds) + graceSeconds < cutBySeconds
        }

        private func publish() {
            for kind in RevocationKind.allCases {
                let entries = plain.counts[Int(kind.rawValue)] + bounded.counts[Int(kind.rawValue)]
                statistics.entries[kind].store(entries, ordering: .releasing)
            }
            statistics.bytes.store(plain.bytes + bounded.bytes, ordering: .relaxed)
            statistics.changes.add(1, ordering: .releasing)
            // A confirmation may leave this process next: every reader's later load must see what was just stored.
            atomicMemoryFence(ordering: .sequentiallyConsistent)
        }
    }
}

/// The index holds as many revocations as it was allowed to. Its owner must stop accepting tokens: it cannot know all
/// that is revoked.
public struct IndexFull: Error, Equatable, CustomStringConvertible {
    /// The ceiling that the writer was made with.
    public let maxRevocations: Int

    public var description: String {
        "the revocation index is full at \(maxRevocations) entries: raise max-revocations, or give it more memory"
    }
}
