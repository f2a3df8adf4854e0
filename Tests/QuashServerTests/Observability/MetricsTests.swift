import Quash
import Testing

@testable import QuashServer

@Suite("Metrics")
struct MetricsTests {
    private func page(_ sources: any MetricSource...) throws -> Exposition {
        try Exposition(String(decoding: MetricsPage(sources).render(), as: UTF8.self))
    }

    @Test func thePageIsExactlyThis() {
        let family = MetricFamily<Counter>("quash_decisions_total", "Decisions.", labels: ["result", "reason"])
        family.cell("accepted", "valid").increment()
        family.cell("refused", "expired").increment(by: 41)
        let gauge = MetricFamily<Gauge>("quash_lease_seconds", "Left.")
        gauge.observe { 4.25 }
        let text = String(decoding: MetricsPage([family, gauge]).render(), as: UTF8.self)
        #expect(
            text == """
                # HELP quash_decisions_total Decisions.
                # TYPE quash_decisions_total counter
                quash_decisions_total{result="accepted",reason="valid"} 1
                quash_decisions_total{result="refused",reason="expired"} 41
                # HELP quash_lease_seconds Left.
                # TYPE quash_lease_seconds gauge
                quash_lease_seconds 4.25

                """)
    }

    @Test func cellsOfEqualLabelsAreAddedUp() throws {
        let family = MetricFamily<Counter>("a_total", "h", labels: ["l"])
        let cells = [family.cell("x"), family.cell("x"), family.cell("y")]
        for cell in cells { cell.increment() }
        let read = try page(family)
        #expect(read.value("a_total", ["l": "x"]) == 2)
        #expect(read.value("a_total", ["l": "y"]) == 1)
    }

    @Test(arguments: ["plain", "back\\slash", "quo\"te", "new\nline", "\r\n", "\\n", "\\\"", "ü", ""])
    func labelValuesComeBackAsTheyWere(value: String) throws {
        let family = MetricFamily<Counter>("a_total", "help with \\ and \n and \"", labels: ["l", "m"])
        family.cell(value, "second").increment(by: 7)
        let read = try page(family)
        #expect(read.value("a_total", ["l": value, "m": "second"]) == 7)
        #expect(read.help["a_total"] == "help with \\\\ and \\n and \"")
    }

    @Test func bucketsAreCumulativeAndInclusive() throws {
        let family = MetricFamily<Histogram>(
            "d_seconds", "h", bounds: [.milliseconds(1), .milliseconds(10), .seconds(1)])
        let (one, two) = (family.cell(), family.cell())
        for duration in [Duration.zero, .milliseconds(1), .microseconds(1001), .milliseconds(10), .seconds(1)] {
            one.record(duration)
        }
        two.record(.seconds(100))
        two.record(.seconds(-1))
        let read = try page(family)
        #expect(read.types["d_seconds"] == "histogram")
        #expect(read.value("d_seconds_bucket", ["le": "0.001"]) == 3)
        #expect(read.value("d_seconds_bucket", ["le": "0.01"]) == 5)
        #expect(read.value("d_seconds_bucket", ["le": "1"]) == 6)
        #expect(read.value("d_seconds_bucket", ["le": "+Inf"]) == 7)
        #expect(read.value("d_seconds_count") == 7)
        let sum = try #require(read.value("d_seconds_sum"))
        #expect(abs(sum - 101.012001) < 1e-9)
    }

    @Test(arguments: [
        (0.0, "0"), (1.0, "1"), (-3.0, "-3"), (0.00025, "0.00025"), (1e-7, "1e-07"), (1e20, "1e+20"),
        (Double.infinity, "+Inf"), (-Double.infinity, "-Inf"), (Double.nan, "NaN"),
    ])
    func numbersAreSpelledAsTheFormatWantsThem(number: Double, text: String) {
        #expect(MetricSample.text(number) == text)
    }

    @Test func aFamilyWithoutSeriesIsNotThere() throws {
        #expect(MetricsPage([MetricFamily<Gauge>("a", "h")]).render() == [])
    }

    @Test func countingFromManyThreadsLosesNothing() async throws {
        let family = MetricFamily<Counter>("a_total", "h")
        let shared = family.cell()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let own = family.cell()
                    for _ in 0..<10_000 {
                        own.increment()
                        shared.increment()
                    }
                }
            }
        }
        #expect(try page(family).value("a_total") == 80_000)
    }

    @Test func theFeedsMetricsHaveTheirPublishedNames() throws {
        let metrics = FeedMetrics()
        let keys = RevocationKind.allCases.map { RevocationKey(kind: $0, identifier: [UInt8](repeating: 1, count: 15)) }
        metrics.applied(keys.map { Revocation(key: $0, expiresAtSeconds: 1) })
        metrics.applied([Revocation(key: .subject("alice"), expiresAtSeconds: 1)])
        let now = ClockReading(boot: BootInstant(nanoseconds: 0), wallNanoseconds: 1_800_000_000_003_000_000)
        metrics.propagated(from: 1_800_000_000_000_000, to: now)
        metrics.indexEntries.observe("jti") { 3 }
        metrics.indexBytes.observe { 1 }
        metrics.sequence.observe { 7 }
        metrics.age.observe { 0.5 }
        metrics.missed()
        metrics.resynced(.start)
        metrics.lease.observe { 4.5 }
        metrics.redisUp.observe { 1 }
        metrics.evictedKeys.observe { 0 }
        let read = try Exposition(
            String(decoding: MetricsPage(metrics.sources + [buildInfo(version: "1")]).render(), as: UTF8.self))
        for kind in RevocationKind.allCases {
            #expect(read.value("quash_revocations_total", ["kind": kind.name]) == (kind == .subject ? 2 : 1))
        }
        #expect(read.value("quash_revocation_propagation_seconds_bucket", ["le": "0.0025"]) == 0)
        #expect(read.value("quash_revocation_propagation_seconds_bucket", ["le": "0.005"]) == 1)
        #expect(
            Set(read.types.keys) == [
                "quash_revocations_total", "quash_index_entries", "quash_index_bytes", "quash_feed_sequence",
                "quash_feed_age_seconds", "quash_feed_gaps_total", "quash_feed_resyncs_total", "quash_lease_seconds",
                "quash_revocation_propagation_seconds", "quash_redis_up", "quash_build_info",
                "quash_redis_evicted_keys_total",
            ])
    }

    @Test func theIssuersMetricsHaveTheirPublishedNames() throws {
        let metrics = IssuerMetrics()
        metrics.refreshed(.rotated)
        metrics.reuseDetected()
        metrics.confirmed(after: .milliseconds(3))
        let read = try Exposition(String(decoding: MetricsPage(metrics.sources).render(), as: UTF8.self))
        #expect(read.value("quash_refresh_total", ["result": "rotated"]) == 1)
        #expect(read.value("quash_refresh_total", ["result": "reused"]) == 1)
        #expect(read.value("quash_refresh_total", ["result": "unknown"]) == 0)
        #expect(read.value("quash_refresh_reuse_detected_total") == 1)
        #expect(read.value("quash_confirm_duration_seconds_bucket", ["le": "0.005"]) == 1)
        #expect(read.value("quash_confirmations_total", ["result": "confirmed"]) == 1)
        #expect(read.types.count == 11)
    }
}
