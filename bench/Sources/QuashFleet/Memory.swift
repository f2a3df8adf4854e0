import BenchResults
import FleetParts
import Foundation
import Quash

/// Bytes that a revocation takes in Redis and in a validator, and what a validator takes that has none.
struct Memory {
    let quash: String
    let report: Report

    func run() throws {
        report.say("Memory")
        try redis()
        try structures()
        try validator()
    }

    // MARK: In Redis

    private func redis() throws {
        let count = 1_000_000
        let group = "bytes per revocation in Redis, 1 M"
        let fleet = try QuashProcesses(quash: quash, in: Folder())
        let connection = try fleet.redis.connect()
        let before = try connection.info("memory", "used_memory")
        try fleet.store(count, report)
        let own = try (connection.info("memory", "used_memory") - before) / Double(count)
        let log = try connection.call("MEMORY", "USAGE", "{quash}:log", "SAMPLES", "0").number ?? 0
        fleet.end()
        report.figure(group, "quash", "B", .lower, [own])
        report.figure(group, "quash, the log for replay in it", "B", .lower, [Double(log) / Double(count)])
        let plain: [(String, (Int) -> [String])] = [
            ("SET jti EX", { ["SET", Self.jti($0), "1", "EX", "86400"] }),
            ("sorted set", { ["ZADD", "set", "\(1_800_000_000 + $0)", Self.jti($0)] }),
            ("stream", { ["XADD", "stream", "*", "jti", Self.jti($0)] }),
        ]
        var bytes: [String: Double] = [:]
        for (name, command) in plain {
            bytes[name] = try redisBytes(count, command)
            report.figure(group, name, "B", .lower, [bytes[name] ?? .nan])
        }
        report.goal(
            Goal(
                what: "memory of a revocation in Redis", against: "a limit", relation: .atMost, limit: 40, unit: "B",
                rounds: [own],
                note: own <= 40
                    ? ""
                    : "the log keeps the newest 100,000 commits, whatever they hold: "
                        + "\(Report.text(Double(log) / Double(count))) B of it are there"))
        report.goal(
            Goal(
                what: "memory of a revocation in Redis", against: "SET jti EX", relation: .atMost, limit: 0.25,
                rounds: [own / (bytes["SET jti EX"] ?? .nan)]))
    }

    /// Like those that Quash makes: 20 characters of an alphabet of 64.
    private static func jti(_ number: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var numbers = SeededNumbers(seed: UInt64(number))
        return String(decoding: (0..<20).map { _ in alphabet[Int(numbers.next() % 64)] }, as: UTF8.self)
    }

    private func redisBytes(_ count: Int, _ command: (Int) -> [String]) throws -> Double {
        let redis = try PrivateRedis(in: Folder())
        defer { redis.child.end() }
        let connection = try redis.connect()
        let before = try connection.info("memory", "used_memory")
        try connection.pipeline(count, window: 256) { RESP.command(command($0).map { Array($0.utf8) }) }
        return try (connection.info("memory", "used_memory") - before) / Double(count)
    }

    // MARK: In a process

    private static let structures = ["index", "dictionary", "set"]
    private static let names = [
        "index": "quash, its index", "dictionary": "Swift [String: UInt32]", "set": "Swift Set<String>",
    ]

    /// Each in a process of its own, so that nothing but it grows.
    private func structures() throws {
        let counts = report.choose([100_000, 1_000_000], [100_000, 1_000_000, 10_000_000])
        for structure in Self.structures {
            var resident: [[Double]] = []
            var own: [[Double]] = []
            for count in counts {
                let text = Child.output(of: [CommandLine.arguments[0], "--memory-of", structure, "\(count)"]) ?? ""
                let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
                guard numbers.count == 2 else { throw FleetFailure("the memory of \(structure) is not known") }
                resident.append([Double(count), numbers[0] / Double(count)])
                if numbers[1] > 0 { own.append([Double(count), numbers[1] / Double(count)]) }
                report.figure(
                    "resident bytes per revocation in a process, \(count)", Self.names[structure] ?? structure, "B",
                    .lower, [numbers[0] / Double(count)])
            }
            report.series(
                Series(
                    group: "bytes per revocation in a process", subject: Self.names[structure] ?? structure,
                    xUnit: "revocations", yUnit: "B", points: resident))
            guard !own.isEmpty else { continue }
            report.series(
                Series(
                    group: "bytes per revocation in a process", subject: "quash, by its own gauge",
                    xUnit: "revocations", yUnit: "B", points: own))
        }
    }

