/// A blocking connection to Redis.
package final class RedisConnection {
    package let stream: StreamConnection

    package init(path: String, timeoutSeconds: Int = 60) throws {
        stream = try StreamConnection(path: path, timeoutSeconds: timeoutSeconds)
    }

    package func receive() throws -> RESPValue {
        while true {
            var position = 0
            if let value = try stream.withReceived({ try RESP.parse($0, at: &position) }) {
                stream.consume(position)
                return value
            }
            try stream.fill()
        }
    }

    /// One command and its reply.
    ///
    /// - Throws: when Redis answers an error.
    @discardableResult
    package func call(_ arguments: [[UInt8]]) throws -> RESPValue {
        try stream.send(RESP.command(arguments))
        return try checked(try receive())
    }

    @discardableResult
    package func call(_ arguments: String...) throws -> RESPValue { try call(arguments.map { Array($0.utf8) }) }

    private func checked(_ reply: RESPValue) throws -> RESPValue {
        if case .error(let text) = reply { throw FleetFailure("redis: \(text)") }
        return reply
    }

    /// Sends `count` commands, at most `window` of them before their replies have come.
    ///
    /// - Parameter check: is given each reply, in order.
    package func pipeline(
        _ count: Int, window: Int, command: (Int) -> [UInt8], check: (RESPValue) throws -> Void = { _ in }
    ) throws {
        var sent = 0
        var received = 0
        while received < count {
            // Half a window is refilled at a time, so that a write carries several commands.
            if sent < count, sent - received <= window / 2 {
                var bytes: [UInt8] = []
                while sent < count, sent - received < window {
                    bytes += command(sent)
                    sent += 1
                }
                try stream.send(bytes)
            }
            try check(try checked(try receive()))
            received += 1
        }
    }

    /// A field of INFO.
    package func info(_ section: String, _ field: String) throws -> Double {
        let text = try call("INFO", section).string ?? ""
        guard let value = Self.field(field, of: text).flatMap({ Double($0) }) else {
            throw FleetFailure("INFO \(section) has no \(field)")
        }
        return value
    }

    package static func field(_ name: String, of info: String) -> Substring? {
        info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }?.dropFirst(name.count + 1)
    }

    /// Processor time of the server in microseconds, by getrusage(2).
    package func processorMicroseconds() throws -> Double {
        let text = try call("INFO", "cpu").string ?? ""
        let parts = ["used_cpu_user", "used_cpu_sys"].map { Self.field($0, of: text).flatMap { Double($0) } }
        guard let user = parts[0], let system = parts[1] else { throw FleetFailure("INFO cpu lacks a field") }
        return (user + system) * 1e6
    }
}
