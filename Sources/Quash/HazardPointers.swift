import Synchronization

/// The addresses that readers are reading at, each in a place of its own: what one announces, the writer must not free.
///
/// M. Michael, «Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects», IEEE TPDS 15(6), 2004.
@safe final class HazardPointers: @unchecked Sendable {
    // SAFETY of @unchecked: the pointers never change, and what they point to is atomic.
    private let announced: UnsafeMutablePointer<Atomic<UInt>>
    private let claimed: UnsafeMutablePointer<Atomic<Bool>>
    private let count: Int

    init(count: Int) {
        self.count = count
        unsafe announced = .allocate(capacity: count)
        unsafe claimed = .allocate(capacity: count)
        for place in 0..<count {
            unsafe (announced + place).initialize(to: Atomic(0))
            unsafe (claimed + place).initialize(to: Atomic(false))
        }
    }

    deinit {
        unsafe announced.deinitialize(count: count).deallocate()
        unsafe claimed.deinitialize(count: count).deallocate()
    }

    /// A place that nobody has. O(count).
    func claim() -> Int {
        for place in 0..<count {
            let exchange = unsafe claimed[place].compareExchange(
                expected: false, desired: true, ordering: .acquiringAndReleasing)
            if exchange.exchanged { return place }
        }
        preconditionFailure("more than \(count) readers of one table")
    }

    func release(_ place: Int) { unsafe claimed[place].store(false, ordering: .releasing) }

    /// Announces what `load` gives, until `load` gives the same once more: from then on it is not freed before
    /// `clear(_:)`.
    ///
    /// - Parameter load: a sequentially consistent load, as the announcement is a sequentially consistent store. So
    ///   either the writer, which looks for announcements after it has replaced the pointer, sees this one, or the
    ///   second load sees what it was replaced by.
    @inline(__always)
    func announce<Pointee>(
        at place: Int, _ load: () -> UnsafeMutablePointer<Pointee>
    ) -> UnsafeMutablePointer<Pointee> {
        var pointer = unsafe load()
        while true {
            unsafe announced[place].store(UInt(bitPattern: pointer), ordering: .sequentiallyConsistent)
            let again = unsafe load()
            if unsafe again == pointer { return unsafe pointer }
            unsafe pointer = unsafe again
        }
    }

    func clear(_ place: Int) { unsafe announced[place].store(0, ordering: .releasing) }

    /// O(count).
    func announces(_ address: UInt) -> Bool {
        (0..<count).contains { place in
            unsafe announced[place].load(ordering: .sequentiallyConsistent) == address
        }
    }
}
