import BenchResults
import FleetParts
import Foundation

/// Measures what the model of a large fleet is made of: processor time of Redis, by getrusage(2) of its process, and of
/// the issuer. Nodes are made up: this program renews for each with the shipped script, as validators do.
final class ScalingProbe {
    private let fleet: QuashProcesses
    private let report: Report
    private let redis: RedisConnection
    private let scripts: FeedScripts
    private var identifiers = Identifiers()

    init(_ fleet: QuashProcesses, _ report: Report) throws {
        self.fleet = fleet
        self.report = report
        redis = try fleet.redis.connect()
        scripts = try FeedScripts(redis)
    }

    func measure() throws -> ScalingCosts {
        let rounds = report.choose(5, 9)
        let renewals = try (0..<rounds).map { _ in try renewal() }
        let (delivery, bytes) = try delivery(rounds)
        let commits = try (0..<rounds).map { _ in try commit(isAwaited: false) }
        let pings = try (0..<rounds).map { _ in try cost(2000) { _ in RESP.command("PING") } }
        let issuing = try issuing()
        let group = "processor time of Redis"
        report.figure(group, "one renewal, each on its own connection", "µs", .lower, renewals)
        report.figure(group, "one message to one subscriber", "µs", .lower, delivery)
        report.figure(group, "one commit of one revocation", "µs", .lower, commits)
        report.figure(group, "one PING", "µs", .lower, pings)
        report.figure("POST → answered as stored", "p50, no validators", "µs", .lower, [issuing])
        let confirmations = try confirmations()
        return ScalingCosts(
            renewal: renewals.median, commit: commits.median, registryEntry: max(0, confirmations.registryEntry),
            delivery: delivery.median, messageBytes: bytes, acknowledgement: max(0, confirmations.acknowledgement),
            acknowledgementEntry: max(0, confirmations.acknowledgementEntry), issuing: issuing,
            question: pings.median)
    }

    /// Microseconds of Redis for one of `count` commands, one after the other on one connection.
    private func cost(_ count: Int, _ command: (Int) -> [UInt8]) throws -> Double {
        let before = try redis.processorMicroseconds()
        for number in 0..<count {
            try redis.stream.send(command(number))
            if case .error(let text) = try redis.receive() { throw FleetFailure("redis: \(text)") }
        }
        return try (redis.processorMicroseconds() - before) / Double(count)
    }

    private func commit(isAwaited: Bool, count: Int = 2000) throws -> Double {
        try cost(count) { _ in scripts.revoke([identifiers.one()], isAwaited: isAwaited) }
    }

    /// Each node has a connection, so nothing is read or written for two at once.
    private func renewal() throws -> Double {
        let connections = try (0..<50).map { _ in try fleet.redis.connect() }
        let head = try scripts.head()
        let rounds = 100
        let before = try redis.processorMicroseconds()
        for _ in 0..<rounds {
            for (node, connection) in connections.enumerated() {
                try connection.stream.send(scripts.renew(node: "probe-\(node)/0", applied: head))
            }
            for connection in connections {
                let reply = try connection.receive()
                report.check("a renewal is granted", reply.elements?.first?.string == "entries")
            }
        }
        return try (redis.processorMicroseconds() - before) / Double(rounds * connections.count)
    }

    /// Of a message as long as the feed's; and how long that is in a subscriber's output buffer.
    private func delivery(_ rounds: Int) throws -> ([Double], Double) {
        let subscribers = 100
        let messages = 1000
        let payload = "0123456789abcdef 1000000 0 1800000000000000 " + String(repeating: "r", count: 20)
        let bytes = RESP.command("message", "{quash}:feed", payload).count
        func publish(_ channel: String) throws -> Double {
            try cost(messages) { _ in RESP.command("PUBLISH", channel, payload) }
        }
        let plain = try Subscribers(path: fleet.redis.socket, channel: "many", count: subscribers)
        var costs: [Double] = []
        for _ in 0..<rounds {
            let none = try publish("nobody")
            costs.append(try (publish("many") - none) / Double(subscribers))
        }
        try redis.call("PUBLISH", "many", "end")
        report.check("plain subscribers end when they are told", plain.join())
        return (costs, Double(bytes))
    }

    private func issuing() throws -> Double {
        var latencies = Latencies()
        for _ in 0..<300 {
            let begun = Clocks.monotonic
            let (status, _) = try fleet.revoke(jti: [identifiers.one()])
            latencies.add(nanoseconds: Clocks.monotonic - begun)
            report.check("a revocation is answered as stored", status == 201)
        }
        return latencies.median
    }

    // MARK: Confirmations

    private struct Costs {
        var registryEntry = 0.0
        var acknowledgement = 0.0
        var acknowledgementEntry = 0.0
    }

    /// Confirms revocations among made-up nodes that acknowledge at once, and sees how it grows with their number.
    private func confirmations() throws -> Costs {
        try fleet.waitUntilConfirming()
        var registry: [(Double, Double)] = []
        var issuer: [(Double, Double)] = []
        var times: [[Double]] = []
        for count in report.choose([100, 300, 1000, 3000], [100, 300, 1000, 3000, 10_000]) {
            let nodes = (0..<count).map { "made-up-\($0)/0" }
            try renewAll(nodes, acknowledges: false)
            let plain = try commit(isAwaited: false, count: 200)
            let awaited = try commit(isAwaited: true, count: 50)
            registry.append((Double(count), awaited - plain))
            var seconds: [Double] = []
            var used: [Double] = []
            for _ in 0..<3 {
                try renewAll(nodes, acknowledges: false)
                let before = fleet.issuer.processorMicroseconds
                seconds.append(try confirm(nodes))
                used.append(fleet.issuer.processorMicroseconds - before)
            }
            issuer.append((Double(count), used.median / Double(count)))
            times.append([Double(count), seconds.median * 1000])
            report.figure(
                "confirmed by made-up nodes that answer at once", "\(count) nodes", "ms", .lower,
                seconds.map { $0 * 1000 })
            report.figure(
                "issuer's processor time per confirmation", "\(count) nodes", "ms", .lower, used.map { $0 / 1000 })
        }
        report.series(
            Series(
                group: "confirmed by made-up nodes that answer at once", subject: "one issuer, one Redis, here",
                xUnit: "nodes", yUnit: "ms", points: times))
        let line = LeastSquares.line(issuer)
        return Costs(
            registryEntry: LeastSquares.line(registry).slope, acknowledgement: line.atZero,
            acknowledgementEntry: line.slope)
    }

    private func renewAll(_ nodes: [String], acknowledges: Bool) throws {
        let head = try scripts.head()
        try redis.pipeline(nodes.count, window: 64) {
            scripts.renew(node: nodes[$0], applied: head, acknowledges: acknowledges)
        } check: {
            report.check("a renewal is granted", $0.elements?.first?.string == "entries")
        }
    }

    /// - Returns: seconds from the request until the answer.
    private func confirm(_ nodes: [String]) throws -> Double {
        let feed = try RedisConnection(path: fleet.redis.socket, timeoutSeconds: 20)
        try feed.call("SUBSCRIBE", "{quash}:feed")
        let begun = Clocks.monotonic
        try fleet.admin.send(
            QuashProcesses.revocation(jti: [identifiers.one()], wait: "confirmed"))
        _ = try feed.receive()
        try renewAll(nodes, acknowledges: true)
        let reply = try fleet.admin.receive()
        let took = Double(Clocks.monotonic - begun) / 1e9
        report.check("made-up nodes confirm", reply.status == 201 && reply.text.contains("\"confirmed\""))
        return took
    }
}
