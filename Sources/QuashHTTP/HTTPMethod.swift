/// The methods that a route can tell apart (RFC 9110 §9, RFC 5789).
package enum HTTPMethod: UInt8, Sendable {
    case get, head, post, put, delete, options, patch, connect, trace
    /// Any other token; the bytes are in `HTTPRequest.methodName`.
    case other

    /// The method that `range`, which is not empty, spells. Methods are case-sensitive.
    init(in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        let candidate: HTTPMethod =
            switch (range.count, unsafe bytes[range.lowerBound]) {
            case (3, 0x47): .get
            case (3, _): .put
            case (4, 0x48): .head
            case (4, _): .post
            case (5, 0x50): .patch
            case (5, _): .trace
            case (6, _): .delete
            case (7, 0x4F): .options
            case (7, _): .connect
            default: .other
            }
        self = unsafe FieldSyntax.matches(candidate.name, in: bytes, range) ? candidate : .other
    }

    /// As it stands in a request line; empty for `other`.
    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .connect: "CONNECT"
        case .trace: "TRACE"
        case .other: ""
        }
    }
}
