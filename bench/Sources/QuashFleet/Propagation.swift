import BenchResults
import FleetParts
import Foundation

/// How long a revocation takes to reach every validator, beside a plain message through the same Redis to as many
/// subscribers. Rounds of all subjects alternate.
struct Propagation {
    /// The latencies of one stage, all rounds together, and each round's p99.
    private struct Subject {
        var all = Latencies()
        var rounds: [Latencies] = []

        mutating func add(_ round: Latencies) {
            all.add(round)
            rounds.append(round)
        }

        func ratios(to other: Subject) -> [Double] {
            zip(rounds, other.rounds).map { $0.p99 / $1.p99 }
        }
    }

    let fleet: QuashProcesses
    let report: Report

    func run() throws {
        report.say("Propagation: processes of the quash binary, one loop each; all of them on this machine's cores")
        for count in report.choose([1, 3, 10], [1, 3, 10, 100]) {
            try fleet.grow(to: count)
            try fleet.waitUntilConfirming()
            let events = count > 10 ? report.choose(20, 40) : report.choose(60, 200)
            let rounds = report.choose(5, count > 10 ? 5 : 10)
            try applied(by: count, rounds: rounds, events: events)
            try refused(by: count, rounds: rounds, events: events / 2)
            try confirmed(by: count, rounds: rounds, events: count > 10 ? events : events * 2)
        }
        fleet.shrink(to: 0)
    }

    // MARK: Applied

    private func applied(by count: Int, rounds: Int, events: Int) throws {
        let probe = try AppliedProbe(fleet, report)
        // Whoever listens to the feed: the validators, the issuer, and this program.
        let plain = try PlainSubscribers(fleet.redis, channel: "raw", count: count + 2)
        var subjects = [Subject](repeating: Subject(), count: 5)
        for round in 0...rounds {
            let raw = try probe.published(plain, events)
            let stamped = try probe.publishedByScript(plain, events)
            let script = try probe.committed(events)
            let issuer = try probe.revoked(events)
            // The first round warms up.
            guard round > 0 else { continue }
            for (index, latencies) in [raw, stamped, script.sent, script.stamped, issuer].enumerated() {
                subjects[index].add(latencies)
            }
        }
        let group = "revoke → applied, \(count) validators"
        let names = [
            "PUBLISH sent → received", "PUBLISH by a script → received", "revoke script sent → applied",
            "committed → applied", "POST sent → applied",
        ]
        for (name, subject) in zip(names, subjects) { report.latencies(group, name, subject.all) }
        guard count == 3 else { return }
        report.goal(
            Goal(
                what: "committed → applied at 3 validators, p99", against: "PUBLISH by a script → received, p99",
                relation: .atMost, limit: 1.5, rounds: subjects[3].ratios(to: subjects[1]),
                note: "both from the clock of Redis inside the script"))
        report.goal(
            Goal(
                what: "revoke script sent → applied at 3 validators, p99", against: "PUBLISH sent → received, p99",
                relation: .atMost, limit: 1.5, rounds: subjects[2].ratios(to: subjects[0]),
                note: "both from the same client's clock; the script does what PUBLISH does not"))
    }

    // MARK: Refused

    private func refused(by count: Int, rounds: Int, events: Int) throws {
        var fromRequest = Latencies()
        var fromAnswer = Latencies()
        var acceptsAfterAnswer = 0
        for event in 0..<rounds * events {
            let token = try fleet.signIn("user-\(event)")
            let question = ValidatorProcess.question(token.access)
            try expect(204, question, "a token is accepted before it is revoked")
            let sent = Clocks.monotonic
            let (status, receipt) = try fleet.revoke(jti: [token.jti])
            let answered = Clocks.monotonic
            report.check("a revocation is answered as stored", status == 201 && receipt.status == "stored")
            var open = Array(fleet.validators.indices)
            let deadline = answered + 5_000_000_000
            while !open.isEmpty, Clocks.monotonic < deadline {
                for index in open {
                    let answer = try fleet.validators[index].ask(question)
                    let now = Clocks.monotonic
                    report.check(
                        "a validator answers 204 or 401 about a token being revoked", [204, 401].contains(answer))
                    if answer == 401 {
                        fromRequest.add(nanoseconds: now - sent)
                        fromAnswer.add(nanoseconds: now - answered)
                        open.removeAll { $0 == index }
                    } else {
                        acceptsAfterAnswer += 1
                    }
                }
            }
            report.check("every validator refuses within a lease", count: count, failures: open.count)
            try expect(401, question, "what was refused stays refused")
        }
        let group = "revoke → refused over HTTP, \(count) validators"
        report.latencies(group, "from POST sent", fromRequest)
        report.latencies(group, "from POST answered", fromAnswer)
        report.figure(
            "accepts between stored and refused", "\(count) validators", "accepts/revocation", .lower,
            [Double(acceptsAfterAnswer) / Double(rounds * events)])
    }

    private func expect(_ status: Int, _ question: [UInt8], _ what: String) throws {
        for validator in fleet.validators { report.check(what, try validator.ask(question) == status) }
    }

    // MARK: Confirmed

    private func confirmed(by count: Int, rounds: Int, events: Int) throws {
        var subjects = [Subject](repeating: Subject(), count: 4)
        let redis = try fleet.redis.connect()
        let disk = try DiskProbe()
        for round in 0...rounds {
            var pings = Latencies()
            var confirmations = Latencies()
            var writes = Latencies()
            var both = Latencies()
            for event in 0..<events {
                let token = try fleet.signIn("user-\(round)-\(event)")
                let question = ValidatorProcess.question(token.access)
                try expect(204, question, "a token is accepted before it is revoked")
                let begun = Clocks.monotonic
                for _ in 0..<10 { try redis.call("PING") }
                let between = Clocks.monotonic
                let (status, receipt) = try fleet.revoke(jti: [token.jti], wait: "confirmed")
                confirmations.add(nanoseconds: Clocks.monotonic - between)
                pings.add(nanoseconds: between - begun)
                let isConfirmed = status == 201 && receipt.status == "confirmed"
                report.check("a revocation is confirmed in time", isConfirmed)
                if isConfirmed { try expect(401, question, "nothing is accepted after it was confirmed") }
                let writing = try disk.write()
                writes.add(nanoseconds: writing)
                both.add(nanoseconds: between - begun + writing)
            }
            guard round > 0 else { continue }
            for (index, latencies) in [confirmations, pings, writes, both].enumerated() {
                subjects[index].add(latencies)
            }
        }
        let group = "revoke → confirmed, \(count) validators"
        report.latencies(group, "POST sent → confirmed", subjects[0].all)
        report.latencies(group, "ten PING", subjects[1].all)
        report.latencies(group, "one write and fdatasync", subjects[2].all)
        report.latencies(group, "ten PING, one write and fdatasync", subjects[3].all)
        guard count == 3 else { return }
        let ratios = subjects[0].ratios(to: subjects[1])
        let note =
            ratios.median <= 1
            ? ""
            : "a confirmation is one HTTP request, one fdatasync of the outbox (here p50 "
                + "\(Report.text(subjects[2].all.median)) µs) and five hops between processes that share two cores"
        report.goal(
            Goal(
                what: "confirmed by 3 validators, p99", against: "ten round trips to Redis, p99", relation: .atMost,
                limit: 1, rounds: ratios, note: note))
    }
}
