import Synchronization

/// How many bytes of unfinished requests several servers may keep together, on however many connections and loops.
///
/// A request that arrives whole is read where the socket put it and costs nothing here. What has arrived in part waits
/// in memory, and without a common limit any number of connections could each keep as much as the largest request has.
package final class BufferBudget: Sendable {
    /// Bytes that may be kept at a time.
    package let limitBytes: Int
    private let kept = Atomic(0)
    private let refused: @Sendable () -> Void

    /// - Parameter refused: called on a server's loop for each request that was refused for want of room.
    package init(limitBytes: Int = HTTPLimits.maxBufferedBytes, refused: @escaping @Sendable () -> Void = {}) {
        self.limitBytes = limitBytes
        self.refused = refused
    }

    /// Bytes that are kept.
    package var keptBytes: Int { kept.load(ordering: .relaxed) }

    /// A connection keeps `new` bytes in place of `old`. False when there is no room for more: then nothing changes.
    func replace(_ old: Int, with new: Int) -> Bool {
        let total = kept.add(new - old, ordering: .relaxed).newValue
        guard new > old, total > limitBytes else { return true }
        kept.subtract(new - old, ordering: .relaxed)
        return false
    }

    func noteRefusal() { refused() }
}
