import BenchResults
import FleetParts
import Foundation

/// How long a validator takes from the start of its process until it is ready, and to catch up after an outage.
struct ColdStart {
    let fleet: QuashProcesses
    let report: Report

    func run() throws {
        report.say("Cold start of a validator")
        try empty()
        let counts = report.choose([1_000_000], [1_000_000, 10_000_000])
        var points: [[Double]] = []
        var commits = [[0, try commit(live: 0)]]
        var stored = 0
        for count in counts {
            report.say("  storing \(count) revocations through the issuer")
            try fleet.store(count - stored, report)
            stored = count
            let ready = try loaded(count)
            points.append([Double(count), ready])
            commits.append([Double(count), try commit(live: count)])
        }
        report.series(
            Series(
                group: "processor time of Redis for one commit", subject: "the shipped script",
                xUnit: "live revocations", yUnit: "µs", points: commits))
        report.series(
            Series(
                group: "start → ready", subject: "quash validator", xUnit: "live revocations", yUnit: "s",
                points: points))
        try catchUp()
    }

    /// - Returns: seconds from the start of the process until it is ready.
    private func start() throws -> (seconds: Double, validator: ValidatorProcess) {
        let begun = Clocks.monotonic
        let validator = try fleet.startValidator()
        try validator.connect(atMost: 120)
        return (Double(Clocks.monotonic - begun) / 1e9, validator)
    }

    private func empty() throws {
        var times: [Double] = []
        for round in 0...report.choose(5, 15) {
            let (seconds, validator) = try start()
            validator.child.end()
            if round > 0 { times.append(seconds * 1000) }
        }
        report.figure("start → ready, empty feed", "quash validator", "ms", .lower, times)
        report.goal(
            Goal(
                what: "start → ready with an empty feed", against: "a limit", relation: .atMost, limit: 100,
                unit: "ms", rounds: times))
    }

    /// Beside a plain client that reads as many entries of a stream.
    ///
    /// - Returns: seconds, the median.
    private func loaded(_ count: Int) throws -> Double {
        try loadStream(count)
        var ready: [Double] = []
        var plain: [Double] = []
        var processor: [Double] = []
        for round in 0...report.choose(5, count > 1_000_000 ? 5 : 10) {
            var reader = try XRangeReader(path: fleet.redis.socket)
            var entries = 0
            let reading = try seconds { entries = try reader.readAll("plain") }
            report.check(
                "the plain client reads every entry", entries == count && reader.parser.valueBytes == 20 * count)
            let (starting, validator) = try start()
            let used = validator.child.processorMicroseconds / 1e6
            let indexed = try validator.metrics().filter { $0.key.hasPrefix("quash_index_entries") }
                .values.reduce(0, +)
            report.check("a validator that is ready has every revocation", Int(indexed) >= count)
            validator.child.end()
            guard round > 0 else { continue }
            ready.append(starting)
            plain.append(reading)
            processor.append(used)
        }
        try fleet.redis.connect().call("DEL", "plain")
        let group = "start → ready, \(count) live revocations"
        report.figure(group, "quash validator", "s", .lower, ready)
        report.figure(group, "plain client, XRANGE COUNT 10000", "s", .lower, plain)
        report.figure(group, "quash validator, its processor time in that", "s", .lower, processor)
        let ratios = zip(ready, plain).map { $0 / $1 }
        report.goal(
            Goal(
                what: "start → ready with \(count) live revocations",
                against: "a plain client that reads as many stream entries", relation: .atMost, limit: 0.25,
                rounds: ratios,
                note: ratios.median <= 0.25
                    ? "" : "the validator itself uses \(Report.text(processor.median)) s of processor time"))
        return ready.median
    }

    private func loadStream(_ count: Int) throws {
        let redis = try fleet.redis.connect()
        let script = """
            local from = tonumber(ARGV[1])
            for i = from, from + 9999 do redis.call('XADD', 'plain', i .. '-0', 'r', ARGV[2]) end
            return 1
            """
        let name = try redis.call("SCRIPT", "LOAD", script).string ?? ""
        for part in 0..<count / 10_000 {
            try redis.call(
                "EVALSHA", name, "0", "\(part * 10_000 + 1)",
                String(
                    decoding: (0..<20).map { _ in
                        UInt8.random(in: 0x30...0x7A)
                    }, as: UTF8.self))
        }
    }

    /// A commit looks at each part of its period's live set.
    ///
    /// - Returns: microseconds of Redis.
    private func commit(live count: Int) throws -> Double {
        let redis = try fleet.redis.connect()
        let scripts = try FeedScripts(redis)
        var identifiers = Identifiers()
        let before = try redis.processorMicroseconds()
        try redis.pipeline(5000, window: 16) { _ in
            scripts.revoke([identifiers.one()])
        } check: {
            _ = try FeedScripts.sequence($0)
        }
        let used = try (redis.processorMicroseconds() - before) / 5000
        report.figure(
            "processor time of Redis for one commit, 16 in flight", "\(count) live revocations", "µs", .lower, [used])
        return used
    }

    // MARK: After an outage

    private func catchUp() throws {
        try fleet.grow(to: 1)
        let validator = fleet.validators[0]
        let redis = try fleet.redis.connect()
        let token = try fleet.signIn("outage")
        // Messages wait in the socket and in Redis; those of so many lists are few, and of so many single ones many.
        for (name, batch) in [("lists of 100", 100), ("single commits", 1)] {
            var times: [Double] = []
            for _ in 0..<report.choose(3, 5) {
                let scripts = try FeedScripts(redis)
                var identifiers = Identifiers()
                validator.child.signal(SIGSTOP)
                let commits = 100_000 / batch
                try redis.pipeline(commits, window: 64) { _ in
                    scripts.revoke(identifiers.some(batch))
                } check: {
                    _ = try FeedScripts.sequence($0)
                }
                let head = try scripts.head()
                let question = ValidatorProcess.question(token.access, minimum: "\(scripts.epoch):\(head)")
                let begun = Clocks.monotonic
                validator.child.signal(SIGCONT)
                let isThere = try wait(atMost: 60) { try validator.ask(question) == 204 }
                times.append(Double(Clocks.monotonic - begun) / 1e6)
                report.check("a validator reaches the head after an outage", isThere)
            }
            report.figure(
                "SIGCONT → at the head, 100,000 revocations missed", "quash validator, \(name)", "ms", .lower, times)
        }
        fleet.shrink(to: 0)
    }
}

extension QuashProcesses {
    /// Has the issuer store this many revocations, in lists of 1000.
    func store(_ count: Int, _ report: Report) throws {
        let load = try ClosedLoad(path: adminPath, connections: 8)
        var identifiers = Identifiers()
        var left = count / 1000
        let outcome = try load.run(
            seconds: 600,
            next: {
                guard left > 0 else { return nil }
                left -= 1
                return Self.revocation(jti: identifiers.some(1000))
            }, isRight: { $0.status == 201 })
        report.check(
            "a list of 1000 is answered as stored", count: outcome.total,
            failures: outcome.failures + abs(outcome.total - count / 1000))
        if let failure = outcome.firstFailure { report.say("  wrong: \(failure)") }
    }
}
