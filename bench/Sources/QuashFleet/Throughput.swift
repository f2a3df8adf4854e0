import BenchResults
import FleetParts
import Foundation

/// How much one issuer takes, beside the same commands in a script of a plain client. Client, issuer and Redis share
/// this machine's cores.
struct Throughput {
    /// What the shipped script does at its heart, for one record.
    private static let rawScript = """
        local sequence = redis.call('INCR', 'raw:seq')
        redis.call('XADD', 'raw:log', 'MAXLEN', '~', 100000, sequence .. '-0', 'r', ARGV[1])
        redis.call('PUBLISH', 'raw:feed', ARGV[1])
        return sequence
        """

    private static let inFlight = 256

    let fleet: QuashProcesses
    let report: Report

    // MARK: Revocations

    private struct Rounds {
        var rates: [Double] = []
        var processor: [Double] = []
        var latencies = Latencies()
    }

    func revocations(batches: [Int]) throws {
        report.say("Throughput of one issuer, no validators; the client, the issuer and Redis share all cores")
        let seconds = report.choose(1.5, 3.0)
        let rounds = report.choose(5, 10)
        var results = [Rounds](repeating: Rounds(), count: batches.count)
        var raw: [Double] = []
        var shipped: [Double] = []
        let load = try ClosedLoad(path: fleet.adminPath, connections: Self.inFlight)
        // The issuer hears each commit: so does one subscriber of what the plain client publishes.
        let listener = try Subscribers(path: fleet.redis.socket, channel: "raw:feed", count: 1)
        for round in 0...rounds {
            let rates = try plainRates(seconds: seconds)
            for (index, batch) in batches.enumerated() {
                try measure(batch, seconds, load, into: &results[index], isWarmUp: round == 0)
            }
            guard round > 0 else { continue }
            raw.append(rates.raw)
            shipped.append(rates.shipped)
        }
        try fleet.redis.connect().call("PUBLISH", "raw:feed", "end")
        report.check("plain subscribers end when they are told", listener.join())
        let group = "revocations per second through one issuer, \(batches == [1] ? "single" : "in lists")"
        report.figure(group, "INCR, XADD and PUBLISH in a script, 16 in flight", "/s", .higher, raw)
        report.figure(group, "the shipped script, 16 in flight", "/s", .higher, shipped)
        var points: [[Double]] = []
        for (batch, result) in zip(batches, results) {
            let name = "quash, \(batch) a request, \(Self.inFlight) in flight"
            report.figure(group, name, "/s", .higher, result.rates)
            report.figure("issuer's processor time per revocation", name, "µs", .lower, result.processor)
            report.latencies("answer to a revocation at full load", name, result.latencies)
            points.append([Double(batch), result.rates.median])
        }
        report.series(
            Series(group: group, subject: "quash", xUnit: "revocations a request", yUnit: "/s", points: points))
        for (batch, result) in zip(batches, results) where batch == 1 || batch == 100 {
            let ratios = zip(result.rates, raw).map { $0 / $1 }
            report.goal(
                Goal(
                    what: "revocations per second, \(batch) a request, \(Self.inFlight) in flight",
                    against: "scripts of INCR, XADD and PUBLISH per second, 16 in flight", relation: .atLeast,
                    limit: 0.5, rounds: ratios,
                    note: ratios.median >= 0.5
                        ? ""
                        : "the shipped script alone, sent by a plain client, reaches "
                            + Report.text(shipped.median / raw.median)))
        }
    }

    private func plainRates(seconds limit: Double) throws -> (raw: Double, shipped: Double) {
        let redis = try fleet.redis.connect()
        guard case .bytes(let name) = try redis.call("SCRIPT", "LOAD", Self.rawScript) else {
            throw FleetFailure("a script has no name")
        }
        let record = [UInt8](repeating: 7, count: 20)
        let command = RESP.command([Array("EVALSHA".utf8), name, [0x30], record])
        var identifiers = Identifiers()
        let scripts = try FeedScripts(redis)
        let raw = try rate(limit, redis) { command }
        let shipped = try rate(limit, redis) { scripts.revoke([identifiers.one()]) }
        return (raw, shipped)
    }

    private func rate(_ limit: Double, _ redis: RedisConnection, _ command: () -> [UInt8]) throws -> Double {
        let begun = Clocks.monotonic
        let end = begun + Int64(limit * 1e9)
        var count = 0
        while Clocks.monotonic < end {
            try redis.pipeline(2000, window: 16) { _ in command() }
            count += 2000
        }
        return Double(count) / (Double(Clocks.monotonic - begun) / 1e9)
    }

