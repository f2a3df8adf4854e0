import Logging
import Quash
import QuashJSON

/// One line of the log.
struct LogRecord {
    let time: WallInstant
    let level: Logger.Level
    let component: String
    let message: String
    let fields: Logger.Metadata

    /// A JSON object and a newline: `time`, `level`, `component`, `message`, then the fields by name. A field of one of
    /// these four names gets an underscore behind it.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        for (name, value) in head {
            writer.name(name)
            writer.string(value)
        }
        for (name, value) in sortedFields {
            writer.name(head.contains { $0.0 == name } ? "\(name)_" : cut(name))
            write(value, to: &writer, depth: 1)
        }
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// A line for a terminal: time, level, component, message, then `name=value` for each field. Control characters are
    /// spelled out: what a peer sent must not move the cursor or forge a line.
    var text: [UInt8] {
        var line = "\(time) \(level.rawValue.uppercased()) \(component): \(printable(cut(message)))"
        for (name, value) in sortedFields where name != LoggedEvent.field {
            line += " \(printable(cut(name)))=\(printable(cut(value.description)))"
        }
        return Array(line.utf8) + [UInt8(ascii: "\n")]
    }

    private var head: [(String, String)] {
        [("time", time.description), ("level", level.rawValue), ("component", component), ("message", cut(message))]
    }

    private var sortedFields: [(key: String, value: Logger.MetadataValue)] {
        fields.sorted { $0.key < $1.key }
    }

    private func write(_ value: Logger.MetadataValue, to writer: inout JSONWriter, depth: Int) {
        guard depth < LogLimits.maxDepth else { return writer.string(cut(value.description)) }
        switch value {
        case .string(let text): writer.string(cut(text))
        case .stringConvertible(let value): writer.string(cut(value.description))
        case .array(let values):
            writer.beginArray()
            for value in values { write(value, to: &writer, depth: depth + 1) }
            writer.endArray()
        case .dictionary(let values):
            writer.beginObject()
            for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                writer.name(cut(name))
                write(value, to: &writer, depth: depth + 1)
            }
            writer.endObject()
        }
    }

    private func cut(_ text: String) -> String {
        guard text.utf8.count > LogLimits.maxValueBytes else { return text }
        return String(decoding: text.utf8.prefix(LogLimits.maxValueBytes), as: UTF8.self) + "…"
    }
}

extension WallInstant {
    /// CLOCK_REALTIME, now.
    static var now: WallInstant { ClockReading.now().wall }
}

/// `line` without the tokens in it.
///
/// No caller logs a token; this is the last line of defence for what a library or a peer's text may bring along. A
/// compact JWS begins with a JSON object in base64url (RFC 7515 §7.1), that is with `eyJ`, and has dots. O(bytes).
func redacted(_ line: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var copied = 0
    var index = 0
    while index + 2 < line.count {
        guard line[index] == UInt8(ascii: "e"), line[index + 1] == UInt8(ascii: "y"),
            line[index + 2] == UInt8(ascii: "J")
        else {
            index += 1
            continue
        }
        let end = line[index...].firstIndex { !isTokenByte($0) } ?? line.endIndex
        if line[index..<end].contains(UInt8(ascii: ".")) {
            result += line[copied..<index]
            result += "[token]".utf8
            copied = end
        }
        index = end
    }
    return copied == 0 ? line : result + line[copied...]
}

/// The alphabet of base64url (RFC 4648 §5), and the dot.
private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
    default: false
    }
}
