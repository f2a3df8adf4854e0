import Synchronization

/// The addresses that readers are reading at, each in a place of its own: what one announces, the writer must not free.
///
/// The places are a list that only grows: a reader that finds none free puts another in front. So there are as many as
/// there were readers at one time, and no number of readers is too great.
///
/// M. Michael, «Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects», IEEE TPDS 15(6), 2004.
@safe final class HazardPointers: @unchecked Sendable {
    // SAFETY of @unchecked: all that changes is atomic, and nodes are freed with the list.
    /// The place that was added last.
    private let first = unsafe Atomic<UnsafeMutablePointer<Node>?>(nil)

    @unsafe fileprivate struct Node: ~Copyable {
        let announced = Atomic<UInt>(0)
        let isClaimed = Atomic(true)
        /// Set before the node is in the list, and never changed in it.
        var next: UnsafeMutablePointer<Node>?

        /// Bytes of a cache line: each reader writes into one of its own.
        private static let lineBytes = 64

        static func allocate() -> UnsafeMutablePointer<Node> {
            let memory = unsafe UnsafeMutableRawPointer.allocate(
                byteCount: max(lineBytes, MemoryLayout<Node>.size), alignment: lineBytes)
            // SAFETY: the memory has a node's size and more than its alignment, and is initialised before it is used.
            let node = unsafe memory.bindMemory(to: Node.self, capacity: 1)
            unsafe node.initialize(to: unsafe Node(next: nil))
            return unsafe node
        }
    }

    deinit {
        var node = unsafe first.load(ordering: .acquiring)
        while let freed = unsafe node {
            unsafe node = unsafe freed.pointee.next
            unsafe freed.deinitialize(count: 1)
            unsafe UnsafeMutableRawPointer(freed).deallocate()
        }
    }

    /// One reader's place, from `claim()` to `release(_:)`, on one thread.
    @safe struct Place: @unchecked Sendable {
        // SAFETY: a place is used only while the list that it is in exists, whose reader keeps it. What it points to is
        // atomic.
        fileprivate let node: UnsafeMutablePointer<Node>

        /// Announces what `load` gives, until `load` gives the same once more: from then on it is not freed before
        /// `clear()`.
        ///
        /// - Parameter load: a sequentially consistent load, as the announcement is a sequentially consistent store. So
        ///   either the writer, which looks for announcements after it has replaced the pointer, sees this one, or the
        ///   second load sees what it was replaced by. The same holds for a place that was just added: adding one and
        ///   looking for them are sequentially consistent, too.
        @inline(__always)
        func announce<Pointee>(_ load: () -> UnsafeMutablePointer<Pointee>) -> UnsafeMutablePointer<Pointee> {
            var pointer = unsafe load()
            while true {
                unsafe node.pointee.announced.store(UInt(bitPattern: pointer), ordering: .sequentiallyConsistent)
                let again = unsafe load()
                if unsafe again == pointer { return unsafe pointer }
                unsafe pointer = unsafe again
            }
        }

        func clear() { unsafe node.pointee.announced.store(0, ordering: .releasing) }
    }

    /// A place that no other reader has: a released one, or a new one. O(places).
    func claim() -> Place {
        if let node = unsafe node(where: { node in
            unsafe node.pointee.isClaimed.compareExchange(
                expected: false, desired: true, ordering: .acquiringAndReleasing
            ).exchanged
        }) {
            return unsafe Place(node: node)
        }
        let node = unsafe Node.allocate()
        while true {
            let before = unsafe first.load(ordering: .relaxed)
            unsafe node.pointee.next = unsafe before
            let exchange = unsafe first.compareExchange(
                expected: before, desired: node, ordering: .sequentiallyConsistent)
            if unsafe exchange.exchanged { return unsafe Place(node: node) }
        }
    }

    func release(_ place: Place) { unsafe place.node.pointee.isClaimed.store(false, ordering: .releasing) }

    /// O(places).
    func announces(_ address: UInt) -> Bool {
        unsafe node { node in
            unsafe node.pointee.announced.load(ordering: .sequentiallyConsistent) == address
        } != nil
    }

    /// Places, the released ones included. O(places).
    var placeCount: Int {
        var count = 0
        _ = unsafe node { _ in
            count += 1
            return false
        }
        return count
    }

    private func node(
        where condition: (UnsafeMutablePointer<Node>) -> Bool
    ) -> UnsafeMutablePointer<Node>? {
        // SAFETY: nodes live as long as the list, and their successors never change.
        var node = unsafe first.load(ordering: .sequentiallyConsistent)
        while let candidate = unsafe node {
            if unsafe condition(candidate) { return unsafe candidate }
            unsafe node = unsafe candidate.pointee.next
        }
        return nil
    }
}
