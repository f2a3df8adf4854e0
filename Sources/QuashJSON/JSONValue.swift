/// A JSON document as a tree, for what is small and not on a hot path: admin bodies, key sets, stored records.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Reads a whole document as strictly as `JSONScanner` does. O(bytes).
    package init(parsing bytes: Span<UInt8>, maxBytes: Int = JSONLimits.maxBytes) throws(JSONError) {
        guard bytes.count <= maxBytes else { throw JSONError(problem: .tooLarge, offset: maxBytes) }
        var scanner = JSONScanner(bytes)
        self = try Self.value(startingWith: scanner.next(), &scanner, bytes)
        _ = try scanner.next()
    }

    /// The document without white space, members in their order.
    package func serialized() -> [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }

    /// The document for people: one member a line, two spaces a level, a newline at the end.
    package func prettyPrinted() -> [UInt8] {
        var writer = JSONWriter(style: .pretty)
        writer.value(self)
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// The string, if it is one.
    package var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// The integer, if it is a number spelled as one (`1`, not `1.0` or `1e0`) within Int64.
    package var integer: Int64? {
        if case .number(let number) = self { number.integer } else { nil }
    }

    /// The boolean, if it is one.
    package var bool: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }

    /// The elements, if it is an array.
    package var array: [JSONValue]? {
        if case .array(let array) = self { array } else { nil }
    }

    /// The members, if it is an object.
    package var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The member `name`, if it is an object that has one.
    package subscript(name: String) -> JSONValue? {
        object?[name]
    }

    // The depth of the recursion is bounded by JSONLimits.maxDepth.
    private static func value(
        startingWith token: JSONScanner.Token, _ scanner: inout JSONScanner, _ document: Span<UInt8>
    ) throws(JSONError) -> JSONValue {
        switch token {
        case .null: return .null
        case .bool(let bool): return .bool(bool)
        case .number(let decimal): return .number(JSONNumber(decimal, text: decimal.text(in: document)))
        case .string(let text): return .string(text.string(in: document))
        case .beginArray:
            var elements: [JSONValue] = []
            while true {
                let token = try scanner.next()
                if token == .endArray { return .array(elements) }
                elements.append(try value(startingWith: token, &scanner, document))
            }
        case .beginObject:
            var members: [JSONObject.Member] = []
            while case .name(let name) = try scanner.next() {
                let member = try value(startingWith: scanner.next(), &scanner, document)
                members.append(JSONObject.Member(name: name.string(in: document), value: member))
            }
            return .object(JSONObject(unique: members))
        case .name, .endArray, .endObject, .end:
            preconditionFailure("the scanner gave \(token) where a value begins")
        }
    }
}

/// A number, kept as it was spelled.
package struct JSONNumber: Hashable, Sendable {
    /// The spelling, which is valid JSON.
    package let text: String
    /// The largest integer that is not above the number, or nil outside Int64.
    package let floor: Int64?
    private let isInteger: Bool

    package init(_ integer: Int64) {
        text = String(integer)
        floor = integer
        isInteger = true
    }

    init(_ decimal: JSONDecimal, text: String) {
        self.text = text
        floor = decimal.floor
        isInteger = decimal.isInteger
    }

    /// The number, if it is spelled without fraction and exponent and fits.
    package var integer: Int64? { isInteger ? floor : nil }
}

/// The members of an object in their order; no name is there twice.
package struct JSONObject: Hashable, Sendable {
    /// A name and its value.
    package struct Member: Hashable, Sendable {
        package let name: String
        package let value: JSONValue
    }

    package private(set) var members: [Member]

    package init() {
        members = []
    }

    init(unique members: [Member]) {
        self.members = members
    }

    /// The member `name`. O(members). Setting a new name puts it last; setting nil removes it.
    ///
    /// Names are compared by their code points and not by canonical equivalence, which is how JSON compares.
    package subscript(name: String) -> JSONValue? {
        get {
            members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
        }
        set {
            let index = members.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
            switch (index, newValue) {
            case (let index?, let value?): members[index] = Member(name: name, value: value)
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(name: name, value: value))
            case (nil, nil): break
            }
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(nilLiteral: ()) { self = .null }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// An object. A name that is there twice is a bug.
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (name, value) in elements {
            precondition(object[name] == nil, "the member \(name) is there twice")
            object[name] = value
        }
        self = .object(object)
    }

    /// A number that is an integer.
    package static func integer(_ value: Int64) -> JSONValue {
        .number(JSONNumber(value))
    }
}
