/// A reply of Redis, RESP2.
package indirect enum RESPValue: Equatable, Sendable {
    case text(String)
    case error(String)
    case integer(Int)
    case bytes([UInt8])
    case null
    case array([RESPValue])

    /// Text of a simple or bulk string.
    package var string: String? {
        switch self {
        case .text(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .error, .integer, .null, .array: nil
        }
    }

    package var number: Int? {
        if case .integer(let number) = self { return number }
        return string.flatMap { Int($0) }
    }

    package var elements: [RESPValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}

package enum RESP {
    /// A command as Redis reads it.
    package static func command(_ arguments: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            bytes += Array("$\(argument.count)\r\n".utf8)
            bytes += argument
            bytes += [0x0D, 0x0A]
        }
        return bytes
    }

    package static func command(_ arguments: String...) -> [UInt8] { command(arguments.map { Array($0.utf8) }) }

    /// Reads one reply that begins at `position`, and moves that behind it; nil when it has not wholly arrived.
    package static func parse(_ bytes: Span<UInt8>, at position: inout Int) throws -> RESPValue? {
        var next = position
        guard let value = try value(bytes, &next) else { return nil }
        position = next
        return value
    }

    private static func value(_ bytes: Span<UInt8>, _ next: inout Int) throws -> RESPValue? {
        guard next < bytes.count else { return nil }
        let type = bytes[next]
        guard let line = line(bytes, &next) else { return nil }
        switch type {
        case UInt8(ascii: "+"): return .text(text(bytes, line))
        case UInt8(ascii: "-"): return .error(text(bytes, line))
        case UInt8(ascii: ":"): return .integer(try number(bytes, line))
        case UInt8(ascii: "$"):
            let count = try number(bytes, line)
            guard count >= 0 else { return .null }
            guard bytes.count - next >= count + 2 else { return nil }
            var content: [UInt8] = []
            content.reserveCapacity(count)
            for index in next..<next + count { content.append(bytes[index]) }
            next += count + 2
            return .bytes(content)
        case UInt8(ascii: "*"):
            let count = try number(bytes, line)
            guard count >= 0 else { return .null }
            var elements: [RESPValue] = []
            for _ in 0..<count {
                guard let element = try value(bytes, &next) else { return nil }
                elements.append(element)
            }
            return .array(elements)
        default: throw FleetFailure("redis answered something that begins with \(type)")
        }
    }

    /// The content of the line behind its first byte; nil when its end has not arrived.
    static func line(_ bytes: Span<UInt8>, _ next: inout Int) -> Range<Int>? {
        var index = next + 1
        while index + 1 < bytes.count {
            if bytes[index] == 0x0D, bytes[index + 1] == 0x0A {
                defer { next = index + 2 }
                return (next + 1)..<index
            }
            index += 1
        }
        return nil
    }

    static func number(_ bytes: Span<UInt8>, _ line: Range<Int>) throws -> Int {
        var magnitude = 0
        var isNegative = false
        for index in line {
            let byte = bytes[index]
            if byte == UInt8(ascii: "-"), index == line.lowerBound {
                isNegative = true
            } else if byte >= 0x30, byte <= 0x39, magnitude < 1 << 56 {
                magnitude = magnitude * 10 + Int(byte - 0x30)
            } else {
                throw FleetFailure("redis answered a number that is none")
            }
        }
        return isNegative ? -magnitude : magnitude
    }

    private static func text(_ bytes: Span<UInt8>, _ line: Range<Int>) -> String {
        String(decoding: line.map { bytes[$0] }, as: UTF8.self)
    }
}
