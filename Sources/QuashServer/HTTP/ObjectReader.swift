import Quash
import QuashHTTP
import QuashJSON

/// Reads the members of a JSON object that somebody sent; every mistake in it becomes a problem that says what to do.
struct ObjectReader {
    private let object: JSONObject

    /// - Parameter names: the members it may have; any other is a mistake, most likely a misspelled one.
    init(_ bytes: [UInt8], allowing names: [String]) throws(Problem) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes.span, maxBytes: AdminEndpoints.maxRevocationBytes)
        } catch {
            throw Problem(.badRequest, "the body is not JSON: \(error)")
        }
        guard let object = value.object else { throw Problem(.badRequest, "the body is not a JSON object") }
        for member in object.members where !names.contains(member.name) {
            throw Problem(
                .badRequest, "unknown member \(member.name): this takes \(names.joined(separator: ", "))")
        }
        self.object = object
    }

    func has(_ name: String) -> Bool { object[name] != nil }

    /// A string of 1 to `maxBytes` bytes without control characters; nil when it is not there.
    func text(_ name: String, maxBytes: Int) throws(Problem) -> String? {
        guard let value = object[name] else { return nil }
        return try Self.text(value, name, maxBytes)
    }

    /// One string of 1 to `maxBytes` bytes without control characters, or a list of them.
    func texts(_ name: String, maxCount: Int, maxBytes: Int) throws(Problem) -> [String]? {
        guard let value = object[name] else { return nil }
        guard let list = value.array else { return [try Self.text(value, name, maxBytes)] }
        guard list.count <= maxCount else { throw Problem(.badRequest, "\(name) has more than \(maxCount) elements") }
        var texts: [String] = []
        for element in list { texts.append(try Self.text(element, name, maxBytes)) }
        return texts
    }

    func flag(_ name: String) throws(Problem) -> Bool? {
        guard let value = object[name] else { return nil }
        guard let flag = value.bool else { throw Problem(.badRequest, "\(name) is true or false") }
        return flag
    }

    /// A length of time, like `5s`.
    func duration(_ name: String) throws(Problem) -> Duration? {
        guard let value = object[name] else { return nil }
        guard let duration = value.string.flatMap({ Duration(shortText: $0) }) else {
            throw Problem(.badRequest, "\(name) is a duration, like 5s")
        }
        return duration
    }

    /// A point in time: seconds since 1970, or RFC 3339.
    func time(_ name: String) throws(Problem) -> WallInstant? {
        guard let value = object[name] else { return nil }
        if let seconds = value.integer, (0...(1 << 40)).contains(seconds) { return WallInstant(seconds: seconds) }
        if let instant = value.string.flatMap({ WallInstant($0) }), instant.milliseconds >= 0 { return instant }
        throw Problem(.badRequest, "\(name) is a time: seconds since 1970, or like 2026-01-31T12:00:00Z")
    }

    private static func text(_ value: JSONValue, _ name: String, _ maxBytes: Int) throws(Problem) -> String {
        guard let text = value.string, !text.isEmpty, text.utf8.count <= maxBytes,
            !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
        else {
            throw Problem(.badRequest, "\(name) is a string of 1 to \(maxBytes) bytes without control characters")
        }
        return text
    }
}
