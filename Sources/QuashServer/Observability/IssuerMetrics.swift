/// What an issuer measures. The names are an interface: dashboards and alerts are built on them.
package final class IssuerMetrics: Sendable {
    /// What became of a refresh token that was presented.
    package enum RefreshResult: String, CaseIterable, Sendable {
        /// It was exchanged for its successor.
        case rotated
        /// It was presented again within the grace, and got the same successor again.
        case replayed
        /// It was presented again after that: its session was revoked.
        case reused
        /// Its session had ended before.
        case ended
        /// There is no such session.
        case unknown
    }

    private let refreshes = MetricFamily<Counter>(
        "quash_refresh_total", "Refresh tokens presented.", labels: ["result"])
    private let reuses = MetricFamily<Counter>(
        "quash_refresh_reuse_detected_total", "Sessions revoked because a rotated refresh token came back.")
    private let confirmations = MetricFamily<Histogram>(
        "quash_confirm_duration_seconds", "From the request for a confirmed revocation to its confirmation.",
        bounds: [
            .microseconds(500), .milliseconds(1), .microseconds(2500), .milliseconds(5), .milliseconds(10),
            .milliseconds(25),
            .milliseconds(50), .milliseconds(100), .milliseconds(250), .milliseconds(500), .seconds(1),
            .milliseconds(2500),
            .seconds(5), .seconds(10),
        ])
    private let refreshed: [Counter]
    private let reuseDetections: Counter
    private let confirmed: Histogram

    package init() {
        refreshed = RefreshResult.allCases.map { [refreshes] in refreshes.cell($0.rawValue) }
        reuseDetections = reuses.cell()
        confirmed = confirmations.cell()
    }

    /// A refresh token was presented, and this became of it.
    package func refreshed(_ result: RefreshResult) {
        guard let index = RefreshResult.allCases.firstIndex(of: result) else { return }
        refreshed[index].increment()
    }

    /// A rotated refresh token came back, and its session was revoked.
    package func reuseDetected() {
        refreshed(.reused)
        reuseDetections.increment()
    }

    /// A revocation was confirmed this long after it was asked for.
    package func confirmed(after duration: Duration) {
        confirmed.record(duration)
    }

    package var sources: [any MetricSource] { [refreshes, reuses, confirmations] }
}
