import Glibc
import Synchronization

/// A hash table of 128-bit keys, each with an expiry and, when made so, a bound: one writer, any number of readers that
/// take no lock and never wait.
///
/// Open addressing with linear probing. A cell is 16 bytes, written low word first and high word last with release, so
/// a reader that sees the high word sees all of it. Nothing is ever removed in place: dropping what expired and growing
/// both mean a new block of memory, filled by the writer and published by one pointer. A reader announces the block it
/// is in through its hazard pointer (M. Michael, «Hazard Pointers», IEEE TPDS 15(6), 2004), and the writer frees an old
/// block only when no reader announces it.
///
/// The keys are spread over ``segments`` blocks, each of which grows by itself. So the writer never stops for longer
/// than filling one of them takes (some milliseconds at ten million keys), and only one is there twice.
@safe final class ConcurrentTable: @unchecked Sendable {
    // SAFETY of @unchecked: all that changes is atomic, and the blocks are freed only when no hazard announces them.
    /// Blocks of one table; a power of two.
    static let segments = 64
    private static let segmentBits: UInt64 = 6
    /// Cells of a block at first.
    static let minCapacity = 16

    private let secret: (UInt64, UInt64)
    /// The block of each segment.
    private let current: UnsafeMutablePointer<Atomic<UnsafeMutablePointer<Block>>>
    private let hazards = HazardPointers()
    private let hasBounds: Bool

    init(hasBounds: Bool) {
        self.hasBounds = hasBounds
        secret = (.random(in: 1 ... .max), .random(in: 1 ... .max))
        unsafe current = .allocate(capacity: Self.segments)
        for segment in 0..<Self.segments {
            let block = unsafe Block.allocate(capacity: Self.minCapacity, hasBounds: hasBounds)
            unsafe (current + segment).initialize(to: Atomic(block))
        }
    }

    deinit {
        for segment in 0..<Self.segments { unsafe Block.free(current[segment].load(ordering: .acquiring)) }
        unsafe current.deinitialize(count: Self.segments).deallocate()
    }

    /// What a look-up found.
    enum Match: Equatable {
        case absent
        /// The ``IssueBound`` stored with the key, packed; `Int64.max` in a table without bounds.
        case present(bound: Int64)
    }

    @unsafe struct Block {
        let capacity: Int
        /// Two words a cell: high, low.
        let keys: UnsafeMutablePointer<Atomic<UInt64>>
        let bounds: UnsafeMutablePointer<Atomic<Int64>>?
        /// Seconds since 1970; the writer's alone.
        let expiries: UnsafeMutablePointer<UInt32>

        /// The slot that is this fraction, in 64 bits, of the way through the block.
        @inline(__always)
        fileprivate func slot(at fraction: UInt64) -> Int {
            Int(fraction.multipliedFullWidth(by: UInt64(unsafe capacity)).high)
        }

        fileprivate static func allocate(capacity: Int, hasBounds: Bool) -> UnsafeMutablePointer<Block> {
            // SAFETY: the memory is zeroed, and a zero word is a valid Atomic<UInt64> and Atomic<Int64>: both have the
            // layout of their value. calloc's pages cost nothing until they are touched.
            let keys = unsafe zeroed(2 * capacity * 8).bindMemory(to: Atomic<UInt64>.self, capacity: 2 * capacity)
            let expiries = unsafe zeroed(capacity * 4).bindMemory(to: UInt32.self, capacity: capacity)
            let bounds =
                unsafe hasBounds ? zeroed(capacity * 8).bindMemory(to: Atomic<Int64>.self, capacity: capacity) : nil
            let block = UnsafeMutablePointer<Block>.allocate(capacity: 1)
            unsafe block.initialize(to: Block(capacity: capacity, keys: keys, bounds: bounds, expiries: expiries))
            return unsafe block
        }

        private static func zeroed(_ bytes: Int) -> UnsafeMutableRawPointer {
            guard let memory = unsafe calloc(bytes, 1) else {
                preconditionFailure("no memory for \(bytes) bytes of revocations")
            }
            return unsafe memory
        }

        fileprivate static func free(_ block: UnsafeMutablePointer<Block>) {
            unsafe Glibc.free(block.pointee.keys)
            unsafe Glibc.free(block.pointee.bounds)
            unsafe Glibc.free(block.pointee.expiries)
            unsafe block.deallocate()
        }
    }

