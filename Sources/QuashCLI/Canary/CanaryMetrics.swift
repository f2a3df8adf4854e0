import QuashHTTP
import QuashLoop
import QuashServer

/// What the canary measures. The names are an interface: alerts are built on them.
final class CanaryMetrics: Sendable {
    private let refusals = MetricFamily<Histogram>(
        "quash_canary_revoke_to_refused_seconds",
        "From the request to revoke a session to the gateway's first refusal of its token that lasted.",
        labels: ["gateway"],
        bounds: [
            .milliseconds(1), .microseconds(2500), .milliseconds(5), .milliseconds(10), .milliseconds(25),
            .milliseconds(50), .milliseconds(100), .milliseconds(250), .milliseconds(500), .seconds(1),
            .milliseconds(2500), .seconds(5), .seconds(10), .seconds(30),
        ])
    private let rounds = MetricFamily<Counter>(
        "quash_canary_rounds_total", "Rounds through a gateway, by what they found.", labels: ["gateway", "result"])
    private let successes = MetricFamily<Gauge>(
        "quash_canary_last_success_timestamp_seconds", "When a round was last ok; 0 when none was yet.",
        labels: ["gateway"])

    /// The cells of one gateway.
    struct Cells {
        fileprivate let refusal: Histogram
        fileprivate let rounds: [CanaryFinding.Result: Counter]
        fileprivate let success: Gauge

        /// Counts a round that ended at `wallSeconds` since 1970.
        func record(_ finding: CanaryFinding, wallSeconds: Double) {
            rounds[finding.result]?.increment()
            if let refusedAfter = finding.refusedAfter { refusal.record(refusedAfter) }
            if finding.result == .ok { success.set(wallSeconds) }
        }
    }

    /// The series of a gateway, from the start.
    func cells(of gateway: String) -> Cells {
        let counters = CanaryFinding.Result.allCases.map { ($0, rounds.cell(gateway, $0.rawValue)) }
        return Cells(
            refusal: refusals.cell(gateway), rounds: Dictionary(uniqueKeysWithValues: counters),
            success: successes.cell(gateway))
    }

    /// What `GET /metrics` answers.
    var page: MetricsPage { MetricsPage([refusals, rounds, successes]) }
}

/// Answers scrapes. Nothing there is secret, so no credential is asked for.
final class CanaryMetricsResponder: HTTPResponder {
    private let page: MetricsPage

    init(_ page: MetricsPage) {
        self.page = page
    }

    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int { 0 }

    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        guard request.path.equals("/metrics") else { return exchange.send(.notFound, text: "only /metrics is here\n") }
        guard request.method == .get || request.method == .head else {
            return exchange.send(.methodNotAllowed, fields: ["Allow": "GET, HEAD"])
        }
        exchange.send(
            .ok, fields: ["Content-Type": MetricsPage.contentType, "Cache-Control": "no-store"], body: page.render())
    }
}
