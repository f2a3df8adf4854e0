import BenchResults
import Foundation

/// Results as a run on a small machine could have found them.
enum Sample {
    static var results: Results {
        var results = Results(run: run)
        results.figures = load + fleet + micro
        results.curves = latencies
        results.series = series
        results.goals = goals
        results.absent = [
            Absent(subject: "Caddy forward_auth", reason: "caddy is not packaged for this distribution"),
            Absent(subject: "Envoy jwt_authn", reason: "needs a download that the run was not allowed to make"),
        ]
        results.checks = [
            Check(
                what: "answers under load: 204 for what is valid, 401 for what is revoked", count: 48_211_904,
                failures: 0),
            Check(what: "forged tokens refused", count: 9_114_220, failures: 0),
            Check(what: "revocations applied at every validator", count: 300_000, failures: 0),
        ]
        return results
    }

    static var run: Run {
        var run = Run(
            date: "2026-11-26T20:04:11Z", commit: "9cf516144b1c", isQuick: false,
            processor: "AMD EPYC 7B13", cores: 2, memoryBytes: 8_331_460_608, kernel: "Linux 6.1.0-28-cloud-amd64")
        run.versions = [
            "Redis": "7.0.15", "nginx": "1.22.1", "HAProxy": "2.6.12", "Node": "18.19.0", "OpenSSL": "3.0.15",
            "Swift": "6.3.1", "wrk": "4.1.0",
        ]
        return run
    }

    static func figure(
        _ group: String, _ subject: String, _ unit: String, _ median: Double, noise: Double = 0.03,
        kind: Figure.Kind = .load, better: Figure.Better = .higher
    ) -> Figure {
        // The median is the median, and the spread is not even.
        let rounds = [1 - noise * 0.7, 1 + noise * 0.2, 1, 1 + noise, 1 - noise * 0.3].map { median * $0 }
        return Figure(kind: kind, group: group, subject: subject, unit: unit, better: better, rounds: rounds)
    }

    private static let peers: [(name: String, rate: Double, cost: Double)] = [
        ("Node http + jsonwebtoken + Set", 12_000, 82.6),
        ("quash", 134_800, 7.3),
        ("nginx return 204, no validation", 129_500, 7.6),
        ("HAProxy jwt_verify + map", 23_900, 41.6),
        ("Node http + fast-jwt with its token cache + in-memory Set", 33_100, 30.1),
        ("nginx Lua + resty.openssl, tuned, shared dict", 19_400, 50.9),
        ("Express + jsonwebtoken + Redis per request", 2_880, 345),
        ("FastAPI + PyJWT + Redis", 3_200, 311),
    ]

    private static var load: [Figure] {
        let warm = peers.map { figure("Warm validation, requests per second", $0.name, "req/s", $0.rate) }
        let cost = peers.map {
            figure("Warm validation, CPU per request", $0.name, "µs CPU/req", $0.cost, noise: 0.06, better: .lower)
        }
        let cold = [
            figure("Cold validation: every token is new", "quash", "req/s", 34_300, noise: 0.02),
            figure("Cold validation: every token is new", "libuv in C, verify only", "req/s", 35_300, noise: 0.02),
            figure("Cold validation: every token is new", "HAProxy jwt_verify", "req/s", 22_100, noise: 0.1),
            Figure(
                kind: .load, group: "Cold validation: every token is new", subject: "Envoy jwt_authn", unit: "req/s",
                better: .higher, rounds: []),
        ]
        let gateway = [
            ("quash behind nginx auth_request", 36_600.0), ("HAProxy jwt_verify", 24_000), ("nginx Lua, tuned", 19_400),
        ].map { figure("A gateway and its validator on one core", $0.0, "req/s", $0.1) }
        return warm + cost + cold + gateway
    }

    private static var fleet: [Figure] {
        [
            figure(
                "Bytes of one revocation in Redis, 1 M", "quash", "B", 31, noise: 0.001, kind: .fleet,
                better: .lower),
            figure(
                "Bytes of one revocation in Redis, 1 M", "SET … EX", "B", 145, noise: 0.002, kind: .fleet,
                better: .lower),
            figure("Cold start with 1 M revocations", "quash", "ms", 112, noise: 0.2, kind: .fleet, better: .lower),
            figure(
                "Cold start with 1 M revocations", "raw XRANGE, C client", "ms", 622, noise: 0.05, kind: .fleet,
                better: .lower),
            figure("Start to ready with an empty feed", "quash", "ms", 41, noise: 0.1, kind: .fleet, better: .lower),
            figure("Resident memory of an idle validator", "quash", "B", 9_870_000, kind: .fleet, better: .lower),
        ]
    }

    private static var micro: [Figure] {
        [
            figure("Verify one token", "quash, cold decision", "µs", 16.9, noise: 0.01, kind: .micro, better: .lower),
            figure("Verify one token", "openssl speed rsa2048", "µs", 16.4, noise: 0.01, kind: .micro, better: .lower),
            figure("Index look-up, hit", "quash", "ns", 24.3, noise: 0.05, kind: .micro, better: .lower),
            figure("Index look-up, miss", "quash", "ns", 32.8, noise: 0.05, kind: .micro, better: .lower),
        ]
    }

