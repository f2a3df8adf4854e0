import FleetParts
import Foundation

/// When a revocation was applied, to the microsecond, without asking while it happens: each validator adds up how long
/// what it heard took from its commit (`quash_revocation_propagation_seconds_sum`), so the difference of two readings
/// around one revocation is that revocation's time.
final class AppliedProbe {
    private static let stampedScript = """
        local time = redis.call('TIME')
        redis.call('PUBLISH', 'raw', string.format('%.0f', (time[1] * 1000000 + time[2]) * 1000))
        return 1
        """

    private let fleet: QuashProcesses
    private let report: Report
    private let redis: RedisConnection
    private let feed: RedisConnection
    private let scripts: FeedScripts
    private let stampedName: [UInt8]
    private var identifiers = Identifiers()
    private var last: [(nanoseconds: Double, count: Int)] = []
    /// Between an event and the look at what came of it.
    private let pauseMicroseconds: UInt32

    init(_ fleet: QuashProcesses, _ report: Report) throws {
        self.fleet = fleet
        self.report = report
        redis = try fleet.redis.connect()
        feed = try RedisConnection(path: fleet.redis.socket, timeoutSeconds: 30)
        try feed.call("SUBSCRIBE", "{quash}:feed")
        scripts = try FeedScripts(redis)
        guard case .bytes(let name) = try redis.call("SCRIPT", "LOAD", Self.stampedScript) else {
            throw FleetFailure("a script has no name")
        }
        stampedName = name
        pauseMicroseconds = fleet.validators.count > 10 ? 12_000 : 3000
    }

    // MARK: Plain messages

    func published(_ subscribers: PlainSubscribers, _ events: Int) throws -> Latencies {
        try plain(subscribers, events) { RESP.command("PUBLISH", "raw", "\(Clocks.civil)") }
    }

    func publishedByScript(_ subscribers: PlainSubscribers, _ events: Int) throws -> Latencies {
        let command = RESP.command([Array("EVALSHA".utf8), stampedName, [0x30]])
        return try plain(subscribers, events) { command }
    }

    private func plain(
        _ subscribers: PlainSubscribers, _ events: Int, command: () -> [UInt8]
    ) throws -> Latencies {
        _ = try subscribers.heard()
        for _ in 0..<events {
            let bytes = command()
            try redis.stream.send(bytes)
            _ = try redis.receive()
            Clocks.sleep(microseconds: pauseMicroseconds)
        }
        var all = Latencies()
        for latencies in try subscribers.heard() {
            report.check(
                "every plain subscriber hears every message", count: events, failures: abs(latencies.count - events))
            all.add(latencies)
        }
        return all
    }

    // MARK: Revocations

    /// Commits by the shipped script, sent by this program: from when it was sent, and from the stamp that Redis gave.
    func committed(_ events: Int) throws -> (sent: Latencies, stamped: Latencies) {
        try begin()
        var sentLatencies = Latencies()
        var stamped = Latencies()
        for _ in 0..<events {
            let command = scripts.revoke([identifiers.one()])
            let sent = Clocks.civil
            try redis.stream.send(command)
            let sequence = try FeedScripts.sequence(try redis.receive())
            let (stamp, times) = try observe(sequence)
            for time in times {
                sentLatencies.add(nanoseconds: stamp + time - sent)
                stamped.add(nanoseconds: time)
            }
        }
        return (sentLatencies, stamped)
    }

    /// Through the issuer, from when the request was sent.
    func revoked(_ events: Int) throws -> Latencies {
        try begin()
        var latencies = Latencies()
        for _ in 0..<events {
            let sent = Clocks.civil
            let (status, receipt) = try fleet.revoke(jti: [identifiers.one()])
            report.check("a revocation is answered as stored", status == 201 && receipt.status == "stored")
            let (stamp, times) = try observe(receipt.seq)
            for time in times { latencies.add(nanoseconds: stamp + time - sent) }
        }
        return latencies
    }

    /// Lets what is on the way arrive, and reads where everything stands.
    private func begin() throws {
        Clocks.sleep(microseconds: 20_000)
        try feed.stream.send(RESP.command("PING"))
        while try message().elements?.first?.string != "pong" {}
        last = try fleet.validators.map { try $0.propagation() }
    }

    private func message() throws -> RESPValue { try feed.receive() }

    /// - Returns: when Redis stamped the commit, in nanoseconds since 1970, and how much later it was applied by each.
    private func observe(_ sequence: Int) throws -> (stamp: Int64, times: [Int64]) {
        Clocks.sleep(microseconds: pauseMicroseconds)
        guard let text = try message().elements?[2], case .bytes(let bytes) = text else {
            throw FleetFailure("the feed carries something else")
        }
        let fields = bytes.split(separator: 0x20, maxSplits: 4, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard fields.count == 5, Int(fields[1]) == sequence, let stamp = Int64(fields[3]) else {
            throw FleetFailure("the feed carries something else than commit \(sequence)")
        }
        var times: [Int64] = []
        for (index, validator) in fleet.validators.enumerated() {
            var now = try validator.propagation()
            _ = try wait(atMost: 5) {
                now = try validator.propagation()
                return now.count > last[index].count
            }
            let isOne = now.count == last[index].count + 1
            report.check("every validator applies a revocation once", isOne)
            if isOne { times.append(Int64(now.nanoseconds - last[index].nanoseconds)) }
            last[index] = now
        }
        return (stamp * 1000, times)
    }
}

/// What a small write and its synchronisation cost on the disk of the outbox.
final class DiskProbe {
    private let folder: Folder
    private let file: FileHandle

    init() throws {
        folder = try Folder()
        guard FileManager.default.createFile(atPath: folder.path("probe"), contents: nil),
            let file = FileHandle(forWritingAtPath: folder.path("probe"))
        else {
            throw FleetFailure("a file cannot be written")
        }
        self.file = file
    }

    /// - Returns: nanoseconds.
    func write() throws -> Int64 {
        let begun = Clocks.monotonic
        try file.write(contentsOf: Data(repeating: 7, count: 48))
        guard fdatasync(file.fileDescriptor) == 0 else { throw FleetFailure("fdatasync fails") }
        return Clocks.monotonic - begun
    }
}
