/// An answer over HTTP/1.1.
package struct HTTPReply: Equatable, Sendable {
    package let status: Int
    package let body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// Reads the answer at the beginning of `bytes`; nil when it has not wholly arrived. It must say its length.
    package static func parse(_ bytes: Span<UInt8>) throws -> (reply: HTTPReply, byteCount: Int)? {
        guard let headEnd = endOfHead(bytes) else { return nil }
        guard headEnd >= 16, bytes[0] == UInt8(ascii: "H"), bytes[8] == UInt8(ascii: " ") else {
            throw FleetFailure("that is no answer over HTTP/1.1")
        }
        var status = 0
        for index in 9..<12 {
            guard (0x30...0x39).contains(bytes[index]) else { throw FleetFailure("a status is three digits") }
            status = status * 10 + Int(bytes[index] - 0x30)
        }
        let length = try contentLength(bytes, headEnd) ?? 0
        guard bytes.count - headEnd >= length else { return nil }
        let body = (headEnd..<headEnd + length).map { bytes[$0] }
        return (HTTPReply(status: status, body: body), headEnd + length)
    }

    private static func endOfHead(_ bytes: Span<UInt8>) -> Int? {
        var index = 0
        while index + 3 < bytes.count {
            if bytes[index] == 0x0D, bytes[index + 1] == 0x0A, bytes[index + 2] == 0x0D, bytes[index + 3] == 0x0A {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    private static let lengthName = Array("\ncontent-length:".utf8)

    private static func contentLength(_ bytes: Span<UInt8>, _ headEnd: Int) throws -> Int? {
        var index = 0
        while index + lengthName.count < headEnd {
            var matched = 0
            while matched < lengthName.count, bytes[index + matched] | 0x20 == lengthName[matched] | 0x20 {
                matched += 1
            }
            guard matched == lengthName.count else {
                index += 1
                continue
            }
            var value = 0
            var position = index + matched
            while bytes[position] == 0x20 { position += 1 }
            while bytes[position] != 0x0D {
                guard (0x30...0x39).contains(bytes[position]), value < 1 << 40 else {
                    throw FleetFailure("an answer's length is no number")
                }
                value = value * 10 + Int(bytes[position] - 0x30)
                position += 1
            }
            return value
        }
        return nil
    }
}

/// The bytes of a request.
package func httpRequest(
    _ method: String, _ path: String, fields: [(String, String)] = [], body: String? = nil
) -> [UInt8] {
    var text = "\(method) \(path) HTTP/1.1\r\nHost: quash\r\n"
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
    return Array((text + "\r\n" + (body ?? "")).utf8)
}

/// A client that keeps its connection, and makes a new one after a pause in which a server may have ended it: that is
/// 75 s with Quash and with nginx.
package final class HTTPConnection {
    private static let longestPause: Int64 = 30_000_000_000

    private let path: String
    private var stream: StreamConnection
    private var lastUse = Clocks.monotonic
    package var descriptor: Int32 { stream.descriptor }

    package init(path: String) throws {
        self.path = path
        stream = try StreamConnection(path: path)
    }

    /// - Precondition: the answer to the request before it was received.
    package func send(_ request: [UInt8]) throws {
        let now = Clocks.monotonic
        if now - lastUse > Self.longestPause { stream = try StreamConnection(path: path) }
        lastUse = now
        try stream.send(request)
    }

    package func call(_ request: [UInt8]) throws -> HTTPReply {
        try send(request)
        return try receive()
    }

    package func receive() throws -> HTTPReply {
        while true {
            if let reply = try receiveOnce() { return reply }
        }
    }

    /// Waits for bytes once.
    ///
    /// - Returns: nil when the answer has not wholly arrived.
    package func receiveOnce() throws -> HTTPReply? {
        try stream.fill()
        guard let (reply, count) = try stream.withReceived({ try HTTPReply.parse($0) }) else { return nil }
        stream.consume(count)
        return reply
    }
}
