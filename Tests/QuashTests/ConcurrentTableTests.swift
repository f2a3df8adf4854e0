import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Quash

/// What readers are in is not freed. `RevocationIndexTests` has the same with readers and a writer at full speed.
@Suite struct ConcurrentTableTests {
    private func key(_ number: Int) -> RevocationKey { Revocation.token(UInt64(number)).key }

    /// Keys of one segment of `table`.
    private func neighbours(in table: ConcurrentTable, _ count: Int) -> [RevocationKey] {
        let keys = (UInt64(0)...).lazy.map { RevocationKey(validHigh: 1 << 56 | $0, low: ~$0) }
        return Array(keys.filter { table.place(of: $0).segment == 3 }.prefix(count))
    }

    @Test func aBlockIsFreedWhenNoReaderIsInItAndNotBefore() {
        let table = ConcurrentTable(hasBounds: true)
        var writer = ConcurrentTable.Writer(table)
        let keys = neighbours(in: table, 1600)
        func put(_ numbers: Range<Int>) {
            for number in numbers { writer.put(keys[number], expiresAtSeconds: .max, bound: Int64(number)) }
        }
        put(0..<100)
        #expect(writer.retiredCount == 0)
        // The first and the last place are looked at too.
        let readers = (0..<1000).map { _ in ConcurrentTable.Reader(table) }
        let (reader, other) = (readers[999], readers[0])

        unsafe reader.read(3) { block in
            put(100..<600)
            // Several were replaced, and only this one has a reader.
            guard writer.retiredCount == 1 else {
                Issue.record("\(writer.retiredCount) are kept, with one reader in one of them")
                return
            }
            unsafe other.read(3) { later in
                #expect(unsafe later != block)
                put(600..<1600)
                #expect(writer.retiredCount == 2)
            }
            writer.drop(before: 1)
            #expect(writer.retiredCount == 1)
            // It is as it was: with all that was in it, and nothing else.
            func isThere(_ number: Int) -> Bool {
                unsafe table.find(keys[number], from: table.place(of: keys[number]).fraction, in: block).found
            }
            #expect((0..<100).allSatisfy(isThere))
            #expect(!(200..<1600).contains(where: isThere))
            #expect(other.match(keys[1599]) == .present(bound: 1599))
        }
        writer.drop(before: 2)
        #expect(writer.retiredCount == 0)
        #expect(reader.match(keys[99]) == .present(bound: 99))
        // So that a failure above is no endless wait: the end of the writer waits until nothing of it is announced.
        writer.drop(before: 3)
    }

    /// The writer replaces the block, and finds no announcement, between the moment when a reader has loaded the
    /// pointer and its announcement: what it loaded may be freed.
    @Test func whatWasReplacedBeforeTheAnnouncementIsNotRead() {
        let hazards = HazardPointers()
        let blocks = UnsafeMutablePointer<Int>.allocate(capacity: 3)
        defer { unsafe blocks.deallocate() }
        let place = hazards.claim()
        // Two replacements, each in that moment, then none.
        var loads = 0
        var announcedAtLoad: [Bool] = []
        let found = unsafe place.announce {
            let block = unsafe blocks + min(loads, 2)
            loads += 1
            announcedAtLoad.append(hazards.announces(UInt(bitPattern: block)))
            return unsafe block
        }
        func isAnnounced(_ number: Int) -> Bool { hazards.announces(UInt(bitPattern: unsafe blocks + number)) }
        let isTheLast = unsafe found == blocks + 2
        #expect(isTheLast && isAnnounced(2) && !isAnnounced(0))
        // What is returned was loaded once more when it had been announced.
        #expect(announcedAtLoad == [false, false, false, true])
        place.clear()
        #expect(!isAnnounced(2))
    }

    /// Every reader has a place to itself, however many there are, and a place that was released is used again.
    @Test func noTwoReadersHaveOnePlace() {
        let hazards = HazardPointers()
        let claimed = Recorder<[HazardPointers.Place]>()
        let threads = (0..<8).map { _ in TestThread { claimed.record((0..<500).map { _ in hazards.claim() }) } }
        for thread in threads { thread.join() }
        let places = claimed.all.flatMap(\.self)
        #expect(hazards.placeCount == 4000)
        for (number, place) in places.enumerated() {
            let pointer = unsafe UnsafeMutablePointer<Int>(bitPattern: 8 * (number + 1))
            _ = unsafe place.announce { unsafe pointer! }
        }
        #expect((0..<4000).allSatisfy { hazards.announces(UInt(8 * ($0 + 1))) })
        for place in places {
            place.clear()
            hazards.release(place)
        }
        for _ in 0..<4000 { _ = hazards.claim() }
        #expect(hazards.placeCount == 4000)
    }

    /// More readers than cores, so that they are stopped at any place, also between a load of the pointer and its
    /// announcement, while the block is replaced many times.
    @Test func readersThatAreStoppedAnywhereReadWhatIsThere() {
        let table = ConcurrentTable(hasBounds: true)
        var writer = ConcurrentTable.Writer(table)
        let permanent = (0..<64).map(key)
        let passing = (1000..<1600).map(key)
        for key in permanent { writer.put(key, expiresAtSeconds: .max, bound: 7) }
        let work = TableReading(table, permanent: permanent)
        let threads = (0..<6).map { _ in TestThread { work.run() } }
        // Each round drops what the one before has put, and so replaces the block.
        for round in 1...800 {
            for key in passing { writer.put(key, expiresAtSeconds: UInt32(64 * round), bound: 1) }
            writer.drop(before: Int64(64 * round + 64))
        }
        work.stop.store(true, ordering: .releasing)
        for thread in threads { thread.join() }
        #expect(work.wrong.load(ordering: .acquiring) == 0)
        #expect(work.rounds.load(ordering: .acquiring) >= threads.count)
        writer.drop(before: .max)
        #expect(writer.retiredCount == 0)
    }
}

/// What the reading threads of a test do and count.
private final class TableReading: Sendable {
    let stop = Atomic(false)
    let wrong = Atomic(0)
    let rounds = Atomic(0)
    private let table: ConcurrentTable
    private let permanent: [RevocationKey]

    init(_ table: ConcurrentTable, permanent: [RevocationKey]) {
        self.table = table
        self.permanent = permanent
    }

    func run() {
        let reader = ConcurrentTable.Reader(table)
        repeat {
            wrong.add(permanent.count { reader.match($0) != .present(bound: 7) }, ordering: .relaxed)
            rounds.add(1, ordering: .relaxed)
        } while !stop.load(ordering: .acquiring)
    }
}
