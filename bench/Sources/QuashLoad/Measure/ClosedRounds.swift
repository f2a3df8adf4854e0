import BenchResults
import Foundation

/// Closed load by wrk, subject by subject and round by round: a slow spell of the machine meets all of them.
struct ClosedRounds {
    let group: String
    let subjects: [Subject]
    /// What is presented in turn.
    let tokens: [String]
    let expectation: Expected

    private final class Tally {
        var rates: [Double] = []
        var costs: [Double] = []
        var shares: [Double] = []
        var requests: UInt64 = 0
        var failures: UInt64 = 0
        var counted: UInt64 = 0
        var countFailures: UInt64 = 0
    }

    func run(_ runner: Runner) throws {
        let word = group.split(separator: " ").joined(separator: "-")
        let file = try runner.lab.folder.write("tokens-\(word)", tokens.map { "\($0)\n" }.joined())
        let tallies = subjects.map { _ in Tally() }
        for subject in subjects {
            _ = try Wrk.run(subject, tokens: file, seconds: runner.plan.warmUpSeconds, in: runner.lab)
        }
        for round in 1...runner.plan.rounds {
            for (subject, tally) in zip(subjects, tallies) {
                try measure(subject, file, tally, runner)
                runner.say(
                    "\(group), round \(round): \(subject.name): \(rounded(tally.rates.last ?? 0)) req/s, "
                        + "\(rounded(tally.costs.last ?? 0)) µs CPU/req, core \(rounded(tally.shares.last ?? 0)) %")
            }
        }
        for (subject, tally) in zip(subjects, tallies) {
            runner.add("\(group) requests per second", subject.name, "req/s", .higher, tally.rates)
            runner.add("\(group) CPU per request", subject.name, "µs CPU/req", .lower, tally.costs)
            // What a core would answer if it did nothing else: where the load cannot keep up with the server, or other
            // programs take their share, this is the figure that counts.
            runner.add(
                "\(group) requests per second of a core", subject.name, "req/s", .higher, tally.costs.map { 1e6 / $0 })
            runner.add("\(group) use of the server's core", subject.name, "%", .higher, tally.shares)
            let verb = expectation == .accept ? "accepts" : "refuses"
            runner.add(
                Check(what: "\(group): \(subject.name) \(verb) each", count: tally.requests, failures: tally.failures))
            if subject.decisions != nil {
                runner.add(
                    Check(
                        what: "\(group): \(subject.name) has counted each itself", count: tally.counted,
                        failures: tally.countFailures))
            }
        }
    }

    private func measure(_ subject: Subject, _ file: String, _ tally: Tally, _ runner: Runner) throws {
        let decisions = try subject.decisions?()
        let used = try subject.usedMicroseconds()
        let result = try Wrk.run(subject, tokens: file, seconds: runner.plan.seconds, in: runner.lab)
        let cost = try subject.usedMicroseconds() - used
        tally.rates.append(result.perSecond)
        tally.costs.append(cost / Double(result.requests))
        tally.shares.append(cost / Double(result.microseconds) * 100)
        tally.requests += result.requests
        let wrong = expectation == .accept ? result.statusErrors : result.requests - result.statusErrors
        tally.failures += wrong + result.brokenRequests
        guard let decisions, let after = try subject.decisions?() else { return }
        let counted = after - decisions
        tally.counted += counted
        tally.countFailures += Self.difference(server: counted, client: result.requests)
    }

    /// What the server has counted too much or too little. wrk leaves when its time is over, and does not count what is
    /// then under way: one request on each connection.
    static func difference(server: UInt64, client: UInt64) -> UInt64 {
        let underWay = UInt64(Wrk.connections)
        if server < client { return client - server }
        return max(server - client, underWay) - underWay
    }
}