    /// Where a key is: its segment, and the fraction of the segment's block, in 64 bits, at which the search begins.
    /// The secret keeps anyone who can choose identifiers from filling one run of slots.
    func place(of key: RevocationKey) -> (segment: Int, fraction: UInt64) {
        let product = (key.high ^ secret.0).multipliedFullWidth(by: key.low ^ secret.1)
        let mixed = product.high ^ product.low
        return (Int(mixed >> (64 - Self.segmentBits)), mixed << Self.segmentBits)
    }

    /// Where `key` is in a block, or would be put.
    ///
    /// - Precondition: the caller is the writer, or reads the block at present.
    func find(
        _ key: RevocationKey, from fraction: UInt64, in block: UnsafeMutablePointer<Block>
    ) -> (slot: Int, found: Bool) {
        let capacity = unsafe block.pointee.capacity
        let keys = unsafe block.pointee.keys
        var slot = unsafe block.pointee.slot(at: fraction)
        // SAFETY: slot stays below capacity, and the block is alive, as the precondition says.
        while true {
            let high = unsafe keys[2 * slot].load(ordering: .acquiring)
            if high == 0 { return (slot, false) }
            if high == key.high, unsafe keys[2 * slot + 1].load(ordering: .relaxed) == key.low { return (slot, true) }
            slot += 1
            if slot == capacity { slot = 0 }
        }
    }

    // MARK: Reading

    /// One reader's place in the hazard array. Belongs to one thread; a look-up costs two loads, one store and the
    /// probe.
    final class Reader {
        private let table: ConcurrentTable
        private let place: HazardPointers.Place

        init(_ table: ConcurrentTable) {
            self.table = table
            place = table.hazards.claim()
        }

        deinit { table.hazards.release(place) }

        /// Amortised O(1).
        func match(_ key: RevocationKey) -> Match {
            let (segment, fraction) = table.place(of: key)
            return unsafe read(segment) { block in
                let (slot, found) = unsafe table.find(key, from: fraction, in: block)
                guard found else { return .absent }
                let bound = unsafe block.pointee.bounds.map { bounds in
                    unsafe bounds[slot].load(ordering: .acquiring)
                }
                return .present(bound: bound ?? .max)
            }
        }

        /// Runs `body` on the block that is the segment's current one when it begins; until it ends, that is not freed.
        @inline(__always)
        func read<Result>(_ segment: Int, _ body: (UnsafeMutablePointer<Block>) -> Result) -> Result {
            let block = unsafe place.announce {
                unsafe table.current[segment].load(ordering: .sequentiallyConsistent)
            }
            defer { place.clear() }
            return unsafe body(block)
        }
    }

    // MARK: Writing

    /// The only way to change a table. Not copyable: there is one for each table, and whoever owns it is the writer.
    @safe struct Writer: ~Copyable {
        private let table: ConcurrentTable
        private var segments: [Segment]
        private var retired: [UnsafeMutablePointer<Block>]
        /// Entries of each kind, by the kind's byte; the expired ones not yet dropped included.
        private(set) var counts = [Int](repeating: 0, count: 256)
        private(set) var count = 0
        /// Cells of all blocks, the retired ones not included.
        private var capacity: Int
        /// Entries by period of expiry, each of 64 s: says when dropping the expired is worth its cost.
        private var expiring: [UInt32: Int] = [:]
        private var expired = 0
        private var dropsBeforeSeconds: Int64 = 0
        /// What ``prefetch(_:)`` read: kept, so that reading it is not left out.
        private var prefetched: UInt64 = 0

        /// A block, and how many of its cells are taken.
        @unsafe private struct Segment {
            var block: UnsafeMutablePointer<Block>
            var count = 0
        }

        /// - Precondition: called once for a table.
        init(_ table: ConcurrentTable) {
            self.table = table
            unsafe segments = (0..<ConcurrentTable.segments).map { segment in
                unsafe Segment(block: table.current[segment].load(ordering: .acquiring))
            }
            unsafe retired = []
            capacity = ConcurrentTable.segments * ConcurrentTable.minCapacity
        }

        deinit {
            // The current blocks are the table's to free; a retired one may still be announced: wait for its readers.
            var blocks = unsafe retired
            while let block = unsafe blocks.popLast() {
                while table.hazards.announces(UInt(bitPattern: block)) { sched_yield() }
                unsafe Block.free(block)
            }
        }

        /// Blocks that were replaced and in which a reader still was when that was last looked at.
        var retiredCount: Int { unsafe retired.count }

        /// Bytes of memory of the table, retired blocks not included.
        var bytes: Int { capacity * (table.hasBounds ? 28 : 20) }

        private func find(_ key: RevocationKey) -> (block: UnsafeMutablePointer<Block>, slot: Int, found: Bool) {
            let (segment, fraction) = table.place(of: key)
            let block = unsafe segments[segment].block
            let (slot, found) = unsafe table.find(key, from: fraction, in: block)
            return unsafe (block, slot, found)
        }

