/// A part of a message's head, as offsets from the message's first byte. The limits of a head fit into 16 bits.
struct Slice: Equatable {
    var start: UInt16 = 0
    var count: UInt16 = 0

    init() {}

    init(_ range: Range<Int>) {
        start = UInt16(range.lowerBound)
        count = UInt16(range.count)
    }

    var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// One header field.
struct FieldSlice {
    var name: Slice
    var value: Slice
}

/// How the end of a message's body is told (RFC 9112 §6.3).
enum BodyFraming: Equatable {
    case none
    case length(Int)
    case chunked
    /// Only a response's: up to the end of the connection.
    case untilClose
}

/// What a request line and its fields say, as offsets: no byte of the request is copied.
struct RequestHead {
    var method = HTTPMethod.other
    var methodName = Slice()
    var path = Slice()
    /// Without its question mark; nil without one.
    var query: Slice?
    /// The host and port, from the target if it is absolute, otherwise from the Host field.
    var authority = Slice()
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    var expectsContinue = false
    /// The client ends the connection after this request.
    var closes = false
    /// Bytes up to and including the empty line.
    var byteCount = 0
}

/// Why a request is refused before any route sees it.
package struct RequestFailure: Error, Equatable, Sendable {
    /// With what it is answered; the connection closes then.
    package let status: HTTPStatus
    /// The content of the answer, for the one who has to repair the client.
    package let reason: StaticString

    init(_ status: HTTPStatus, _ reason: StaticString) {
        self.status = status
        self.reason = reason
    }

    package static func == (left: RequestFailure, right: RequestFailure) -> Bool {
        left.status == right.status && left.reason.description == right.reason.description
    }
}
