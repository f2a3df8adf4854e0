import Quash
import QuashLoop

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

    private let sessions = MetricFamily<Counter>(
        "quash_sessions_created_total", "Sessions of which the first pair of tokens was minted.")
    private let refreshes = MetricFamily<Counter>(
        "quash_refresh_total", "Refresh tokens presented.", labels: ["result"])
    private let reuses = MetricFamily<Counter>(
        "quash_refresh_reuse_detected_total", "Sessions revoked because a rotated refresh token came back.")
    private let commits = MetricFamily<Counter>(
        "quash_commits_total", "Revocations that were asked for, by whether they are known to be stored.",
        labels: ["result"])
    private let damages = MetricFamily<Counter>(
        "quash_epochs_damaged_total", "Epochs that this issuer began because the data of the last was damaged.",
        labels: ["cause"])
    private let unsealed = MetricFamily<Counter>(
        "quash_feed_unsealed_total", "Entries of the feed that carry no seal of an issuer.")
    private let confirmations = MetricFamily<Histogram>(
        "quash_confirm_duration_seconds", "From the commit of a revocation to its confirmation.",
        bounds: [
            .microseconds(500), .milliseconds(1), .microseconds(2500), .milliseconds(5), .milliseconds(10),
            .milliseconds(25),
            .milliseconds(50), .milliseconds(100), .milliseconds(250), .milliseconds(500), .seconds(1),
            .milliseconds(2500),
            .seconds(5), .seconds(10),
        ])
    private let outcomes = MetricFamily<Counter>(
        "quash_confirmations_total", "Confirmations that were waited for, by how the wait ended.", labels: ["result"])
    private let nodes = MetricFamily<Gauge>(
        "quash_nodes", "Nodes in the registry, as this issuer last read it.", labels: ["role", "state"])
    private let checks = MetricFamily<Gauge>(
        "quash_live_set_checked_timestamp_seconds",
        "When the live set was last found to have all that this issuer holds.")
    private let keyFile = MetricFamily<Gauge>(
        "quash_signing_key_modified_timestamp_seconds",
        "When the file of the signing keys that are in use was last written, which a rotation does.")

    private let created: Counter
    private let refreshed: [Counter]
    private let reuseDetections: Counter
    private let stored: Counter
    private let failed: Counter
    private let damaged: [Counter]
    private let confirmed: Histogram
    private let confirmedCount: Counter
    private let unconfirmedCount: Counter
    private let unsealedCount: Counter
    private let keyFileModified: Gauge
    private let checked: Gauge
    private let members = Locked<[(isIssuer: Bool, leaseEnds: BootInstant)]>([])

    package init() {
        created = sessions.cell()
        refreshed = RefreshResult.allCases.map { [refreshes] in refreshes.cell($0.rawValue) }
        reuseDetections = reuses.cell()
        stored = commits.cell("stored")
        failed = commits.cell("failed")
        damaged = EpochDamage.allCases.map { [damages] in damages.cell($0.rawValue) }
        confirmed = confirmations.cell()
        confirmedCount = outcomes.cell("confirmed")
        unconfirmedCount = outcomes.cell("unconfirmed")
        unsealedCount = unsealed.cell()
        keyFileModified = keyFile.cell()
        checked = checks.cell()
        for (role, isIssuer) in [("issuer", true), ("validator", false)] {
            for (state, isHeld) in [("held", true), ("ended", false)] {
                nodes.observe(role, state) { [members] in
                    let now = ClockReading.now().boot
                    let count = members.withLock { members in
                        members.count { $0.isIssuer == isIssuer && (now < $0.leaseEnds) == isHeld }
                    }
                    return Double(count)
                }
            }
        }
    }

    /// A session has begun.
    package func sessionCreated() { created.increment() }

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

    /// What was to be revoked is stored, or not known to be.
    package func committed(isStored: Bool) { (isStored ? stored : failed).increment() }

    /// An epoch was begun because the data of the last was damaged.
    func damaged(_ how: EpochDamage) {
        guard let index = EpochDamage.allCases.firstIndex(of: how) else { return }
        damaged[index].increment()
    }

    /// So many entries of the feed carry no seal of an issuer.
    func received(unsealed count: Int) { unsealedCount.increment(by: UInt64(count)) }

    /// A revocation was confirmed this long after its commit.
    package func confirmed(after duration: Duration) {
        confirmed.record(duration)
        confirmedCount.increment()
    }

    /// The time that a caller gave for a confirmation is over.
    package func unconfirmed() { unconfirmedCount.increment() }

    /// The registry was read.
    func observed(_ fleet: Fleet) {
        let seen = fleet.nodes.map { (isIssuer: $0.entry.isIssuer, leaseEnds: $0.leaseEnds) }
        members.withLock { $0 = seen }
    }

    /// The live set was found to have all that this issuer holds, in seconds since 1970.
    package func checkedLiveSet(at seconds: Int64) { checked.set(Double(seconds)) }

    /// Keys are in use from a file that was last written then, in seconds since 1970.
    package func usesKeys(writtenAt seconds: Int64) { keyFileModified.set(Double(seconds)) }

    package var sources: [any MetricSource] {
        [sessions, refreshes, reuses, commits, damages, unsealed, confirmations, outcomes, nodes, checks, keyFile]
    }
}