    private func measure(
        _ batch: Int, _ seconds: Double, _ load: ClosedLoad, into rounds: inout Rounds, isWarmUp: Bool
    ) throws {
        var identifiers = Identifiers()
        let redis = try fleet.redis.connect()
        let before = try redis.call("GET", "{quash}:seq").number ?? 0
        let processor = fleet.issuer.processorMicroseconds
        let outcome = try load.run(
            seconds: seconds, next: { QuashProcesses.revocation(jti: identifiers.some(batch)) },
            isRight: { $0.status == 201 && $0.text.contains("\"stored\"") })
        let used = fleet.issuer.processorMicroseconds - processor
        let commits = try (redis.call("GET", "{quash}:seq").number ?? 0) - before
        report.check("a revocation under load is answered as stored", count: outcome.total, failures: outcome.failures)
        if let failure = outcome.firstFailure { report.say("  wrong: \(failure)") }
        let expected = outcome.total * ((batch + 99) / 100)
        report.check(
            "the feed has as many commits as were answered", count: expected, failures: abs(commits - expected))
        guard !isWarmUp else { return }
        rounds.rates.append(outcome.rate * Double(batch))
        rounds.processor.append(used / Double(outcome.total * batch))
        rounds.latencies.add(outcome.latencies)
    }

    // MARK: Sign-ins

    func signIns() throws {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let seconds = report.choose(2.0, 4.0)
        let load = try ClosedLoad(path: fleet.adminPath, connections: 64)
        var rates: [Double] = []
        var signs: [Double] = []
        var processor: [Double] = []
        var signing: [Double] = []
        var latencies = Latencies()
        for round in 0...report.choose(5, 10) {
            let sign = try Self.signRate(cores: cores)
            // With one process openssl counts processor time, with several the time of day.
            let single = 1e6 / (try Self.signRate(cores: 1))
            let before = fleet.issuer.processorMicroseconds
            var number = 0
            let outcome = try load.run(
                seconds: seconds,
                next: {
                    number += 1
                    return QuashProcesses.adminRequest(
                        "POST", "/admin/v1/sessions", body: "{\"sub\":\"load-\(round)-\(number)\"}")
                }, isRight: { $0.status == 200 && $0.text.contains("\"access_token\"") })
            let used = (fleet.issuer.processorMicroseconds - before) / Double(outcome.total)
            report.check(
                "a sign-in under load is answered with tokens", count: outcome.total, failures: outcome.failures)
            guard round > 0 else { continue }
            rates.append(outcome.rate)
            signs.append(sign)
            processor.append(used)
            signing.append(single)
            latencies.add(outcome.latencies)
        }
        let group = "sign-ins per second, \(cores) cores"
        report.figure(group, "quash, 64 in flight", "/s", .higher, rates)
        report.figure(group, "openssl speed rsa2048, signatures", "/s", .higher, signs)
        report.figure("processor time", "issuer, one sign-in", "µs", .lower, processor)
        report.figure("processor time", "openssl speed rsa2048, one signature", "µs", .lower, signing)
        report.goal(
            Goal(
                what: "two signatures of openssl by processor time", against: "the issuer's for a sign-in",
                relation: .atLeast, limit: 0.9, rounds: zip(signing, processor).map { 2 * $0 / $1 },
                note: "what else the machine does counts little in this one"))
        report.latencies("answer to a sign-in at full load", "quash, 64 in flight", latencies)
        let ratios = zip(rates, signs).map { $0 / ($1 / 2) }
        report.goal(
            Goal(
                what: "sign-ins per second", against: "half the signatures per second of openssl on as many cores",
                relation: .atLeast, limit: 0.9, rounds: ratios,
                note: ratios.median >= 0.9
                    ? "" : "the client, HTTP and Redis take their part of the same \(cores) cores"))
    }

    private static func signRate(cores: Int) throws -> Double {
        let many = cores > 1 ? ["-multi", "\(cores)"] : []
        let text = Child.output(of: ["openssl", "speed"] + many + ["-seconds", "1", "rsa2048"]) ?? ""
        // `rsa 2048 bits 0.000123s 0.000008s   8140.1 122600.0`: seconds and rates of signing and verifying.
        let line = text.split(separator: "\n").last { $0.hasPrefix("rsa") && $0.contains("2048") }
        let columns = line?.split(separator: " ") ?? []
        guard columns.count >= 2, let rate = Double(columns[columns.count - 2]), rate > 0 else {
            throw FleetFailure("openssl speed does not say a rate")
        }
        return rate
    }
}
