import Glibc
import Synchronization

/// A hash table of 128-bit keys, each with an expiry and, when made so, a bound: one writer, any number of readers that
/// take no lock and never wait.
///
/// Open addressing with linear probing. A cell is 16 bytes, written low word first and high word last with release, so
/// a reader that sees the high word sees all of it. Nothing is ever removed from a table in place: dropping what
/// expired and growing both mean a new block of memory, filled by the writer and published by one pointer. A reader
/// announces the block it is in through its hazard pointer (M. Michael, «Hazard Pointers», IEEE TPDS 15(6), 2004), and
/// the writer frees an old block only when no reader announces it.
@safe final class ConcurrentTable: @unchecked Sendable {
    // SAFETY of @unchecked: all that changes is atomic, and the blocks are freed only when no hazard announces them.
    /// Readers at one time, in all loops of a process.
    static let maxReaders = 256
    static let minCapacity = 1024

    private let secret: (UInt64, UInt64)
    private let current: Atomic<UnsafeMutablePointer<Block>?>
    private let hazards: HazardPointers
    private let hasBounds: Bool

    init(hasBounds: Bool) {
        self.hasBounds = hasBounds
        secret = (.random(in: 1 ... .max), .random(in: 1 ... .max))
        unsafe current = Atomic(Block.allocate(capacity: Self.minCapacity, hasBounds: hasBounds))
        hazards = HazardPointers(count: Self.maxReaders)
    }

    deinit {
        unsafe Block.free(unsafe current.load(ordering: .acquiring))
    }

    /// What a look-up found.
    enum Match: Equatable {
        case absent
        /// The bound stored with the key; `Int64.max` in a table without bounds.
        case present(bound: Int64)
    }

