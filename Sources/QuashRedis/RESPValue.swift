/// One reply of RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec).
package enum RESPValue: Equatable, Sendable {
    /// A status line, such as `OK`.
    case simple([UInt8])
    /// A string of any bytes.
    case bulk([UInt8])
    /// The text of an error, without its `-`.
    case error(String)
    case integer(Int64)
    /// The null string and the null array, which mean the same.
    case null
    case array([RESPValue])

    /// The bytes of a status line or a bulk string.
    package var bytes: [UInt8]? {
        switch self {
        case .simple(let bytes), .bulk(let bytes): bytes
        case .error, .integer, .null, .array: nil
        }
    }

    /// The bytes as text; what is not UTF-8 is replaced (U+FFFD).
    package var text: String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    /// An integer, or a string that is the decimal form of one: scripts return large numbers so.
    package var integer: Int64? {
        if case .integer(let value) = self { return value }
        return text.flatMap { Int64($0) }
    }

    /// The elements of an array.
    package var elements: [RESPValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    package var isNull: Bool {
        self == .null
    }
}
