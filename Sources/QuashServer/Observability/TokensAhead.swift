import Logging
import QuashLoop

/// Reports tokens of ours that are dated ahead of this node's clock, a few a second at most. Thread-safe.
final class TokensAhead: Sendable {
    private let log: Logger
    private let limit = Locked(LineLimit())

    init(_ log: Logger) {
        self.log = log
    }

    /// Such a token was presented.
    func note() {
        guard let suppressed = limit.withLock({ $0.admit() }) else { return }
        log.record(.tokenAhead, suppressed == 0 ? [:] : ["suppressed": "\(suppressed)"])
    }
}