        func contains(_ key: RevocationKey) -> Bool { unsafe find(key).found }

        /// Whether putting this would change nothing.
        func covers(_ key: RevocationKey, expiresAtSeconds: UInt32, bound: Int64) -> Bool {
            let (block, slot, found) = unsafe find(key)
            guard found, unsafe block.pointee.expiries[slot] >= expiresAtSeconds else { return false }
            return unsafe block.pointee.bounds.map { bounds in
                let stored = IssueBound(packed: unsafe bounds[slot].load(ordering: .relaxed))
                return stored.joined(with: IssueBound(packed: bound)) == stored
            } ?? true
        }

        /// Until when an entry is remembered, in seconds since 1970; nil when there is none.
        func expiry(of key: RevocationKey) -> UInt32? {
            let (block, slot, found) = unsafe find(key)
            return found ? unsafe block.pointee.expiries[slot] : nil
        }

        /// Every entry, in no order: O(capacity).
        func forEach(_ body: (_ key: RevocationKey, _ expiresAtSeconds: UInt32, _ bound: Int64) -> Void) {
            for segment in 0..<ConcurrentTable.segments {
                let block = unsafe segments[segment].block
                for slot in 0..<(unsafe block.pointee.capacity) {
                    guard let key = unsafe key(at: slot, in: block) else { continue }
                    let bound = unsafe block.pointee.bounds?[slot].load(ordering: .relaxed) ?? .max
                    body(key, unsafe block.pointee.expiries[slot], bound)
                }
            }
        }

        private func key(at slot: Int, in block: UnsafeMutablePointer<Block>) -> RevocationKey? {
            let keys = unsafe block.pointee.keys
            return RevocationKey(
                high: unsafe keys[2 * slot].load(ordering: .relaxed),
                low: unsafe keys[2 * slot + 1].load(ordering: .relaxed))
        }

        /// Has the processor fetch what ``put(_:expiresAtSeconds:bound:)`` of this key will need. Done for some keys
        /// before the first of them is put, their waits for memory overlap.
        mutating func prefetch(_ key: RevocationKey) {
            let (segment, fraction) = table.place(of: key)
            let block = unsafe segments[segment].block
            let slot = unsafe block.pointee.slot(at: fraction)
            prefetched &+= unsafe block.pointee.keys[2 * slot].load(ordering: .relaxed)
            prefetched &+= UInt64(unsafe block.pointee.expiries[slot])
        }

        /// Adds `key`, or raises its expiry and bound where these are higher: the strictest of all that was put stays.
        /// Amortised O(1).
        mutating func put(_ key: RevocationKey, expiresAtSeconds: UInt32, bound: Int64) {
            let (segment, fraction) = table.place(of: key)
            var block = unsafe segments[segment].block
            var (slot, found) = unsafe table.find(key, from: fraction, in: block)
            if found {
                let before = unsafe block.pointee.expiries[slot]
                guard expiresAtSeconds > before || table.hasBounds else { return }
                if let entries = expiring[before >> 6] {
                    expiring[before >> 6] = entries - 1
                } else {
                    expired -= 1
                }
                unsafe block.pointee.expiries[slot] = max(before, expiresAtSeconds)
                expiring[unsafe block.pointee.expiries[slot] >> 6, default: 0] += 1
                if let bounds = unsafe block.pointee.bounds {
                    // No other thread writes here.
                    let stored = IssueBound(packed: unsafe bounds[slot].load(ordering: .relaxed))
                    let joined = stored.joined(with: IssueBound(packed: bound))
                    unsafe bounds[slot].store(joined.packed, ordering: .releasing)
                }
                return
            }
            // At most four fifths full: a miss then probes about 13 cells, most of them in two cache lines.
            if 5 * (unsafe segments[segment].count + 1) > 4 * (unsafe block.pointee.capacity) {
                rebuild(segment)
                unsafe block = unsafe segments[segment].block
                slot = unsafe table.find(key, from: fraction, in: block).slot
            }
            unsafe insert(key, expiresAtSeconds, bound, into: block, at: slot)
            unsafe segments[segment].count += 1
            count += 1
            counts[Int(key.high >> 56)] += 1
            expiring[expiresAtSeconds >> 6, default: 0] += 1
        }

        private func insert(
            _ key: RevocationKey, _ expiry: UInt32, _ bound: Int64, into block: UnsafeMutablePointer<Block>,
            at slot: Int
        ) {
            unsafe block.pointee.expiries[slot] = expiry
            unsafe block.pointee.bounds?[slot].store(bound, ordering: .relaxed)
            unsafe block.pointee.keys[2 * slot + 1].store(key.low, ordering: .relaxed)
            unsafe block.pointee.keys[2 * slot].store(key.high, ordering: .releasing)
        }

