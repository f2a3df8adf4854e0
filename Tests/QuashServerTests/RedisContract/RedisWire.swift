import Glibc
import TestSupport

@testable import QuashRedis

/// One connection to a `redis-server` that does only what a test says: it never connects again, and it may leave unread
/// what arrives.
///
/// What Redis refuses is a value here and not thrown, because refusals are what these tests ask about.
final class RedisWire {
    /// The server lives as long as its connections.
    let redis: RedisServer
    private let descriptor: Int32
    private var reader = RESPReader()

    /// - Parameter user: a user without a password; the default user when nil.
    init(_ redis: RedisServer, user: String? = nil) throws {
        self.redis = redis
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestSupportError.lastCall("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: redis.socketPath.utf8) }
        // SAFETY: connect(2) takes a sockaddr_un as a sockaddr for AF_UNIX, with its length beside it.
        let status = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw TestSupportError.lastCall("connect to \(redis.socketPath)") }
        limitBlocking(on: descriptor, seconds: 10)
        // A user without a password takes any.
        if let user, try call("AUTH", user, "any").line != "OK" { throw TestSupportError("\(user) cannot sign in") }
    }

    deinit { close(descriptor) }

    /// Sends a command without waiting for its reply.
    func send(_ words: [String]) throws { try send(words.map { Array($0.utf8) }) }

    func send(_ words: [[UInt8]]) throws {
        let bytes = RedisCommand(words).encoded
        var sent = 0
        while sent < bytes.count {
            // SAFETY: the pointer and the count are those of one contiguous buffer, less what was sent of it.
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw TestSupportError.lastCall("send") }
            sent += count
        }
    }

    /// The next reply or message; nil when the server has closed the connection.
    func receive() throws -> RESPValue? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let value = try reader.next() { return value }
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 || (count < 0 && errno == ECONNRESET) { return nil }
            guard count > 0 else { throw TestSupportError.lastCall("wait for a reply of Redis") }
            // SAFETY: the pointer and the count are those of one contiguous buffer, valid during the call.
            try unsafe buffer.withUnsafeBytes { bytes throws in
                try unsafe reader.feed(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
        }
    }

    @discardableResult
    func call(_ words: String...) throws -> RESPValue { try reply(to: words) }

    @discardableResult
    func eval(_ script: String, keys: [String] = [], _ arguments: String...) throws -> RESPValue {
        try reply(to: ["EVAL", script, "\(keys.count)"] + keys + arguments)
    }

    /// As the roles run a script of the feed; it has to be loaded.
    func evaluate(_ script: RedisScript, keys: [[UInt8]], _ arguments: [[UInt8]]) throws -> RESPValue {
        try send(["EVALSHA", script.digest, "\(keys.count)"].map { Array($0.utf8) } + keys + arguments)
        return try answer()
    }

    private func reply(to words: [String]) throws -> RESPValue {
        try send(words)
        return try answer()
    }

    private func answer() throws -> RESPValue {
        guard let reply = try receive() else { throw TestSupportError("Redis closed the connection") }
        return reply
    }

    func subscribe(to channel: String) throws {
        let confirmation = try call("SUBSCRIBE", channel).line
        guard confirmation == "subscribe \(channel) 1" else { throw TestSupportError("SUBSCRIBE: \(confirmation)") }
    }

    /// What was published until now, on a connection that is subscribed: whatever Redis sends comes in order, so it is
    /// all there before the answer to this question is.
    func payloads() throws -> [String] {
        try send(["PING", "until here"])
        var payloads: [String] = []
        while let value = try receive() {
            let words = value.words
            if words == ["pong", "until here"] { return payloads }
            guard words.count == 3, words[0] == "message" else { throw TestSupportError("heard \(words)") }
            payloads.append(words[2])
        }
        throw TestSupportError("Redis closed the connection after \(payloads)")
    }

    /// A line of INFO.
    func info(_ name: String) throws -> String {
        let lines = try call("INFO").text?.split(whereSeparator: \.isNewline) ?? []
        guard let line = lines.first(where: { $0.hasPrefix(name + ":") }) else {
            throw TestSupportError("INFO does not say \(name)")
        }
        return String(line.dropFirst(name.count + 1))
    }

    /// A line of CONFIG GET.
    func setting(_ name: String) throws -> String { try call("CONFIG", "GET", name).words.last ?? "" }
}

extension RESPValue {
    /// The reply as words, those of arrays within it one after the other: `nil` for nothing, and for an error its first
    /// word with the `-` that it has on the wire.
    var words: [String] {
        switch self {
        case .simple, .bulk: [text ?? ""]
        case .integer(let value): ["\(value)"]
        case .null: ["nil"]
        case .error(let text): ["-\(text.prefix { $0 != " " })"]
        case .array(let elements): elements.flatMap(\.words)
        }
    }

    /// The words with a space between two.
    var line: String { words.joined(separator: " ") }
}