    @unsafe fileprivate struct Block {
        let capacity: Int
        /// Two words a cell: high, low.
        let keys: UnsafeMutablePointer<Atomic<UInt64>>
        let bounds: UnsafeMutablePointer<Atomic<Int64>>?
        /// Seconds since 1970; the writer's alone.
        let expiries: UnsafeMutablePointer<UInt32>

        static func allocate(capacity: Int, hasBounds: Bool) -> UnsafeMutablePointer<Block> {
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

        static func free(_ block: UnsafeMutablePointer<Block>?) {
            guard let block = unsafe block else { return }
            unsafe Glibc.free(block.pointee.keys)
            unsafe Glibc.free(block.pointee.bounds)
            unsafe Glibc.free(block.pointee.expiries)
            unsafe block.deallocate()
        }
    }

    /// The slot where the search for a key begins. The secret keeps anyone who can choose identifiers from filling one
    /// run of slots.
    private func firstSlot(_ high: UInt64, _ low: UInt64, _ capacity: Int) -> Int {
        let product = (high ^ secret.0).multipliedFullWidth(by: low ^ secret.1)
        let mixed = product.high ^ product.low
        return Int(mixed.multipliedFullWidth(by: UInt64(capacity)).high)
    }

    fileprivate func find(_ key: RevocationKey, in block: UnsafeMutablePointer<Block>) -> (slot: Int, found: Bool) {
        let capacity = unsafe block.pointee.capacity
        let keys = unsafe block.pointee.keys
        var slot = firstSlot(key.high, key.low, capacity)
        // SAFETY: slot stays below capacity, and the block is alive: the caller is the writer or announced it.
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
        private let place: Int

        init(_ table: ConcurrentTable) {
            self.table = table
            place = table.hazards.claim()
        }

        deinit { table.hazards.release(place) }

        /// Amortised O(1).
        func match(_ key: RevocationKey) -> Match {
            let block = unsafe announceCurrent()
            let (slot, found) = unsafe table.find(key, in: block)
            var match = Match.absent
            if found {
                let bound = unsafe block.pointee.bounds.map { bounds in
                    unsafe bounds[slot].load(ordering: .acquiring)
                }
                match = .present(bound: bound ?? .max)
            }
            table.hazards.clear(place)
            return match
        }

        private func announceCurrent() -> UnsafeMutablePointer<Block> {
            while true {
                let block = unsafe table.current.load(ordering: .acquiring)
                table.hazards.announce(UInt(bitPattern: block), at: place)
                // Sequentially consistent, as the announcement is: either the writer sees it, or this load sees the
                // writer's new block and the loop goes round.
                if unsafe table.current.load(ordering: .sequentiallyConsistent) == block, let block = unsafe block {
                    return unsafe block
                }
            }
        }
    }

    // MARK: Writing

    /// The only way to change a table. Not copyable: there is one for each table, and whoever owns it is the writer.
    @safe struct Writer: ~Copyable {
        private let table: ConcurrentTable
        private var block: UnsafeMutablePointer<Block>
        private var retired: [UnsafeMutablePointer<Block>]
        /// Entries of each kind, by the kind's byte; the expired ones not yet dropped included.
        private(set) var counts = [Int](repeating: 0, count: 256)
        private(set) var count = 0
        /// Entries by period of expiry, each of 64 s: says when dropping the expired is worth its cost.
        private var expiring: [UInt32: Int] = [:]
        private var expired = 0
        private var dropsBeforeSeconds: Int64 = 0

        /// - Precondition: called once for a table.
        init(_ table: ConcurrentTable) {
            self.table = table
            guard let block = unsafe table.current.load(ordering: .acquiring) else {
                preconditionFailure("a table without a block")
            }
            unsafe self.block = unsafe block
            unsafe retired = []
        }

        deinit {
            // The current block is the table's to free; a retired one may still be announced, so wait for its readers.
            var blocks = unsafe retired
            while let block = unsafe blocks.popLast() {
                while table.hazards.announces(UInt(bitPattern: block)) { sched_yield() }
                unsafe Block.free(block)
            }
        }

        /// Bytes of memory of the table, retired blocks not included.
        var bytes: Int { unsafe block.pointee.capacity * (table.hasBounds ? 28 : 20) }

        func contains(_ key: RevocationKey) -> Bool { unsafe table.find(key, in: block).found }

        /// Whether putting this would change nothing.
        func covers(_ key: RevocationKey, expiresAtSeconds: UInt32, bound: Int64) -> Bool {
            let (slot, found) = unsafe table.find(key, in: block)
            guard found, unsafe block.pointee.expiries[slot] >= expiresAtSeconds else { return false }
            return unsafe block.pointee.bounds.map { unsafe $0[slot].load(ordering: .relaxed) >= bound } ?? true
        }

        /// Every entry, in no order: O(capacity).
        func forEach(_ body: (_ key: RevocationKey, _ expiresAtSeconds: UInt32, _ bound: Int64) -> Void) {
            for slot in 0..<(unsafe block.pointee.capacity) {
                guard let key = unsafe key(at: slot, in: block) else { continue }
                let bound = unsafe block.pointee.bounds?[slot].load(ordering: .relaxed) ?? .max
                body(key, unsafe block.pointee.expiries[slot], bound)
            }
        }

        private func key(at slot: Int, in block: UnsafeMutablePointer<Block>) -> RevocationKey? {
            let keys = unsafe block.pointee.keys
            return RevocationKey(
                high: unsafe keys[2 * slot].load(ordering: .relaxed),
                low: unsafe keys[2 * slot + 1].load(ordering: .relaxed))
        }

        /// Adds `key`, or raises its expiry and bound where these are higher: the strictest of all that was put stays.
        /// Amortised O(1).
        mutating func put(_ key: RevocationKey, expiresAtSeconds: UInt32, bound: Int64) {
            var (slot, found) = unsafe table.find(key, in: block)
            let expiries = unsafe block.pointee.expiries
            if found {
                let before = unsafe expiries[slot]
                guard expiresAtSeconds > before || table.hasBounds else { return }
                expiring[before >> 6, default: 1] -= 1
                unsafe expiries[slot] = max(before, expiresAtSeconds)
                expiring[unsafe expiries[slot] >> 6, default: 0] += 1
                unsafe block.pointee.bounds?[slot].max(bound, ordering: .releasing)
                return
            }
            // At most four fifths full: a miss then probes about 13 cells, most of them in two cache lines.
            if 5 * (count + 1) > 4 * (unsafe block.pointee.capacity) {
                rebuild()
                slot = unsafe table.find(key, in: block).slot
            }
            insert(key, expiresAtSeconds, bound, at: slot)
            expiring[expiresAtSeconds >> 6, default: 0] += 1
        }

        private mutating func insert(_ key: RevocationKey, _ expiry: UInt32, _ bound: Int64, at slot: Int) {
            unsafe block.pointee.expiries[slot] = expiry
            unsafe block.pointee.bounds?[slot].store(bound, ordering: .relaxed)
            unsafe block.pointee.keys[2 * slot + 1].store(key.low, ordering: .relaxed)
            unsafe block.pointee.keys[2 * slot].store(key.high, ordering: .releasing)
            count += 1
            counts[Int(key.high >> 56)] += 1
        }

        /// Lets entries go that expired before `seconds` since 1970. The memory is given back when a quarter of the
        /// entries can go; until then they stay, which is always safe.
        mutating func drop(before seconds: Int64) {
            guard seconds > dropsBeforeSeconds else { return }
            dropsBeforeSeconds = seconds
            for (period, entries) in expiring where (Int64(period) + 1) << 6 <= seconds {
                expired += entries
                expiring[period] = nil
            }
            if expired > 512, 4 * expired > count { rebuild() }
            reclaim()
        }

        /// Moves what has not expired into a new block of twice its size, and publishes that. O(capacity); readers go
        /// on in the old block meanwhile.
        private mutating func rebuild() {
            let old = unsafe block
            let capacity = unsafe old.pointee.capacity
            let survivors = (0..<capacity).count { slot in unsafe stays(slot, in: old) }
            unsafe block = unsafe Block.allocate(
                capacity: max(ConcurrentTable.minCapacity, survivors * 2), hasBounds: table.hasBounds)
            count = 0
            expired = 0
            for kind in RevocationKind.allCases { counts[Int(kind.rawValue)] = 0 }
            for slot in 0..<capacity where unsafe stays(slot, in: old) {
                guard let key = unsafe key(at: slot, in: old) else { preconditionFailure("a cell without a kind") }
                let bound = unsafe old.pointee.bounds?[slot].load(ordering: .relaxed) ?? .max
                unsafe insert(key, old.pointee.expiries[slot], bound, at: table.find(key, in: block).slot)
            }
            unsafe table.current.store(block, ordering: .sequentiallyConsistent)
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