    private static var latencies: [LatencyCurve] {
        func curve(_ group: String, _ subject: String, _ microseconds: [Double]) -> LatencyCurve {
            let quantiles = [0.0, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1]
            return LatencyCurve(
                group: group, subject: subject, offeredRate: 10_000, count: 600_000,
                points: zip(quantiles, microseconds).map { .init(quantile: $0, microseconds: $1) })
        }
        let open = "Warm validation at 10,000 requests per second"
        let flood = "Good clients during a flood of forged tokens"
        return [
            curve(open, "HAProxy jwt_verify + map", [61, 142, 171, 230, 610, 1900, 5200, 9100]),
            curve(open, "quash", [38, 71, 79, 92, 148, 420, 1150, 2300]),
            curve(open, "Node http + fast-jwt", [70, 160, 214, 390, 2400, 9800, 21_000, 34_000]),
            curve(open, "nginx Lua, tuned", [66, 150, 190, 310, 1100, 3100, 7400, 12_000]),
            curve(open, "Envoy jwt_authn", [88, 190, 240, 300, 520, 1300, 2900, 6100]),
            curve(open, "libuv in C", [36, 69, 77, 91, 143, 400, 1080, 2200]),
            curve(open, "nginx return 204", [35, 68, 76, 90, 139, 380, 1020, 2100]),
            curve(flood, "quash", [40, 95, 160, 420, 1900, 3800, 6100, 8000]),
            curve(flood, "quash, without the flood", [38, 71, 79, 92, 148, 420, 1150, 2300]),
        ]
    }

    private static var series: [Series] {
        func distribution(_ subject: String, median: Double, tail: Double) -> Series {
            // A logistic distribution of the logarithm.
            let shares = (1..<400).map { Double($0) / 400 } + [0.999, 0.9999]
            let points = shares.map { [median * pow($0 / (1 - $0), tail), $0] }
            return Series(
                group: "Revoked, and applied at 3 validators", subject: subject, xUnit: "µs", yUnit: "share",
                points: points)
        }
        func memory(_ subject: String, _ perEntry: Double, _ resident: Double) -> Series {
            Series(
                group: "Resident memory by revocations", subject: subject, xUnit: "revocations", yUnit: "B",
                points: [0, 1e3, 1e4, 1e5, 1e6, 1e7].map { [$0, resident + $0 * perEntry] })
        }
        func requests(_ subject: String, _ rate: Double) -> Series {
            Series(
                group: "Requests per second while 10,000 revocations a second arrive", subject: subject, xUnit: "s",
                yUnit: "req/s",
                points: (0...120).map { [Double($0), rate * (1 - Double(($0 * 7919) % 13) / 250)] })
        }
        return [
            distribution("raw PUBLISH → SUBSCRIBE", median: 92, tail: 0.13),
            distribution("quash", median: 118, tail: 0.14),
            distribution("quash, every loop saturated", median: 210, tail: 0.24),
            memory("quash", 28.4, 9.87e6), memory("Redis, SET … EX", 145, 7.2e6),
            requests("quash", 134_000), requests("quash, idle feed", 135_500),
        ]
    }

    private static var goals: [Goal] {
        func goal(
            _ what: String, _ against: String, _ relation: Goal.Relation, _ limit: Double, _ median: Double,
            unit: String = "", noise: Double = 0.03, note: String = ""
        ) -> Goal {
            let rounds = [1 - noise * 0.7, 1 + noise * 0.2, 1, 1 + noise, 1 - noise * 0.3].map { median * $0 }
            return Goal(
                what: what, against: against, relation: relation, limit: limit, unit: unit, rounds: rounds, note: note)
        }
        return [
            goal("Warm validation over HTTP, CPU per request", "nginx return 204", .atMost, 1, 0.961),
            goal("Warm validation over HTTP, requests per second", "the best validating peer", .atLeast, 4, 4.07),
            goal("Warm validation over HTTP, requests per second", "the usual stack", .atLeast, 45, 46.8),
            goal("Cold validation over HTTP", "libuv and OpenSSL in C", .atLeast, 0.95, 0.972, noise: 0.01),
            goal(
                "Cold validation over HTTP", "HAProxy jwt_verify", .atLeast, 1.4, 1.29,
                note: "the peer's rounds vary by 10 % here"),
            goal("In-process validation of a warm token of 600 bytes", "", .atMost, 400, 287, unit: "ns"),
            Goal(
                what: "Growth from 1 to N loops", against: "linear", relation: .atLeast, limit: 0.9, rounds: [],
                note: "needs more than two cores"),
            goal("Bytes of a revocation in a validator, 10 M entries", "", .atMost, 32, 28.4, unit: "B", noise: 0.001),
            goal("Revoked → applied at 3 validators, p99", "raw PUBLISH → SUBSCRIBE", .atMost, 1.5, 1.32, noise: 0.2),
            goal(
                "The same while every loop is saturated, p99", "", .atMost, 2, 7.1, unit: "ms",
                note: "no core was left for the feed's thread"),
            goal("Cold start with 1 M live revocations", "raw XRANGE by a C client", .atMost, 0.25, 0.18, noise: 0.2),
            goal("Resident memory of an idle validator", "the C responder", .atMost, 2, 1.86),
        ]
    }
}
