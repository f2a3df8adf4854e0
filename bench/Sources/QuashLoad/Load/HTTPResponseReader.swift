/// The end of a response was seen.
struct HTTPResponse: Equatable {
    let status: Int
    /// Whether the server will close the connection after it.
    let closes: Bool
    let bodyCount: Int
}

/// Reads the responses of one connection, whose requests are not pipelined: HTTP/1.1 as servers under test speak it,
/// with a content length or without a body. Chunks are an error, so that nothing is miscounted in silence.
struct HTTPResponseReader {
    /// What has come of the response that is being read.
    private var buffer: [UInt8] = []
    /// Bytes that were looked at for the end of the head.
    private var scanned = 0
    private var head: (status: Int, closes: Bool, end: Int, total: Int)?

    init() { buffer.reserveCapacity(4096) }

    /// - Returns: the response, once it is complete.
    mutating func read(_ bytes: Span<UInt8>) throws(Failure) -> HTTPResponse? {
        for index in bytes.indices { buffer.append(bytes[index]) }
        if head == nil {
            guard let end = endOfHead() else {
                scanned = buffer.count
                return nil
            }
            head = try Self.parse(buffer.span.extracting(0..<end))
        }
        guard let head, buffer.count >= head.total else { return nil }
        guard buffer.count == head.total else { throw Failure("bytes follow a response that were not asked for") }
        return HTTPResponse(status: head.status, closes: head.closes, bodyCount: head.total - head.end)
    }

    /// The body of the response that was read last; before `next`.
    var body: [UInt8] { Array(buffer[(head?.end ?? 0)...]) }

    /// Whether a part of a response has come.
    var isWithin: Bool { !buffer.isEmpty }

    /// Forgets the response, for the next.
    mutating func next() {
        buffer.removeAll(keepingCapacity: true)
        scanned = 0
        head = nil
    }

    private func endOfHead() -> Int? {
        let bytes = buffer.span
        var index = max(3, scanned)
        while index < bytes.count {
            if bytes[index] == 0x0A, bytes[index - 1] == 0x0D, bytes[index - 2] == 0x0A, bytes[index - 3] == 0x0D {
                return index + 1
            }
            index += 1
        }
        return nil
    }

    private static func parse(
        _ head: Span<UInt8>
    ) throws(Failure) -> (status: Int, closes: Bool, end: Int, total: Int) {
        guard head.count > 12, head[0] == UInt8(ascii: "H"), head[5] == UInt8(ascii: "1"), head[8] == 0x20 else {
            throw Failure("this is no response of HTTP/1")
        }
        var status = 0
        for index in 9..<12 {
            guard head[index] >= 0x30, head[index] <= 0x39 else { throw Failure("a status is not three digits") }
            status = status * 10 + Int(head[index] - 0x30)
        }
        var length: Int?
        var closes = head[7] == UInt8(ascii: "0")
        var start = 0
        for end in 0..<head.count where head[end] == 0x0A {
            let line = start..<end
            start = end + 1
            guard line.count > 8 else { continue }
            switch head[line.lowerBound] | 0x20 {
            case UInt8(ascii: "c"):
                if let value = value(in: head, line, of: contentLength) {
                    length = number(head, value)
                    guard length != nil else { throw Failure("a content length is not a number") }
                } else if let value = value(in: head, line, of: connection) {
                    closes = begins(head, value, with: close)
                }
            case UInt8(ascii: "t"):
                if value(in: head, line, of: transferEncoding) != nil { throw Failure("a body comes in chunks") }
            default: break
            }
        }
        let hasNoBody = status == 204 || status == 304 || status / 100 == 1
        guard let length = hasNoBody ? 0 : length else { throw Failure("a body of status \(status) has no length") }
        return (status, closes, head.count, head.count + length)
    }

    private static let contentLength = Array("content-length:".utf8)
    private static let connection = Array("connection:".utf8)
    private static let transferEncoding = Array("transfer-encoding:".utf8)
    private static let close = Array("close".utf8)

    /// Where the value of a line is whose name, in lower case and with its colon, is this.
    private static func value(in head: Span<UInt8>, _ line: Range<Int>, of name: [UInt8]) -> Range<Int>? {
        guard begins(head, line, with: name) else { return nil }
        var start = line.lowerBound + name.count
        var end = line.upperBound
        while start < end, head[start] == 0x20 || head[start] == 0x09 { start += 1 }
        while start < end, head[end - 1] <= 0x20 { end -= 1 }
        return start..<end
    }

    /// Without regard to case.
    private static func begins(_ head: Span<UInt8>, _ range: Range<Int>, with word: [UInt8]) -> Bool {
        guard range.count >= word.count else { return false }
        for index in word.indices where head[range.lowerBound + index] | 0x20 != word[index] | 0x20 { return false }
        return true
    }

    private static func number(_ head: Span<UInt8>, _ range: Range<Int>) -> Int? {
        guard (1...9).contains(range.count) else { return nil }
        var number = 0
        for index in range {
            guard head[index] >= 0x30, head[index] <= 0x39 else { return nil }
            number = number * 10 + Int(head[index] - 0x30)
        }
        return number
    }
}
