/// What an issuer holds of one period, in brief: it changes when anything is added.
public struct HeldDigest: Equatable, Sendable {
    /// Entries.
    public var count = 0
    /// Over the entries, in whatever order.
    private var sum: UInt64 = 0

    /// Of nothing.
    public init() {}

    mutating func add(_ key: RevocationKey, expiresAtSeconds: UInt32, bound: Int64) {
        count += 1
        var word = key.high ^ (key.low &* 0x9E37_79B9_7F4A_7C15)
        word ^= UInt64(bitPattern: bound) &* 0xD6E8_FEB8_6659_FD93 ^ UInt64(expiresAtSeconds) << 32
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        sum &+= word ^ (word >> 31)
    }
}

/// Whether the live set has what this issuer holds, looked at once a minute, as a pure state machine: somebody who can
/// write to Redis may take a period out of the directory, or write over a part of the live set, and no node that has
/// read it would notice.
///
/// One way only: that the live set has more is no fault, and what others hold they look for themselves.
///
/// A round reads the whole live set, a page at a time. Where neither what is held of a period nor the bytes of it have
/// changed since they were compared, they are not compared again. What is missing in two rounds in a row, a minute
/// apart, ends the epoch: a commit that was under way in the first has come by the second, or was made again.
///
/// ## States
/// waiting → the held in brief → the directory → every page → for a part of the periods that changed, the held in
/// full → their pages → the next part, or waiting.
public struct LiveSetAudit: Sendable {
    /// What the driver has to do.
    public enum Action: Equatable, Sendable {
        /// Pass what is held of so many periods from the first on to ``LiveSetAudit/received(digests:first:now:)``.
        case readDigests(first: UInt32, count: Int)
        case readDirectory
        case read(LivePage)
        /// Pass all that is held of these periods to ``LiveSetAudit/received(held:now:)``.
        case readHeld(Set<UInt32>)
        /// Commit these again: the live set has them, but not until when they count, or with a lesser bound.
        case commit([Revocation])
        /// End the epoch: it lacks so much, or these periods cannot be read.
        case end(Epoch, EpochDamage, missing: Int, unreadable: [UInt32])
        /// The live set has all that is held.
        case isWhole
        /// Call ``LiveSetAudit/deadlineReached(epoch:now:)`` then; replaces an earlier wish.
        case wake(at: BootInstant)
    }

    private enum State {
        case waiting
        case readingDigests
        case readingDirectory
        case hashing(LiveSetLoad)
        case readingHeld
        case comparing(LiveSetLoad)
    }

    /// What was found to be in the live set, and is not looked for again before either changes.
    private struct Compared: Equatable {
        var held: HeldDigest
        var pages: [TokenHash.Value]
    }

    private struct Key: Hashable {
        let key: RevocationKey
        /// Nil without a bound.
        var clock: BoundClock?

        init(_ revocation: Revocation) {
            key = revocation.key
            clock = revocation.issuedBefore == nil ? nil : revocation.boundClock
        }

        /// Those that the index keeps in one entry, with one expiry.
        var siblings: [Key] {
            guard clock != nil else { return [self] }
            return [BoundClock.ours, .provider].map { clock in
                var sibling = self
                sibling.clock = clock
                return sibling
            }
        }
    }

    private struct Held {
        let revocation: Revocation
        var hasExpiry = false
        var hasBound = false
    }

    /// Between two rounds, give or take a tenth.
    public static let interval: Duration = .seconds(60)
    /// What expires sooner is not looked for.
    static let margin: Duration = .seconds(120)
    /// Periods of a directory that are looked at: 31 days and an hour. What would expire later no token can need.
    static let periods = 31 * 24 + 1
    /// Entries that are compared at once, so that memory is bounded.
    private let mostHeld: Int
    /// When so much is missing no more is looked for.
    private static let mostMissing = 10_000

