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

    /// One reader's place, from `claim()` to `release(_:)`, on one thread.
    @safe struct Place {
        // SAFETY: a place is used only while the array that it is in exists, whose reader keeps it.
        fileprivate let announced: UnsafeMutablePointer<Atomic<UInt>>
        fileprivate let number: Int

        /// Announces what `load` gives, until `load` gives the same once more: from then on it is not freed before
        /// `clear()`.
        ///
        /// - Parameter load: a sequentially consistent load, as the announcement is a sequentially consistent store. So
        ///   either the writer, which looks for announcements after it has replaced the pointer, sees this one, or the
        ///   second load sees what it was replaced by.
        @inline(__always)
        func announce<Pointee>(_ load: () -> UnsafeMutablePointer<Pointee>) -> UnsafeMutablePointer<Pointee> {
            var pointer = unsafe load()
            while true {
                unsafe announced.pointee.store(UInt(bitPattern: pointer), ordering: .sequentiallyConsistent)
                let again = unsafe load()
                if unsafe again == pointer { return unsafe pointer }
                unsafe pointer = unsafe again
            }
        }

        func clear() { unsafe announced.pointee.store(0, ordering: .releasing) }
    }

    /// A place that nobody has. O(count).
    func claim() -> Place {
        for number in 0..<count {
            let exchange = unsafe claimed[number].compareExchange(
                expected: false, desired: true, ordering: .acquiringAndReleasing)
            if exchange.exchanged { return unsafe Place(announced: announced + number, number: number) }
        }
        preconditionFailure("more than \(count) readers of one table")
    }

    func release(_ place: Place) { unsafe claimed[place.number].store(false, ordering: .releasing) }

    /// O(count).
    func announces(_ address: UInt) -> Bool {
        (0..<count).contains { place in
            unsafe announced[place].load(ordering: .sequentiallyConsistent) == address
        }
    }
}
