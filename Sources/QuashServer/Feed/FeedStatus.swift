import Quash
import QuashLoop

/// What the feed's thread lets others know: health, metrics and the administration read it. Thread-safe.
final class FeedStatus: Sendable {
    /// One moment of the feed, whole.
    struct Snapshot: Sendable {
        /// Everything up to here is in the index; nil while that cannot be said.
        var position: FeedPosition?
        /// The sequence up to which the last grant reached.
        var head: UInt64 = 0
        /// When the request for the current lease was sent; nil before the first.
        var renewed: BootInstant?
        var isConnected = false
        var isSubscribed = false
        /// Why the Redis that is connected must not be used; nil while nothing speaks against it.
        var unfitServer: String?
        /// Why nothing will be accepted until somebody acts; nil while all is well.
        var halted: String?
    }

    private let state = Locked(Snapshot())

    init() {}

    var snapshot: Snapshot { state.withLock { $0 } }

    func update(_ change: (inout Snapshot) -> Void) { state.withLock(change) }
}