    private let interval: Duration
    private var jitter: SystemJitter
    private let hash = TokenHash.random(maxBytes: LivePage.pageBytes)
    private var state = State.waiting
    private var epoch: Epoch?
    private var compared: [UInt32: Compared] = [:]
    private var digests: [UInt32: HeldDigest] = [:]
    private var directory: LiveDirectory?
    private var pages: [UInt32: [TokenHash.Value]] = [:]
    /// Periods that are still to be compared in this round, the last first.
    private var changed: [UInt32] = []
    private var held: [Key: Held] = [:]
    private var part: Set<UInt32> = []
    private var missing: Set<Revocation> = []
    private var weak: [Revocation] = []
    /// What was missing in the round before, of the same epoch.
    private var missingBefore: (epoch: Epoch, revocations: Set<Revocation>)?

    /// `seed` is that of the jitter between rounds; `mostHeld` entries or a period are compared at once.
    public init(seed: UInt64, interval: Duration = Self.interval, mostHeld: Int = 1_000_000) {
        jitter = SystemJitter(state: seed)
        self.interval = interval
        self.mostHeld = mostHeld
    }

    // MARK: Events

    /// Begins: the first round follows after an interval.
    public mutating func started(now: BootInstant) -> [Action] { [wake(now)] }

    /// The instant of the last ``Action/wake(at:)`` has come. Commits go to `epoch`; it is nil unless all that is held
    /// was committed to it as far as is known.
    public mutating func deadlineReached(epoch: Epoch?, now: ClockReading) -> [Action] {
        guard case .waiting = state else { return [] }
        guard let epoch else {
            missingBefore = nil
            return [wake(now.boot)]
        }
        if missingBefore?.epoch != epoch { missingBefore = nil }
        (self.epoch, missing, weak) = (epoch, [], [])
        state = .readingDigests
        return [.readDigests(first: Self.first(now), count: Self.periods)]
    }

    /// What was asked for could not be had: the round ends.
    public mutating func failed(now: BootInstant) -> [Action] {
        if case .waiting = state { return [] }
        reset()
        return [wake(now)]
    }

    /// What is held of each period, from the one that was asked for on.
    public mutating func received(digests: [HeldDigest], first: UInt32, now: BootInstant) -> [Action] {
        guard case .readingDigests = state else { return [] }
        self.digests = [:]
        for (offset, digest) in digests.enumerated() where digest.count > 0 {
            self.digests[first + UInt32(offset)] = digest
        }
        compared = compared.filter { self.digests[$0.key] != nil }
        state = .readingDirectory
        return [.readDirectory]
    }

    /// The directory of the live set was read.
    public mutating func received(_ directory: LiveDirectory, now: BootInstant) -> [Action] {
        guard case .readingDirectory = state, let epoch else { return [] }
        self.directory = directory
        pages = [:]
        var load = LiveSetLoad(start: FeedPosition(epoch: epoch, sequence: 0))
        return proceed(load.received(directory), load, now)
    }

    /// The page that was asked for last was read; nil when what is there is no part of a live set.
    public mutating func received(page bytes: [UInt8]?, now: ClockReading) -> [Action] {
        let isComparing: Bool
        var load: LiveSetLoad
        switch state {
        case .hashing(let loading): (load, isComparing) = (loading, false)
        case .comparing(let loading): (load, isComparing) = (loading, true)
        default: return []
        }
        guard let epoch, let period = load.period else { return [] }
        guard let bytes, let (revocations, step) = try? load.received(page: bytes, now: now.wall) else {
            reset()
            return [.end(epoch, .unreadable, missing: 0, unreadable: [period]), wake(now.boot)]
        }
        if !bytes.isEmpty { pages[period, default: []].append(hash.hash(bytes.span)) }
        // In another period it would be forgotten with that.
        if isComparing {
            for revocation in revocations where LivePage.period(ofExpiry: revocation.expiresAtSeconds) == period {
                find(revocation)
            }
        }
        return proceed(step, load, now.boot, isComparing: isComparing)
    }

    /// All that is held of the periods that were asked for.
    public mutating func received(held revocations: [Revocation], now: ClockReading) -> [Action] {
        guard case .readingHeld = state, let epoch, let directory else { return [] }
        held = [:]
        let soon = (now.wall + Self.margin).seconds
        for revocation in revocations where Int64(revocation.expiresAtSeconds) > soon {
            held[Key(revocation)] = Held(revocation: revocation)
        }
        for period in part { pages[period] = nil }
        var load = LiveSetLoad(start: FeedPosition(epoch: epoch, sequence: 0))
        let bytes = directory.bytes.filter { part.contains($0.key) }
        let step = load.received(LiveDirectory(epoch: epoch, bytes: bytes))
        return proceed(step, load, now.boot, isComparing: true)
    }

