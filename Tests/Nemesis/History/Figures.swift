package import Quash

/// What one kind of fault did, over all the times that it was injected.
package struct Figures: Sendable {
    package var faults = 0
    package var violations = 0
    package var accepted = 0
    package var refused = 0
    package var unavailable = 0
    /// Requests to validators without an answer: refused connections, and time-outs.
    package var unanswered = 0
    package var revocations = 0
    package var confirmed = 0
    /// Answered 202.
    package var unconfirmed = 0
    /// Answered 503, or not at all.
    package var notStored = 0
    package var confirmations: [Duration] = []
    package var longestUnavailable = Duration.zero

    /// Nothing happened yet.
    package init() {}

    /// Adds another's to these.
    package mutating func add(_ other: Figures) {
        faults += other.faults
        violations += other.violations
        accepted += other.accepted
        refused += other.refused
        unavailable += other.unavailable
        unanswered += other.unanswered
        revocations += other.revocations
        confirmed += other.confirmed
        unconfirmed += other.unconfirmed
        notStored += other.notStored
        confirmations += other.confirmations
        longestUnavailable = max(longestUnavailable, other.longestUnavailable)
    }

    /// The value that `share` of all are not above: the nearest rank; nil of none.
    package static func quantile(_ share: Double, of values: [Duration]) -> Duration? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1))]
    }

    /// The head of the table, in Markdown.
    package static let head = """
        | fault | count | violations | longest 503 | revoked | confirmed | 202 | not stored | confirm p50 | p99 | max \
        | 204 | 401 | 503 | no answer |
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
        """

    /// A line of the table.
    package func row(_ name: String) -> String {
        let sorted = confirmations.sorted()
        let cells =
            [name, "\(faults)", "\(violations)", Self.text(longestUnavailable)]
            + [revocations, confirmed, unconfirmed, notStored].map { "\($0)" }
            + [0.5, 0.99, 1].map { share in Self.quantile(share, of: sorted).map(Self.text) ?? "" }
            + [accepted, refused, unavailable, unanswered].map { "\($0)" }
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// Milliseconds with one decimal below a second, seconds with two from there on.
    package static func text(_ duration: Duration) -> String {
        if duration == .zero { return "0" }
        let tenths = Int64(duration / .microseconds(100))
        if tenths < 10_000 { return "\(tenths / 10).\(tenths % 10) ms" }
        let hundredths = tenths / 100
        return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10) s"
    }
}

/// The spans in which each validator answered nothing but 503.
package struct UnavailableSpans: Sendable {
    private var begun: [String: BootInstant] = [:]

    /// Nobody has answered 503 yet.
    package init() {}

    /// - Returns: how long the node has been answering 503 by now; zero when it has not.
    package mutating func answered(_ node: String, isUnavailable: Bool, at now: BootInstant) -> Duration {
        guard isUnavailable else {
            begun[node] = nil
            return .zero
        }
        let start = begun[node] ?? now
        begun[node] = start
        return now > start ? now - start : .zero
    }
}
