/// The parts of a request target (RFC 9112 §3.2), as offsets. The path is given as it was sent: nothing is decoded and
/// no dot segment removed, so a route compares the very bytes that the gateway in front saw.
struct RequestTarget {
    private(set) var path = Slice()
    private(set) var query: Slice?
    /// Only of an absolute target.
    private(set) var authority: Slice?

    init(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer, method: HTTPMethod) throws(RequestFailure) {
        // Control characters and spaces cannot be here any more. A fragment is never sent (RFC 9110 §7.1).
        guard !range.isEmpty, range.allSatisfy({ unsafe bytes[$0] < 0x80 && bytes[$0] != 0x23 }) else {
            throw RequestFailure(.badRequest, "a malformed request target")
        }
        if unsafe bytes[range.lowerBound] == 0x2F {
            unsafe setPath(range, bytes)
        } else if range.count == 1, method == .options, unsafe bytes[range.lowerBound] == 0x2A {
            path = Slice(range)
        } else {
            try unsafe readAbsolute(range, bytes)
        }
    }

    private mutating func setPath(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) {
        if let mark = unsafe FieldSyntax.first(0x3F, in: bytes, range) {
            path = Slice(range.lowerBound..<mark)
            query = Slice(mark + 1..<range.upperBound)
        } else {
            path = Slice(range)
        }
    }

    /// RFC 9112 §3.2.2, for http and https. Anything else, also the authority form of CONNECT, is refused.
    private mutating func readAbsolute(_ range: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(RequestFailure) {
        let start: Int
        if range.count > 7, unsafe FieldSyntax.equals("http://", in: bytes, range.lowerBound..<range.lowerBound + 7) {
            start = range.lowerBound + 7
        } else if range.count > 8,
            unsafe FieldSyntax.equals("https://", in: bytes, range.lowerBound..<range.lowerBound + 8)
        {
            start = range.lowerBound + 8
        } else {
            throw RequestFailure(.badRequest, "a request target that is neither a path nor an absolute URI")
        }
        let rest = start..<range.upperBound
        let end = rest.first { unsafe bytes[$0] == 0x2F || bytes[$0] == 0x3F } ?? range.upperBound
        guard unsafe Self.isAuthority(start..<end, in: bytes) else {
            throw RequestFailure(.badRequest, "a malformed host in the request target")
        }
        authority = Slice(start..<end)
        if end < range.upperBound, unsafe bytes[end] == 0x2F {
            unsafe setPath(end..<range.upperBound, bytes)
        } else {
            // RFC 9110 §4.2.3: an empty path is "/". The last slash of "://" lends its byte.
            path = Slice(start - 1..<start)
            if end < range.upperBound { query = Slice(end + 1..<range.upperBound) }
        }
    }

    /// Whether the bytes are `host [":" port]` (RFC 3986 §3.2.2) with a host: a name, an IPv4 address, or an address
    /// in brackets. User information is refused, as RFC 9110 §4.2.4 asks.
    static func isAuthority(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Bool {
        var offset = range.lowerBound
        if offset < range.upperBound, unsafe bytes[offset] == 0x5B {
            guard let end = unsafe FieldSyntax.first(0x5D, in: bytes, range), end > offset + 1 else { return false }
            for index in offset + 1..<end {
                let byte = unsafe bytes[index]
                guard FieldSyntax.hexValue(byte) != nil || byte == 0x3A || byte == 0x2E else { return false }
            }
            offset = end + 1
        } else {
            while offset < range.upperBound, unsafe bytes[offset] != 0x3A {
                let byte = unsafe bytes[offset]
                if byte == 0x25 {
                    guard offset + 2 < range.upperBound, unsafe FieldSyntax.hexValue(bytes[offset + 1]) != nil,
                        unsafe FieldSyntax.hexValue(bytes[offset + 2]) != nil
                    else { return false }
                    offset += 3
                } else {
                    guard FieldSyntax.isHostName(byte) else { return false }
                    offset += 1
                }
            }
        }
        guard offset > range.lowerBound else { return false }
        guard offset < range.upperBound else { return true }
        let port = offset + 1..<range.upperBound
        return unsafe bytes[offset] == 0x3A && port.count <= 5
            && port.allSatisfy { unsafe FieldSyntax.isDigit(bytes[$0]) }
    }
}
