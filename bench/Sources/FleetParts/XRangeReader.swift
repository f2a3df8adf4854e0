/// Reads the reply of XRANGE as it arrives, entry by entry, without making anything of what is not needed: a client
/// that wastes time here would make what it is compared with look good.
package struct XRangeParser {
    /// Entries of this reply that have not been read; nil before its first line was.
    package private(set) var remaining: Int?
    package private(set) var lastID: [UInt8] = []
    package private(set) var entryCount = 0
    package private(set) var valueBytes = 0
    /// Of the values' bytes, so that they were really read.
    package private(set) var checksum: UInt64 = 0

    package init() {}

    package var isComplete: Bool { remaining == 0 }

    /// Another reply follows.
    package mutating func beginReply() { remaining = nil }

    /// - Returns: how many bytes are done with; the rest is given again, with more behind it.
    package mutating func parse(_ bytes: Span<UInt8>) throws -> Int {
        var position = 0
        if remaining == nil {
            guard let count = try Self.length(bytes, &position, UInt8(ascii: "*")) else { return 0 }
            remaining = count
        }
        while let left = remaining, left > 0 {
            var next = position
            guard try entry(bytes, &next) else { break }
            position = next
            remaining = left - 1
            entryCount += 1
        }
        return position
    }

    /// - Returns: false when it has not wholly arrived.
    private mutating func entry(_ bytes: Span<UInt8>, _ next: inout Int) throws -> Bool {
        guard let parts = try Self.length(bytes, &next, UInt8(ascii: "*")) else { return false }
        guard parts == 2 else { throw FleetFailure("an entry of a stream has \(parts) parts") }
        guard let id = try Self.bulk(bytes, &next),
            let fields = try Self.length(bytes, &next, UInt8(ascii: "*"))
        else { return false }
        guard fields.isMultiple(of: 2) else { throw FleetFailure("a field of a stream's entry has no value") }
        var sum: UInt64 = 0
        var count = 0
        for field in 0..<fields {
            guard let value = try Self.bulk(bytes, &next) else { return false }
            if field.isMultiple(of: 2) { continue }
            for index in value { sum = (sum &* 31) &+ UInt64(bytes[index]) }
            count += value.count
        }
        checksum = checksum &* 31 &+ sum
        valueBytes += count
        if remaining == 1 { lastID = id.map { bytes[$0] } }
        return true
    }

    private static func length(_ bytes: Span<UInt8>, _ next: inout Int, _ type: UInt8) throws -> Int? {
        guard next < bytes.count else { return nil }
        guard bytes[next] == type else { throw FleetFailure("XRANGE was answered with something else") }
        guard let line = RESP.line(bytes, &next) else { return nil }
        return try RESP.number(bytes, line)
    }

    private static func bulk(_ bytes: Span<UInt8>, _ next: inout Int) throws -> Range<Int>? {
        guard let count = try length(bytes, &next, UInt8(ascii: "$")) else { return nil }
        guard count >= 0 else { throw FleetFailure("an entry of a stream has a part that is nil") }
        guard bytes.count - next >= count + 2 else { return nil }
        defer { next += count + 2 }
        return next..<next + count
    }
}

/// A plain client that reads a whole stream.
package struct XRangeReader {
    private let stream: StreamConnection
    package private(set) var parser = XRangeParser()

    package init(path: String) throws { stream = try StreamConnection(path: path) }

    /// Reads everything, `page` entries at a time.
    ///
    /// - Returns: how many entries there were.
    package mutating func readAll(_ key: String, page: Int = 10_000) throws -> Int {
        var from = "-"
        while true {
            let before = parser.entryCount
            try stream.send(RESP.command("XRANGE", key, from, "+", "COUNT", "\(page)"))
            parser.beginReply()
            while !parser.isComplete {
                try stream.fill()
                let done = try stream.withReceived { try parser.parse($0) }
                stream.consume(done)
            }
            guard parser.entryCount - before == page else { return parser.entryCount }
            from = "(" + String(decoding: parser.lastID, as: UTF8.self)
        }
    }
}
