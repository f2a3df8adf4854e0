import BenchResults
import FleetParts
import Foundation

/// What is found, as it is found; and a line on the terminal for each.
final class Report {
    private(set) var results: Results
    let isQuick: Bool
    private var checks: [String: (count: UInt64, failures: UInt64)] = [:]
    private var checkOrder: [String] = []

    init(isQuick: Bool, quash: String) {
        self.isQuick = isQuick
        results = Results(run: Self.run(isQuick: isQuick, quash: quash))
    }

    /// How many rounds and how long, in a quick run and in a full one.
    func choose<Value>(_ quick: Value, _ full: Value) -> Value { isQuick ? quick : full }

    func say(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }

    func figure(
        _ group: String, _ subject: String, _ unit: String, _ better: Figure.Better = .lower, _ rounds: [Double]
    ) {
        results.figures.append(
            Figure(kind: .fleet, group: group, subject: subject, unit: unit, better: better, rounds: rounds))
        say("  \(group): \(subject) \(Self.text(rounds.median)) \(unit)")
    }

    /// A curve and its distribution.
    func latencies(_ group: String, _ subject: String, _ latencies: Latencies, offeredRate: Double? = nil) {
        results.curves.append(latencies.curve(group: group, subject: subject, offeredRate: offeredRate))
        results.series.append(latencies.distribution(group: group, subject: subject))
        say(
            "  \(group): \(subject) p50 \(Self.text(latencies.median)) p99 \(Self.text(latencies.p99)) µs of "
                + "\(latencies.count)")
    }

    /// How many threads wanted a core besides: latencies of a busy machine are the scheduler's.
    func noteLoad(_ when: String) {
        let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        guard let load = text.split(separator: " ").first.flatMap({ Double($0) }) else { return }
        figure("load average of the machine", when, "threads", .lower, [load])
    }

    func series(_ series: Series) { results.series.append(series) }

    func goal(_ goal: Goal) {
        results.goals.append(goal)
        let state = goal.isReached.map { $0 ? "reached" : "missed" } ?? "not measured"
        say(
            "  goal \(state): \(goal.what) against \(goal.against) \(Self.text(goal.rounds.median)) \(goal.unit) "
                + "(\(goal.relation.rawValue) \(Self.text(goal.limit))) \(goal.note)")
    }

    func absent(_ subject: String, _ reason: String) {
        results.absent.append(Absent(subject: subject, reason: reason))
        say("  absent: \(subject): \(reason)")
    }

    func check(_ what: String, count: Int = 1, failures: Int) {
        if checks[what] == nil { checkOrder.append(what) }
        checks[what, default: (0, 0)].count += UInt64(count)
        checks[what, default: (0, 0)].failures += UInt64(failures)
    }

    func check(_ what: String, _ isRight: Bool) { check(what, failures: isRight ? 0 : 1) }

    var failures: UInt64 { checks.values.reduce(0) { $0 + $1.failures } }

    /// Adds the checks, and gives all.
    func finished() -> Results {
        var results = results
        results.checks = checkOrder.compactMap { name in
            checks[name].map { Check(what: name, count: $0.count, failures: $0.failures) }
        }
        return results
    }

    func version(_ name: String, _ version: String) { results.run.versions[name] = version }

    static func text(_ value: Double) -> String {
        if value.isNaN { return "-" }
        if value.magnitude >= 1000 { return String(format: "%.0f", value) }
        return String(format: value.magnitude >= 10 ? "%.1f" : "%.3f", value)
    }

    private static func run(isQuick: Bool, quash: String) -> Run {
        var run = Run.here(
            isQuick: isQuick, folder: URL(fileURLWithPath: #filePath).deletingLastPathComponent().path)
        run.addVersion("quash", [quash, "version"])
        run.addVersion("redis", ["redis-server", "--version"])
        run.addVersion("openssl", ["openssl", "version"])
        return run
    }
}
