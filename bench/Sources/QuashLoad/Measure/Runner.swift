import BenchResults
import Foundation
import Histogram

/// One run: it starts everything, measures group by group, and keeps what it found.
final class Runner {
    let lab: Lab
    let plan: Plan
    let validators: Validators
    /// Quash first, then the peers that passed the check.
    private(set) var subjects: [Subject] = []
    private(set) var results: Results

    init(lab: Lab, plan: Plan, run: Run, only: [String]) throws {
        self.lab = lab
        self.plan = plan
        results = Results(run: run)
        validators = try Validators(lab)
        try lab.revokeAll()
        for subject in [validators.subject, validators.unixSubject, validators.coldSubject] {
            try subject.check(lab.tokens)
        }
        say("\(Peer.quash): checked\(validators.hasTokenCache ? "" : "; it has no token cache, so warm is cold")")
        subjects = [validators.subject]
        let socket = validators.unixSubject.target
        let process = validators.subject.processes[0]
        let decisions = validators.subject.decisions
        let isWanted = { (name: String) in only.isEmpty || only.contains(where: name.contains) }
        if isWanted(Peer.authRequest) {
            start(Peer.authRequest) {
                var subject = try Peer.startAuthRequest(lab, validator: process, socket: socket)
                subject.decisions = decisions
                return subject
            }
        }
        for peer in Peer.all where isWanted(peer.name) { start(peer.name) { try peer.start(lab) } }
    }

    /// One that fails the check ends with the last reference to its processes.
    private func start(_ name: String, _ body: () throws -> Subject) {
        do {
            let subject = try body()
            try subject.check(lab.tokens)
            subjects.append(subject)
            say("\(name): checked")
        } catch {
            say("\(name): absent: \(error)")
            results.absent.append(Absent(subject: name, reason: "\(error)"))
        }
    }

    func subject(_ name: String) -> Subject? { subjects.first { $0.name == name } }

    /// Those that verify tokens and know what is revoked, Quash left out.
    var validatingPeers: [Subject] {
        subjects.filter { $0.validates && $0.revokes && ![Peer.quash, Peer.authRequest].contains($0.name) }
    }

    func stop() {
        for subject in subjects { subject.stop() }
        validators.stop()
        lab.stop()
    }

    func say(_ line: String) {
        // At once, also where the output is a file.
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }

    // MARK: Results

    func add(_ group: String, _ subject: String, _ unit: String, _ better: Figure.Better, _ rounds: [Double]) {
        results.figures.append(
            Figure(kind: .load, group: group, subject: subject, unit: unit, better: better, rounds: rounds))
    }

    func figure(_ group: String, _ subject: String) -> [Double] {
        results.figures.first { $0.group == group && $0.subject == subject }?.rounds ?? []
    }

    func add(_ check: Check) {
        results.checks.append(check)
        if check.failures > 0 { say("FAILED: \(check.what): \(check.failures) of \(check.count)") }
    }

    func add(_ goal: Goal) {
        results.goals.append(goal)
        let value = goal.rounds.isEmpty ? "not measured: \(goal.note)" : rounded(goal.rounds.median)
        let verdict = goal.isReached.map { $0 ? "reached" : "MISSED" } ?? "-"
        let limit = "\(goal.relation.rawValue) \(goal.limit)"
        say("goal  \(goal.what) / \(goal.against): \(value) \(goal.unit) (\(limit)): \(verdict)")
        if !goal.rounds.isEmpty, !goal.note.isEmpty { say("      \(goal.note)") }
    }

    func add(_ group: String, _ subject: String, rate: Double?, _ outcome: Outcome) {
        let quantiles = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1]
        results.curves.append(
            LatencyCurve(
                group: group, subject: subject, offeredRate: rate, count: outcome.latencies.totalCount,
                points: quantiles.map { .init(quantile: $0, microseconds: outcome.microseconds($0)) }))
    }

    func add(_ series: Series) { results.series.append(series) }
}

/// With three digits that count.
func rounded(_ value: Double) -> String {
    abs(value) >= 100 ? String(format: "%.0f", value) : String(format: abs(value) >= 10 ? "%.1f" : "%.2f", value)
}