    // MARK: Steps

    private static func first(_ now: ClockReading) -> UInt32 {
        UInt32(clamping: (now.wall + Self.margin).seconds / LivePage.periodSeconds)
    }

    private mutating func proceed(
        _ step: LiveSetLoad.Step, _ load: LiveSetLoad, _ now: BootInstant, isComparing: Bool = false
    ) -> [Action] {
        switch step {
        case .read(let page):
            state = isComparing ? .comparing(load) : .hashing(load)
            return [.read(page)]
        case .restart:
            reset()
            return [wake(now)]
        case .damaged(let how):
            reset()
            return [.end(load.start.epoch, how, missing: 0, unreadable: []), wake(now)]
        case .complete:
            if isComparing {
                settle()
            } else {
                changed = digests.keys.sorted(by: >).filter { period in
                    compared[period] != Compared(held: digests[period] ?? HeldDigest(), pages: pages[period] ?? [])
                }
            }
            return nextPart(now)
        }
    }

    /// Takes as many of the periods that changed as are compared at once.
    private mutating func nextPart(_ now: BootInstant) -> [Action] {
        part = []
        var count = 0
        while let period = changed.last, missing.count < Self.mostMissing {
            count += digests[period]?.count ?? 0
            guard part.isEmpty || count <= mostHeld else { break }
            part.insert(period)
            changed.removeLast()
        }
        guard !part.isEmpty else { return conclude(now) }
        state = .readingHeld
        return [.readHeld(part)]
    }

    /// The live set has this.
    ///
    /// What is held of a key is the strictest of all that was heard: the latest expiry, and of each clock the latest
    /// bound, which may be of several revocations.
    private mutating func find(_ revocation: Revocation) {
        let found = Key(revocation)
        let bound = revocation.issuedBefore?.milliseconds ?? .max
        for key in found.siblings {
            guard var entry = held[key] else { continue }
            if revocation.expiresAtSeconds >= entry.revocation.expiresAtSeconds { entry.hasExpiry = true }
            let isSameClock = key == found
            if isSameClock, bound >= entry.revocation.issuedBefore?.milliseconds ?? .max { entry.hasBound = true }
            held[key] = entry.hasExpiry && entry.hasBound ? nil : entry
        }
    }

    /// A part was compared; what is left of it the live set lacks.
    private mutating func settle() {
        var isWhole = part
        for entry in held.values {
            isWhole.remove(LivePage.period(ofExpiry: entry.revocation.expiresAtSeconds))
            // Its greater bound may have stood in a period that Redis has let go of.
            if entry.hasExpiry { weak.append(entry.revocation) } else { missing.insert(entry.revocation) }
        }
        held = [:]
        for period in isWhole {
            compared[period] = digests[period].map { Compared(held: $0, pages: pages[period] ?? []) }
        }
    }

    /// Every period that changed was compared.
    private mutating func conclude(_ now: BootInstant) -> [Action] {
        guard let epoch else { return [] }
        let (missing, weak) = (missing, weak)
        let still = missingBefore.map { missing.intersection($0.revocations) } ?? []
        reset()
        missingBefore = missing.isEmpty ? nil : (epoch, missing)
        if !still.isEmpty {
            missingBefore = nil
            return [.end(epoch, .missing, missing: still.count, unreadable: []), wake(now)]
        }
        if !weak.isEmpty { return [.commit(Array(weak.prefix(Self.mostMissing))), wake(now)] }
        return (missing.isEmpty ? [.isWhole] : []) + [wake(now)]
    }

    private mutating func reset() {
        state = .waiting
        epoch = nil
        directory = nil
        (digests, pages, held, missing) = ([:], [:], [:], [])
        (changed, part, weak) = ([], [], [])
    }

    private mutating func wake(_ now: BootInstant) -> Action {
        .wake(at: now + interval * 9 / 10 + jitter.next(below: interval / 5))
    }
}
