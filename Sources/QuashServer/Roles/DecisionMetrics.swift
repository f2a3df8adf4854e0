import Quash
import QuashJWT

/// What one loop of a validator counts: its cells belong to it alone, and are added up when the page is read.
package struct DecisionMetrics: Sendable {
    /// All loops' decisions.
    package struct Families: Sendable {
        package init() {}

        let decisions = MetricFamily<Counter>(
            "quash_decisions_total", "Decisions about requests.", labels: ["result", "reason"])
        let durations = MetricFamily<Histogram>(
            "quash_decision_duration_seconds", "From the request's head to its answer, within the process.",
            bounds: [
                .microseconds(1), .microseconds(2), .microseconds(5), .microseconds(10), .microseconds(25),
                .microseconds(50), .microseconds(100), .microseconds(250), .milliseconds(1), .milliseconds(10),
            ])

        let cacheHits = MetricFamily<Counter>(
            "quash_token_cache_hits_total", "Decisions about tokens whose signatures had been verified before.")

        /// All decisions that were made so far.
        var total: UInt64 { decisions.total }

        var page: [any MetricSource] { [decisions, durations, cacheHits] }
    }

    enum Reason {
        case missing
        case malformed
        case insufficientScope
        case token(Refusal)
    }

    private let acceptedCount: Counter
    private let missing: Counter
    private let scope: Counter
    private let revoked: Counter
    private let invalid: [TokenRefusal: Counter]
    private let unavailable: [Unavailability: Counter]
    private let duration: Histogram
    private let cacheHits: Counter

    package init(_ families: Families) {
        acceptedCount = families.decisions.cell("accepted", "")
        missing = families.decisions.cell("refused", "missing")
        scope = families.decisions.cell("refused", "insufficient_scope")
        revoked = families.decisions.cell("refused", "revoked")
        invalid = Dictionary(
            uniqueKeysWithValues: TokenRefusal.allCases.map { ($0, families.decisions.cell("refused", $0.rawValue)) })
        unavailable = Dictionary(
            uniqueKeysWithValues: Unavailability.allCases.map {
                ($0, families.decisions.cell("unavailable", $0.rawValue))
            })
        duration = families.durations.cell()
        cacheHits = families.cacheHits.cell()
    }

    func accepted() { acceptedCount.increment() }

    func refused(_ reason: Reason) {
        switch reason {
        case .missing: missing.increment()
        case .malformed: invalid[.malformed]?.increment()
        case .insufficientScope: scope.increment()
        case .token(.invalid(let refusal)): invalid[refusal]?.increment()
        case .token(.revoked): revoked.increment()
        }
    }

    func unavailable(_ reason: Unavailability) { unavailable[reason]?.increment() }

    /// A judgement took this long.
    ///
    /// - Parameter cacheHits: of this loop's validator, until now.
    func took(_ nanoseconds: UInt64, cacheHits: UInt64) {
        duration.record(nanoseconds: nanoseconds)
        self.cacheHits.raise(to: cacheHits)
    }
}
