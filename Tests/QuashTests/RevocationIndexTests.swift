import Synchronization
import TestSupport
import Testing

@testable import Quash

@Suite struct RevocationIndexTests {
    private static let now = WallInstant(seconds: 1_800_000_000)

    private func writer(_ index: RevocationIndex, max: Int = 1_000_000) -> RevocationIndex.Writer {
        index.makeWriter(maxRevocations: max, clockSkew: .zero)
    }

    /// What the index answers for everything in the small space that `Revocation.random` draws from.
    private func state(of index: RevocationIndex) -> [Bool] {
        let reader = RevocationIndex.Reader(index)
        return RevocationKind.allCases.flatMap { kind in
            (0...7 as ClosedRange<UInt8>).flatMap { number in
                (0...10 as ClosedRange<Int64>).map { time in
                    let key = RevocationKey(kind: kind, identifier: [UInt8](repeating: number, count: 15))
                    return reader.revokes(key, issuedAt: WallInstant(milliseconds: time))
                }
            }
        }
    }

    @Test func emptyRevokesNothing() {
        #expect(!state(of: RevocationIndex()).contains(true))
    }

    @Test func boundIsInclusiveAndTheStrictestWins() throws {
        let index = RevocationIndex()
        var writer = writer(index)
        let reader = RevocationIndex.Reader(index)
        let key = RevocationKey(kind: .subject, identifier: [UInt8](repeating: 9, count: 15))
        func revoke(_ bound: Int64?) throws {
            let bound = bound.map(WallInstant.init(milliseconds:))
            try writer.apply([Revocation(key: key, issuedBefore: bound, expiresAtSeconds: 1_800_000_900)])
        }
        try revoke(1000)
        try revoke(500)
        #expect(reader.revokes(key, issuedAt: WallInstant(milliseconds: 1000)))
        #expect(!reader.revokes(key, issuedAt: WallInstant(milliseconds: 1001)))
        try revoke(nil)
        #expect(reader.revokes(key, issuedAt: WallInstant(milliseconds: 1001)))
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func anyOrderAndRepetitionGivesTheSameState(seed: UInt64) throws {
        var generator = SeededGenerator(seed)
        let revocations = (0..<60).map { _ in Revocation.random(using: &generator) }
        let inOrder = RevocationIndex()
        var first = writer(inOrder)
        try first.apply(revocations)

        let shuffled = RevocationIndex()
        var second = writer(shuffled)
        // Two overlapping subsets whose union is everything, each shuffled, one of them twice.
        let subset = revocations.filter { _ in Bool.random(using: &generator) }
        for part in [subset, revocations, subset] { try second.apply(part.shuffled(using: &generator)) }
        #expect(state(of: inOrder) == state(of: shuffled))
        #expect(first.count == second.count)
    }

    @Test func growsWithoutLosingAnything() throws {
        let index = RevocationIndex()
        var writer = writer(index)
        for start in stride(from: 0, to: 20_000, by: 100) {
            try writer.apply((start..<start + 100).map { Revocation.token(UInt64($0)) })
        }
        let reader = RevocationIndex.Reader(index)
        let missing = (0..<20_000).filter { !reader.revokes(Revocation.token(UInt64($0)).key, issuedAt: Self.now) }
        let wrong = (20_000..<40_000).filter { reader.revokes(Revocation.token(UInt64($0)).key, issuedAt: Self.now) }
        #expect(missing.isEmpty)
        #expect(wrong.isEmpty)
        #expect(index.count(of: .token) == 20_000)
        #expect(index.bytes < 20_000 * 60)
    }

    @Test func S2_keepsEverythingUntilExpirySkewAndMarginHavePassed() throws {
        let index = RevocationIndex()
        var writer = index.makeWriter(maxRevocations: 1_000_000, clockSkew: .seconds(5))
        let reader = RevocationIndex.Reader(index)
        // Each the last second of what is let go as a whole, so that nothing but the grace keeps it.
        let (first, second) = (1_800_000_063, 1_800_000_127) as (Int64, Int64)
        try writer.apply((0..<2000).map { Revocation.token($0, expiresAtSeconds: UInt32(first)) })
        try writer.apply((2000..<2100).map { Revocation.token($0, expiresAtSeconds: UInt32(second)) })
        func remaining() -> Int {
            (0..<2100).count { reader.revokes(Revocation.token(UInt64($0)).key, issuedAt: Self.now) }
        }
        writer.expire(at: WallInstant(seconds: first + 5 + 60))
        #expect(remaining() == 2100)
        // A clock that goes back takes nothing away either.
        writer.expire(at: WallInstant(seconds: 1_700_000_000))
        #expect(remaining() == 2100)
        writer.expire(at: WallInstant(seconds: second + 5 + 60))
        #expect(remaining() == 100)
        #expect(index.count(of: .token) == 100)
    }

    @Test func aLaterExpiryOfTheSameTokenIsKept() throws {
        let index = RevocationIndex()
        var writer = writer(index)
        let reader = RevocationIndex.Reader(index)
        try writer.apply((0..<2000).map { Revocation.token($0, expiresAtSeconds: 1_800_000_000) })
        try writer.apply([Revocation.token(7, expiresAtSeconds: 1_800_009_000)])
        try writer.apply([Revocation.token(7, expiresAtSeconds: 1_800_000_001)])
        writer.expire(at: WallInstant(seconds: 1_800_001_000))
        #expect(reader.revokes(Revocation.token(7).key, issuedAt: Self.now))
        #expect(!reader.revokes(Revocation.token(8).key, issuedAt: Self.now))
    }

    @Test func theCeilingRefusesWhatIsNewAndKeepsWhatIsIn() throws {
        let index = RevocationIndex()
        var writer = writer(index, max: 10)
        try writer.apply((0..<10).map { Revocation.token($0) })
        #expect(throws: IndexFull(maxRevocations: 10)) { try writer.apply([Revocation.token(10)]) }
        try writer.apply([Revocation.token(3)])
        let reader = RevocationIndex.Reader(index)
        #expect((0..<10).allSatisfy { reader.revokes(Revocation.token($0).key, issuedAt: Self.now) })
    }

    /// What expires first gives way, and every token that expires by then is refused instead.
    @Test func S2_aFullIndexCutsTokensShortInsteadOfForgetting() throws {
        let index = RevocationIndex()
        var writer = index.makeWriter(maxRevocations: 1000, clockSkew: .seconds(1))
        let start = Self.now.seconds
        writer.expire(at: Self.now)
        let reader = RevocationIndex.Reader(index)
        // Expiring from now to a quarter of an hour from now, in an order of its own.
        let expiries = (0..<1100).map { number in UInt32(start + Int64(number * 7919 % 900)) }
        for number in 0..<1100 { try writer.apply([.token(UInt64(number), expiresAtSeconds: expiries[number])]) }
        let cut = index.droppedBy.seconds
        #expect(cut > start && cut <= start + 300 && cut == index.cutBy.seconds)
        let isCutting = writer.cutsTokensShort
        #expect(isCutting && writer.count <= 1000)
        var gone = 0
        for number in 0..<1100 {
            let isThere = reader.revokes(Revocation.token(UInt64(number)).key, issuedAt: Self.now)
            // By `exp` and the skew, as a decision judges it.
            let isExpired = cut >= Int64(expiries[number]) + 1
            #expect(isThere || isExpired, "token \(number) is forgotten")
            gone += isThere ? 0 : 1
        }
        #expect(gone >= 126)
        // What comes again and is refused already takes no room.
        let before = writer.count
        try writer.apply((0..<1100).map { .token(UInt64($0), expiresAtSeconds: expiries[$0]) })
        #expect(writer.count == before)
        writer.expire(at: WallInstant(seconds: cut))
        let isStillCutting = writer.cutsTokensShort
        #expect(!isStillCutting)
    }

    /// Where tokens live on for longer than five minutes, those that expire first give way, up to a day ahead, and
    /// nothing is said about such tokens. Beyond that the index refuses, and keeps what it has.
    @Test func S2_aFullIndexCutsNoTokenByMoreThanItMay() throws {
        let index = RevocationIndex()
        var writer = index.makeWriter(maxRevocations: 1000, clockSkew: .seconds(1))
        writer.expire(at: Self.now)
        let (day, month) = (UInt32(Self.now.seconds + 86_400), UInt32(Self.now.seconds + 30 * 86_400))
        try writer.apply((0..<900).map { .token($0, expiresAtSeconds: day) })
        try writer.apply((900..<1000).map { .token($0, expiresAtSeconds: month) })
        // A day, and what is kept beyond that.
        #expect(throws: IndexFull(maxRevocations: 1000)) {
            try writer.apply([.token(1000, expiresAtSeconds: day)])
        }
        #expect(index.cutBy < Self.now && index.count(of: .token) == 1000)
        // The same some minutes later: now they may go.
        writer.expire(at: WallInstant(seconds: Self.now.seconds + 750))
        try writer.apply([.token(1000, expiresAtSeconds: month)])
        #expect(index.cutBy.seconds >= Int64(day) + 1 && index.count(of: .token) == 101)
        #expect(index.droppedBy.seconds == Self.now.seconds + 750 + 300)
        let reader = RevocationIndex.Reader(index)
        #expect((900...1000).allSatisfy { reader.revokes(Revocation.token($0).key, issuedAt: Self.now) })
        // What comes now and expires by then needs no room.
        try writer.apply([.token(1001, expiresAtSeconds: day)])
        #expect(index.count(of: .token) == 101)
    }

