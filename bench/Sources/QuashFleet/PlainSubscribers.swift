import FleetParts
import Foundation

/// Plain subscribers of one channel, each a process of its own as each validator is: to wake a process costs more than
/// to wake a thread. A message is the time at which it was sent, in nanoseconds since 1970; what is noted is how much
/// later it was received.
final class PlainSubscribers {
    private static let take = "take"
    private static let end = "end"

    private let processes: [(process: Process, output: FileHandle)]
    private let channel: String
    private let redis: RedisConnection
    let count: Int

    init(_ server: PrivateRedis, channel: String, count: Int) throws {
        self.channel = channel
        self.count = count
        redis = try server.connect()
        processes = try (0..<count).map { _ in
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments = [
                "--pdeathsig", "KILL", "--", Self.program, "--subscriber", server.socket, channel,
            ]
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = pipe
            try process.run()
            return (process, pipe.fileHandleForReading)
        }
        for (_, output) in processes where try Self.line(output) != "ready" {
            throw FleetFailure("a subscriber is not there")
        }
    }

    deinit {
        _ = try? redis.call("PUBLISH", channel, Self.end)
        for (process, _) in processes { process.waitUntilExit() }
    }

    private static var program: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }

    private static func line(_ output: FileHandle) throws -> String {
        var bytes = Data()
        while bytes.last != 0x0A {
            let more = output.availableData
            guard !more.isEmpty else { throw FleetFailure("a subscriber ended") }
            bytes += more
        }
        return String(decoding: bytes.dropLast(), as: UTF8.self)
    }

    /// What each has heard since this was asked last.
    func heard() throws -> [Latencies] {
        try redis.call("PUBLISH", channel, Self.take)
        return try processes.map { _, output in
            Latencies(try Self.line(output).split(separator: " ").compactMap { Double($0) })
        }
    }

    // MARK: The process

    /// What the program does that is started as a subscriber.
    static func follow(_ socket: String, _ channel: String) throws {
        let redis = try RedisConnection(path: socket, timeoutSeconds: 900)
        try redis.call("SUBSCRIBE", channel)
        write("ready")
        var latencies = Latencies()
        while true {
            let message = try redis.receive()
            let now = Clocks.civil
            guard let parts = message.elements, parts.count == 3, let text = parts[2].string else {
                throw FleetFailure("a subscriber heard something else")
            }
            if text == end { return }
            if text == take {
                write(latencies.microseconds.map { "\($0)" }.joined(separator: " "))
                latencies = Latencies()
            } else if let sent = Int64(text) {
                latencies.add(nanoseconds: now - sent)
            }
        }
    }

    private static func write(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