    /// What the program prints that is started for one structure: bytes by which it grew, and those that the index
    /// says.
    static func printMemory(of structure: String, count: Int) throws {
        // Before anything is measured, what is made along the way has been made once.
        _ = (0..<1000).map(jti)
        let before = Child.residentBytes(of: "self")
        var own = 0
        var after = 0.0
        switch structure {
        case "index":
            let index = RevocationIndex()
            var writer = index.makeWriter(maxRevocations: count, clockSkew: .zero)
            for number in 0..<count {
                try writer.apply([Revocation(key: .token(jti(number)), expiresAtSeconds: .max)])
            }
            after = Child.residentBytes(of: "self")
            own = index.bytes
            precondition(writer.count == count, "the index holds as many as it was given")
        case "dictionary":
            var entries: [String: UInt32] = [:]
            for number in 0..<count { entries[jti(number)] = .max }
            after = Child.residentBytes(of: "self")
            precondition(entries.count == count, "it holds as many as it was given")
        default:
            var entries: Set<String> = []
            for number in 0..<count { entries.insert(jti(number)) }
            after = Child.residentBytes(of: "self")
            precondition(entries.count == count, "it holds as many as it was given")
        }
        print("\(after - before) \(own)")
    }

    // MARK: A validator

    private func validator() throws {
        let count = 1_000_000
        let fleet = try QuashProcesses(quash: quash, in: Folder())
        defer { fleet.end() }
        try fleet.grow(to: 1)
        let validator = fleet.validators[0]
        let token = try fleet.signIn("idle")
        for _ in 0..<10 {
            let answer = try validator.ask(ValidatorProcess.question(token.access))
            report.check("an idle validator accepts a token", answer == 204)
        }
        let idle = validator.child.residentBytes
        report.figure(
            "resident memory when idle", "quash validator, anonymous part", "MB", .lower,
            [validator.child.anonymousBytes / 1e6])
        let indexedBefore = try validator.metrics()["quash_index_bytes"] ?? .nan
        try fleet.store(count, report)
        let hasAll = try wait(atMost: 60) { try entries(validator) >= Double(count) }
        report.check("a validator has every revocation that was stored", hasAll)
        let grown = (validator.child.residentBytes - idle) / Double(count)
        let index = try ((validator.metrics()["quash_index_bytes"] ?? .nan) - indexedBefore) / Double(count)
        let group = "bytes per revocation in a validator, 1 M"
        report.figure(group, "quash_index_bytes", "B", .lower, [index])
        report.figure(group, "growth of its resident memory", "B", .lower, [grown])
        report.goal(
            Goal(
                what: "memory of a revocation in a validator, by its gauge", against: "a limit", relation: .atMost,
                limit: 32, unit: "B", rounds: [index],
                note: index <= 32 ? "" : "the table doubles, so it is as little as half full"))
        let set = report.results.figures.first { $0.subject == "SET jti EX" }?.median ?? .nan
        report.goal(
            Goal(
                what: "memory of a revocation in a validator, by its gauge", against: "SET jti EX in Redis",
                relation: .atMost, limit: 0.25, rounds: set.isNaN ? [] : [index / set]))
        report.figure("resident memory when idle", "quash validator, one loop", "MB", .lower, [idle / 1e6])
        try idlePeers(idle / 1e6)
    }

    private func entries(_ validator: ValidatorProcess) throws -> Double {
        try validator.metrics().filter { $0.key.hasPrefix("quash_index_entries") }.values.reduce(0, +)
    }

    private func idlePeers(_ own: Double) throws {
        let folder = try Folder()
        let places = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        guard let program = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            return report.absent("nginx", "it is not installed")
        }
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.path($0));" }.joined(separator: " ")
        let text = """
            pid \(folder.path("nginx.pid")); events { } http { access_log off; \(paths)
            server { listen unix:\(folder.path("nginx.sock")); return 204; } }
            """
        try text.write(toFile: folder.path("nginx.conf"), atomically: true, encoding: .utf8)
        let nginx = try Child(
            [
                program, "-p", folder.path, "-e", folder.path("nginx.err"), "-c", folder.path("nginx.conf"), "-g",
                "daemon off; master_process off;",
            ], outputPath: folder.path("nginx.log"))
        defer { nginx.end() }
        let isThere = wait(atMost: 10) { (try? HTTPConnection(path: folder.path("nginx.sock"))) != nil }
        guard isThere else { throw FleetFailure("nginx does not start: \(nginx.output)") }
        let connection = try HTTPConnection(path: folder.path("nginx.sock"))
        for _ in 0..<10 {
            report.check("nginx answers 204", try connection.call(httpRequest("GET", "/")).status == 204)
        }
        let peer = nginx.residentBytes / 1e6
        report.figure("resident memory when idle", "nginx, one process", "MB", .lower, [peer])
        report.figure(
            "resident memory when idle", "nginx, anonymous part", "MB", .lower, [nginx.anonymousBytes / 1e6])
        report.goal(
            Goal(
                what: "resident memory of an idle validator", against: "a limit, twice 5.3 MB", relation: .atMost,
                limit: 10.6, unit: "MB", rounds: [own],
                note: own <= 10.6 ? "" : "nginx here takes \(Report.text(peer)) MB"))
    }
}
