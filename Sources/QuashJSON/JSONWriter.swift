/// Writes one JSON document, commas and escapes included.
///
/// The caller keeps the order of events right: a name before each value of an object, an end for each begin.
package struct JSONWriter {
    /// Whether the document is for programs or for people.
    package enum Style: Sendable {
        case compact, pretty
    }

    /// What has been written.
    package private(set) var bytes: [UInt8] = []
    private let style: Style
    private var depth = 0
    /// Whether the next thing is the first in its object or array, or the document itself.
    private var isFirst = true
    private var isAfterName = false

    package init(style: Style = .compact) {
        self.style = style
    }

    /// `{`
    package mutating func beginObject() { begin(UInt8(ascii: "{")) }
    /// `}`
    package mutating func endObject() { end(UInt8(ascii: "}")) }
    /// `[`
    package mutating func beginArray() { begin(UInt8(ascii: "[")) }
    /// `]`
    package mutating func endArray() { end(UInt8(ascii: "]")) }

    /// The name of the next value.
    package mutating func name(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        if style == .pretty { bytes.append(UInt8(ascii: " ")) }
        isAfterName = true
    }

    /// A string, with the escapes that it needs.
    package mutating func string(_ string: String) {
        separate()
        quote(string)
    }

    /// A number.
    package mutating func integer(_ integer: Int64) {
        literal(String(integer))
    }

    /// `true` or `false`
    package mutating func bool(_ bool: Bool) {
        literal(bool ? "true" : "false")
    }

    /// `null`
    package mutating func null() {
        literal("null")
    }

    /// A whole value with everything in it.
    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let bool): self.bool(bool)
        case .number(let number): literal(number.text)
        case .string(let string): self.string(string)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members {
                name(member.name)
                self.value(member.value)
            }
            endObject()
        }
    }

    private mutating func literal(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        depth += 1
        isFirst = true
    }

    private mutating func end(_ bracket: UInt8) {
        precondition(depth > 0 && !isAfterName, "an end without its begin, or after a name")
        depth -= 1
        if !isFirst { breakLine() }
        bytes.append(bracket)
        isFirst = false
    }

    private mutating func separate() {
        if isAfterName {
            isAfterName = false
            return
        }
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        if depth > 0 { breakLine() }
        isFirst = false
    }

    private mutating func breakLine() {
        guard style == .pretty else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 2))
    }

    /// RFC 8259 §7: quotes, backslashes and the control characters below U+0020 must be escaped. Those above are, too:
    /// a terminal that shows a line of the log would obey them (U+009B is the same as ESC and a bracket).
    private mutating func quote(_ string: String) {
        bytes.append(UInt8(ascii: "\""))
        var last: UInt8 = 0
        for byte in string.utf8 {
            defer { last = byte }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x08: bytes += "\\b".utf8
            case 0x09: bytes += "\\t".utf8
            case 0x0A: bytes += "\\n".utf8
            case 0x0C: bytes += "\\f".utf8
            case 0x0D: bytes += "\\r".utf8
            case ..<0x20:
                bytes += byte < 0x10 ? "\\u000".utf8 : "\\u001".utf8
                bytes += String(byte & 0xF, radix: 16).utf8
            case 0x7F: bytes += "\\u007f".utf8
            // U+0080 to U+009F are C2 and a byte in UTF-8.
            case 0x80...0x9F where last == 0xC2:
                bytes.removeLast()
                bytes += "\\u00\(String(byte, radix: 16))".utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
