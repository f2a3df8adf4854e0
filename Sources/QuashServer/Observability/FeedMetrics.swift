package import Quash

/// What both roles measure of the feed. The names are an interface: dashboards and alerts are built on them.
package final class FeedMetrics: Sendable {
    private let revocations = MetricFamily<Counter>(
        "quash_revocations_total", "Revocations applied, a cold start's included.", labels: ["kind"])
    private let propagation = MetricFamily<Histogram>(
        "quash_revocation_propagation_seconds",
        "From the commit in Redis to the index here, of what came by pub/sub; the clocks of both machines count.",
        bounds: [
            .microseconds(100), .microseconds(250), .microseconds(500), .milliseconds(1), .microseconds(2500),
            .milliseconds(5), .milliseconds(10), .milliseconds(25), .milliseconds(50), .milliseconds(100),
            .milliseconds(250), .seconds(1), .seconds(5),
        ])
    /// Revocations that the index holds.
    package let indexEntries = MetricFamily<Gauge>(
        "quash_index_entries", "Revocations in the index.", labels: ["kind"])
    /// Memory of the index.
    package let indexBytes = MetricFamily<Gauge>("quash_index_bytes", "Memory that the index takes.")
    /// Revocations that the index may hold.
    package let indexLimit = MetricFamily<Gauge>(
        "quash_index_entries_limit", "Revocations that the index may hold: max-revocations.")
    /// Seconds.
    package let cut = MetricFamily<Gauge>(
        "quash_index_cut_seconds", "How long before they expire tokens are refused, because the index was full.")
    /// The applied sequence.
    package let sequence = MetricFamily<Gauge>(
        "quash_feed_sequence", "The sequence up to which everything is applied; it starts again with each epoch.")
    /// Seconds since the last grant was asked for.
    package let age = MetricFamily<Gauge>(
        "quash_feed_age_seconds",
        "Time since the request for the current lease: no revocation older than this is missing.")
    private let gaps = MetricFamily<Counter>(
        "quash_feed_gaps_total", "Messages whose predecessors had not arrived.")
    private let resyncs = MetricFamily<Counter>(
        "quash_feed_resyncs_total", "How often the live set was read whole.", labels: ["cause"])
    /// Seconds of lease left.
    package let lease = MetricFamily<Gauge>(
        "quash_lease_seconds", "Time left of the lease; at 0 every token is refused.")
    /// Seconds.
    package let clockLead = MetricFamily<Gauge>(
        "quash_clock_lead_seconds",
        "How far the clock is certainly ahead of that of Redis, when they were last compared; negative when behind.")
    /// 1 or 0.
    package let redisUp = MetricFamily<Gauge>("quash_redis_up", "Whether the connection for commands is up.")

    /// Of the Redis that is connected.
    package let evictedKeys = MetricFamily<Counter>(
        "quash_redis_evicted_keys_total",
        "Keys that Redis has evicted since it started: revocations may have been among them.")

    private let applied: [Counter]
    private let propagated: Histogram
    private let missing: Counter
    private let loads: [Feed.ResyncCause: Counter]

    package init() {
        applied = RevocationKind.allCases.map { [revocations] in revocations.cell($0.name) }
        propagated = propagation.cell()
        missing = gaps.cell()
        let causes = Feed.ResyncCause.allCases
        loads = Dictionary(uniqueKeysWithValues: causes.map { [resyncs] in ($0, resyncs.cell($0.rawValue)) })
    }

    /// These revocations entered the index.
    package func applied(_ revocations: [Revocation]) {
        var counts = [Int](repeating: 0, count: applied.count)
        // Raw values count from 1, in the order of the cases.
        for revocation in revocations { counts[Int(revocation.key.kind.rawValue) - 1] += 1 }
        for (counter, count) in zip(applied, counts) where count > 0 { counter.increment(by: UInt64(count)) }
    }

    /// A message came whose predecessors had not.
    package func missed() { missing.increment() }

    /// The live set is read whole.
    package func resynced(_ cause: Feed.ResyncCause) { loads[cause]?.increment() }

    /// A published commit was applied.
    ///
    /// - Parameter microseconds: since 1970, by the clock of Redis.
    package func propagated(from microseconds: Int64, to now: ClockReading) {
        propagated.record(.nanoseconds(now.wallNanoseconds) - .microseconds(microseconds))
    }

    package var sources: [any MetricSource] {
        [
            revocations, propagation, indexEntries, indexBytes, indexLimit, cut, sequence, age, gaps, resyncs, lease,
            redisUp, evictedKeys, clockLead,
        ]
    }
}

/// Which build is running, as a metric whose value is always 1.
package func buildInfo(version: String) -> any MetricSource {
    let family = MetricFamily<Gauge>("quash_build_info", "The build that is running.", labels: ["version"])
    family.cell(version).set(1)
    return family
}

/// Until when the certificate that listeners show is good (RFC 5280 §4.1.2.5); nothing where they show none.
///
/// - Parameter seconds: since 1970.
func certificateMetric(_ seconds: Int64?) -> [any MetricSource] {
    guard let seconds else { return [] }
    let family = MetricFamily<Gauge>(
        "quash_tls_certificate_expiry_timestamp_seconds", "Until when the certificate that listeners show is good.")
    family.cell().set(Double(seconds))
    return [family]
}
