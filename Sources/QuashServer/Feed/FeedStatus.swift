import Quash
import QuashLoop

/// What the feed's thread lets others know: health, metrics and the administration read it. Thread-safe.
final class FeedStatus: Sendable {
    /// One moment of the feed, whole.
    struct Snapshot: Sendable {
        /// Everything up to here is in the index; nil while that cannot be said.
        var position: FeedPosition?
        /// The epochs that were followed before the one of ``position``: all that they held is in the index too.
        var passed: [Epoch] = []
        fileprivate var lastEpoch: Epoch?
        /// The sequence up to which the last grant reached.
        var head: UInt64 = 0
        /// When the request for the current lease was sent; nil before the first.
        var renewed: BootInstant?
        var isConnected = false
        var isSubscribed = false
        /// Why the Redis that is connected must not be used; nil while nothing speaks against it.
        var unfitServer: String?
        /// Keys that Redis had evicted when it was last asked.
        var evictedKeys: Int64 = 0
        /// Whether the civil clock may be believed.
        var clock = ClockAgreement(maxDeviation: .zero)
        /// Why nothing will be accepted until somebody acts; nil while all is well.
        var halted: String?
    }

    private let state = Locked(Snapshot())

    init() {}

    var snapshot: Snapshot { state.withLock { $0 } }

    /// Epochs that are remembered as passed.
    private static let maxPassed = 16

    /// Everything up to `position` is in the index; nil while that cannot be said.
    func reached(_ position: FeedPosition?) {
        state.withLock { now in
            if let old = now.lastEpoch, let epoch = position?.epoch, old != epoch {
                now.passed = now.passed.suffix(Self.maxPassed - 1) + [old]
            }
            now.lastEpoch = position?.epoch ?? now.lastEpoch
            now.position = position
        }
    }

    /// Whether what was committed at `minimum` is in the index, as far as is known.
    func hasReached(_ minimum: FeedPosition) -> Bool {
        state.withLock { now in
            guard let position = now.position else { return false }
            return position.epoch == minimum.epoch
                ? position.sequence >= minimum.sequence : now.passed.contains(minimum.epoch)
        }
    }

    func update(_ change: (inout Snapshot) -> Void) { state.withLock(change) }
}