    /// What has expired goes first: no token is cut short for it, and nothing is refused.
    @Test func aFullIndexFirstLetsGoWhatHasExpired() throws {
        let index = RevocationIndex()
        var writer = writer(index, max: 1000)
        let start = UInt32(Self.now.seconds)
        try writer.apply((0..<100).map { .token($0, expiresAtSeconds: start) })
        try writer.apply((100..<1000).map { .token($0, expiresAtSeconds: start + 86_400) })
        // Too few for the memory to be given back by itself.
        writer.expire(at: WallInstant(seconds: Self.now.seconds + 600))
        #expect(index.count(of: .token) == 1000)
        try writer.apply([.token(1000, expiresAtSeconds: start + 86_400)])
        #expect(index.count(of: .token) == 901)
        let isCutting = writer.cutsTokensShort
        #expect(!isCutting)
    }

    /// Room that is made before is the same as room that grows.
    @Test(arguments: [0, 1, 63, 64, 1000, 50_000])
    func reservedRoomChangesNothing(entries: Int) throws {
        let index = RevocationIndex()
        var writer = writer(index, max: 20_000)
        try writer.apply((0..<1000).map { Revocation.token($0) })
        writer.reserve(entries)
        let bytes = index.bytes
        try writer.apply((1000..<20_000).map { Revocation.token($0) })
        let reader = RevocationIndex.Reader(index)
        #expect((0..<20_000).allSatisfy { reader.revokes(Revocation.token($0).key, issuedAt: Self.now) })
        if entries > 20_000 { #expect(index.bytes == bytes, "not more than the ceiling, and enough for that") }
        #expect(index.bytes < 20_000 * 40)
    }

    /// Two readers look for what is in while the writer grows and drops. A block freed under a reader shows as a
    /// missing entry, a crash, or a report of the address sanitizer.
    @Test func readersBesideABusyWriterNeverMissAnEntry() throws {
        let index = RevocationIndex()
        let permanent = (0..<500).map { Revocation.token($0, expiresAtSeconds: .max) }
        var writer = writer(index)
        try writer.apply(permanent)
        let shared = ReaderWork(index: index, permanent: permanent)
        let readers = (0..<2).map { _ in TestThread { shared.run() } }
        for round in 0..<40 {
            let expiry = UInt32(1_800_000_000 + round * 100)
            let first = UInt64(1000 + round * 3000)
            try writer.apply((first..<first + 3000).map { Revocation.token($0, expiresAtSeconds: expiry) })
            writer.expire(at: WallInstant(seconds: Int64(expiry)))
        }
        shared.stop.store(true, ordering: .releasing)
        for reader in readers { reader.join() }
        #expect(shared.misses.load(ordering: .acquiring) == 0)
        #expect(shared.rounds.load(ordering: .acquiring) >= 2)
        #expect(index.count(of: .token) < 20_000)
    }
}

/// What the reading threads of a test do and count.
private final class ReaderWork: Sendable {
    let stop = Atomic(false)
    let misses = Atomic(0)
    let rounds = Atomic(0)
    private let index: RevocationIndex
    private let permanent: [Revocation]

    init(index: RevocationIndex, permanent: [Revocation]) {
        self.index = index
        self.permanent = permanent
    }

    func run() {
        let reader = RevocationIndex.Reader(index)
        repeat {
            let missed = permanent.count { !reader.revokes($0.key, issuedAt: WallInstant(seconds: 1_800_000_000)) }
            misses.add(missed, ordering: .relaxed)
            rounds.add(1, ordering: .relaxed)
        } while !stop.load(ordering: .acquiring)
    }
}
