import Foundation

/// wrk(1): a closed load, whose server is never asked faster than it answers.
enum Wrk {
    /// What its script says at the end.
    struct Result: Equatable {
        var requests: UInt64
        var microseconds: UInt64
        /// Answers above 399.
        var statusErrors: UInt64
        /// Connections that failed or broke, and answers that did not come in time.
        var brokenRequests: UInt64

        var perSecond: Double { Double(requests) * 1e6 / Double(microseconds) }

        init(requests: UInt64, microseconds: UInt64, statusErrors: UInt64, brokenRequests: UInt64) {
            self.requests = requests
            self.microseconds = microseconds
            self.statusErrors = statusErrors
            self.brokenRequests = brokenRequests
        }

        /// - Parameter output: all that wrk wrote; only the line that the script adds is read.
        init(_ output: String) throws {
            guard let line = output.split(separator: "\n").last(where: { $0.hasPrefix("result ") }) else {
                throw Failure("wrk says no result: \(output.suffix(200))")
            }
            var values: [Substring: UInt64] = [:]
            for pair in line.split(separator: " ").dropFirst() {
                let parts = pair.split(separator: "=")
                guard parts.count == 2, let value = UInt64(parts[1]) else { throw Failure("wrk says «\(pair)»") }
                values[parts[0]] = value
            }
            guard let requests = values["requests"], let microseconds = values["microseconds"], microseconds > 0,
                let status = values["status"], let connect = values["connect"], let read = values["read"],
                let write = values["write"], let timeout = values["timeout"]
            else { throw Failure("wrk's result lacks something: \(line)") }
            self.init(
                requests: requests, microseconds: microseconds, statusErrors: status,
                brokenRequests: connect + read + write + timeout)
        }
    }

    static let connections = 64

    /// - Parameter file: the tokens to present in turn, a line each.
    static func run(_ subject: Subject, tokens file: String, seconds: Double, in lab: Lab) throws -> Result {
        guard case .tcp(let port) = subject.target else { throw Failure("wrk does not speak over a unix socket") }
        let process = try ServerProcess(
            "wrk",
            [
                "wrk", "-t", "1", "-c", "\(connections)", "-d", "\(Int(seconds.rounded(.up)))s", "--timeout", "10s",
                "-s", "\(lab.peers)/wrk/cycle.lua", "http://127.0.0.1:\(port)", "--", file, subject.path,
            ],
            core: Lab.loadCore, log: lab.folder.path("wrk.log"))
        return try Result(process.finish(within: seconds + 30))
    }
}