        /// Makes room for this many entries in all, at once: then putting them need not grow the table step by step.
        mutating func reserve(_ entries: Int) {
            let share = entries / ConcurrentTable.segments
            for segment in 0..<ConcurrentTable.segments
            where 4 * (unsafe segments[segment].block.pointee.capacity) < 5 * share {
                // Keys do not spread evenly: four standard deviations more.
                rebuild(segment, atLeast: share + 4 * Int(Double(share).squareRoot()))
            }
        }

        /// Lets entries go that expired before `seconds` since 1970. The memory is given back when a quarter of the
        /// entries can go; until then they stay, which is always safe.
        ///
        /// - Parameter isRoomNeeded: gives it back if any of them can go.
        mutating func drop(before seconds: Int64, isRoomNeeded: Bool = false) {
            guard seconds > dropsBeforeSeconds || isRoomNeeded else { return }
            dropsBeforeSeconds = max(dropsBeforeSeconds, seconds)
            for (period, entries) in expiring where (Int64(period) + 1) << 6 <= dropsBeforeSeconds {
                expired += entries
                expiring[period] = nil
            }
            if expired > (isRoomNeeded ? 0 : max(512, count / 4)) {
                for segment in 0..<ConcurrentTable.segments { rebuild(segment) }
                expired = 0
            }
            reclaim()
        }

        /// Takes every entry that is still there for one that has not expired. O(capacity).
        mutating func discardTime() {
            var periods: [UInt32: Int] = [:]
            forEach { _, expiry, _ in periods[expiry >> 6, default: 0] += 1 }
            (expiring, expired, dropsBeforeSeconds) = (periods, 0, 0)
        }

        /// The first second since 1970 before which at least so many entries expire; nil when there are fewer.
        func second(beforeWhichExpire entries: Int) -> Int64? {
            var sum = expired
            for (period, entriesThen) in expiring.sorted(by: { $0.key < $1.key }) {
                sum += entriesThen
                if sum >= entries { return (Int64(period) + 1) << 6 }
            }
            return nil
        }

        /// Moves what has not expired into a new block that has room for some more, and publishes that.
        /// O(capacity of the segment); readers go on in the old block meanwhile.
        private mutating func rebuild(_ segment: Int, atLeast entries: Int = 0) {
            let old = unsafe segments[segment].block
            let survivors = (0..<(unsafe old.pointee.capacity)).count { slot in unsafe stays(slot, in: old) }
            // 0.63 to 0.72 full, each segment a little otherwise, so that they do not all grow at the same time.
            let cells = ConcurrentTable.minCapacity + max(survivors, entries) * (1424 + 3 * segment) / 1024
            let block = unsafe Block.allocate(capacity: cells, hasBounds: table.hasBounds)
            for slot in 0..<(unsafe old.pointee.capacity) {
                guard let key = unsafe key(at: slot, in: old) else { continue }
                guard unsafe stays(slot, in: old) else {
                    counts[Int(key.high >> 56)] -= 1
                    continue
                }
                let bound = unsafe old.pointee.bounds?[slot].load(ordering: .relaxed) ?? .max
                let place = unsafe table.find(key, from: table.place(of: key).fraction, in: block).slot
                unsafe insert(key, old.pointee.expiries[slot], bound, into: block, at: place)
            }
            let dropped = unsafe segments[segment].count - survivors
            count -= dropped
            expired -= dropped
            capacity += unsafe block.pointee.capacity - old.pointee.capacity
            unsafe segments[segment] = unsafe Segment(block: block, count: survivors)
            unsafe table.current[segment].store(block, ordering: .sequentiallyConsistent)
            unsafe retired.append(old)
            reclaim()
        }

        private func stays(_ slot: Int, in block: UnsafeMutablePointer<Block>) -> Bool {
            guard unsafe block.pointee.keys[2 * slot].load(ordering: .relaxed) != 0 else { return false }
            // Whole periods go, so that the entries dropped are exactly those counted as expired.
            return unsafe (Int64(block.pointee.expiries[slot] >> 6) + 1) << 6 > dropsBeforeSeconds
        }

        /// Frees the retired blocks that no reader is in.
        private mutating func reclaim() {
            unsafe retired.removeAll { block in
                if table.hazards.announces(UInt(bitPattern: block)) { return false }
                unsafe Block.free(block)
                return true
            }
        }
    }
}
