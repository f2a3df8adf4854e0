/// What the fields that concern the connection say, gathered while they are read.
struct FieldFacts {
    private(set) var hostCount = 0
    private(set) var host = Slice()
    private(set) var closes = false
    private(set) var expectsContinue = false
    private var contentLength: Int?
    private var isChunked = false
    /// The target of the request is absolute and names the host itself.
    var isAuthorityInTarget = false

    /// Reads `field` if it is one of those. Names are compared by length first: most fields cost one comparison.
    mutating func note(_ field: FieldSlice, in bytes: UnsafeRawBufferPointer) throws(RequestFailure) {
        let name = field.name.range
        let value = field.value.range
        switch name.count {
        case 4 where unsafe FieldSyntax.equals("host", in: bytes, name):
            hostCount += 1
            host = field.value
        case 6 where unsafe FieldSyntax.equals("expect", in: bytes, name):
            guard unsafe FieldSyntax.equals("100-continue", in: bytes, value) else {
                throw RequestFailure(.expectationFailed, "an expectation other than 100-continue")
            }
            expectsContinue = true
        case 10 where unsafe FieldSyntax.equals("connection", in: bytes, name):
            if unsafe hasCloseOption(value, bytes) { closes = true }
        case 14 where unsafe FieldSyntax.equals("content-length", in: bytes, name):
            guard contentLength == nil else { throw RequestFailure(.badRequest, "more than one Content-Length") }
            guard let length = unsafe Self.length(value, bytes) else {
                throw RequestFailure(.badRequest, "a malformed Content-Length")
            }
            contentLength = length
        case 17 where unsafe FieldSyntax.equals("transfer-encoding", in: bytes, name):
            guard !isChunked, unsafe FieldSyntax.equals("chunked", in: bytes, value) else {
                throw RequestFailure(.badRequest, "a transfer coding other than chunked, once")
            }
            isChunked = true
        default:
            break
        }
    }

    /// How the body is framed (RFC 9112 §6). Two ways at once, or chunks in 1.0, which did not know them, are refused.
    func framing(isOld: Bool) throws(RequestFailure) -> BodyFraming {
        guard isChunked else { return contentLength.map { $0 == 0 ? .none : .length($0) } ?? .none }
        guard contentLength == nil, !isOld else {
            throw RequestFailure(.badRequest, "Transfer-Encoding with Content-Length or in HTTP/1.0")
        }
        return .chunked
    }

    /// The framing of a response's content (RFC 9112 §6.3), which may also end with the connection.
    func responseFraming(isOld: Bool) throws(RequestFailure) -> BodyFraming {
        if !isChunked && contentLength == nil { return .untilClose }
        return try framing(isOld: isOld)
    }

    /// Whether one of the comma-separated options is "close" (RFC 9110 §7.6.1).
    private func hasCloseOption(_ value: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var start = value.lowerBound
        while start <= value.upperBound {
            let end = unsafe FieldSyntax.first(0x2C, in: bytes, start..<value.upperBound) ?? value.upperBound
            let option = unsafe FieldSyntax.trimmed(start..<end, in: bytes)
            if unsafe FieldSyntax.equals("close", in: bytes, option) { return true }
            start = end + 1
        }
        return false
    }

    /// 1*DIGIT. A number that no limit here could allow is as good as any other such number.
    private static func length(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Int? {
        guard !range.isEmpty else { return nil }
        var length = 0
        for offset in range {
            let byte = unsafe bytes[offset]
            guard FieldSyntax.isDigit(byte) else { return nil }
            length = min(length, Int.max / 20) * 10 + Int(byte - 0x30)
        }
        return length
    }
}
