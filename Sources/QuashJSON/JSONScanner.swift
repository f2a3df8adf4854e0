/// Reads a JSON document (RFC 8259) token by token, strictly and without allocating.
///
/// Stricter than the grammar where readers are known to disagree, since two readers that see different things in one
/// token are an attack: no member name twice in one object (compared unescaped), no lone surrogates, no bytes that are
/// not UTF-8 (RFC 7493 §2), no byte order mark, nothing after the value.
///
/// Strings come as places in the document (`Text`), which compare and copy themselves when asked. After an error the
/// scanner must not be used again.
package struct JSONScanner: ~Copyable, ~Escapable {
    /// A part of a document that has a meaning of its own.
    package enum Token: Hashable {
        case beginObject, endObject, beginArray, endArray
        /// The name of a member; its value comes next.
        case name(Text)
        case string(Text)
        case number(JSONDecimal)
        case bool(Bool)
        case null
        /// The document is complete. Comes again for ever.
        case end
    }

    /// The inside of a string literal. Eight bytes, since the scanner keeps one for every open member.
    package struct Text: Hashable {
        private let start: UInt32
        private let countAndEscapes: UInt32

        fileprivate init(_ range: Range<Int>, hasEscapes: Bool) {
            start = UInt32(range.lowerBound)
            countAndEscapes = UInt32(range.count) << 1 | (hasEscapes ? 1 : 0)
        }

        /// The bytes between the quotes, as places in the document.
        package var range: Range<Int> { Int(start)..<Int(start) + Int(countAndEscapes >> 1) }

        /// Whether a backslash is among them; if not, the bytes are the string.
        package var hasEscapes: Bool { countAndEscapes & 1 != 0 }
    }

    private enum Expectation {
        case value, valueOrEndOfArray, nameOrEndOfObject, separatorOrEnd, end
    }

    private let bytes: Span<UInt8>
    private var position = 0
    private var expectation = Expectation.value

    private var depth = 0
    /// Bit n says whether level n is an object.
    private var objectLevels: UInt32 = 0
    /// The names of all open objects, outermost first, and where each level's begin.
    private var names = InlineArray<128, Text>(repeating: Text(0..<0, hasEscapes: false))
    private var nameCount = 0
    private var firstNameOfLevel = InlineArray<17, Int>(repeating: 0)

    /// Bytes read so far.
    package var offset: Int { position }

    /// A scanner at the start of `bytes`, of which there may be at most 2^31.
    @_lifetime(copy bytes)
    package init(_ bytes: Span<UInt8>) {
        precondition(bytes.count <= Int(Int32.max), "a JSON document of more than 2 GiB")
        self.bytes = bytes
    }

    /// The next token. Amortized O(1) per byte, but each name is compared with those before it in its object.
    package mutating func next() throws(JSONError) -> Token {
        let byte = skipWhitespace()
        switch expectation {
        case .value:
            return try scanValue(byte)
        case .valueOrEndOfArray:
            return byte == UInt8(ascii: "]") ? close() : try scanValue(byte)
        case .nameOrEndOfObject:
            return byte == UInt8(ascii: "}") ? close() : try scanName(byte)
        case .separatorOrEnd:
            return try scanSeparatorOrEnd(byte)
        case .end:
            if byte == nil { return .end }
            throw error(.expectedEnd)
        }
    }

    /// Reads over the next value, whatever it is.
    package mutating func skipValue() throws(JSONError) {
        let depthBefore = depth
        repeat { _ = try next() } while depth > depthBefore
    }

    // MARK: Structure

    private mutating func scanSeparatorOrEnd(_ byte: UInt8?) throws(JSONError) -> Token {
        let inObject = objectLevels & (1 << UInt32(depth)) != 0
        if byte == UInt8(ascii: ",") {
            position += 1
            let next = skipWhitespace()
            return inObject ? try scanName(next) : try scanValue(next)
        }
        if byte == (inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) { return close() }
        throw error(inObject ? .expectedCommaOrBrace : .expectedCommaOrBracket)
    }

    private mutating func open(object: Bool) throws(JSONError) -> Token {
        guard depth < JSONLimits.maxDepth else { throw error(.tooDeep) }
        position += 1
        depth += 1
        firstNameOfLevel[depth] = nameCount
        let bit: UInt32 = 1 << UInt32(depth)
        objectLevels = object ? objectLevels | bit : objectLevels & ~bit
        expectation = object ? .nameOrEndOfObject : .valueOrEndOfArray
        return object ? .beginObject : .beginArray
    }

    private mutating func close() -> Token {
        let token: Token = objectLevels & (1 << UInt32(depth)) != 0 ? .endObject : .endArray
        position += 1
        nameCount = firstNameOfLevel[depth]
        depth -= 1
        return completed(token)
    }

    private mutating func completed(_ token: Token) -> Token {
        expectation = depth == 0 ? .end : .separatorOrEnd
        return token
    }

    private mutating func scanName(_ byte: UInt8?) throws(JSONError) -> Token {
        guard byte == UInt8(ascii: "\"") else { throw error(.expectedName) }
        let start = position
        let name = try scanString()
        for index in firstNameOfLevel[depth]..<nameCount where names.span[index].isEqual(to: name, in: bytes) {
            throw JSONError(problem: .duplicateName, offset: start)
        }
        guard nameCount < JSONLimits.maxOpenMembers else {
            throw JSONError(problem: .tooManyMembers, offset: start)
        }
        names[nameCount] = name
        nameCount += 1
        guard skipWhitespace() == UInt8(ascii: ":") else { throw error(.expectedColon) }
        position += 1
        expectation = .value
        return .name(name)
    }

    private mutating func scanValue(_ byte: UInt8?) throws(JSONError) -> Token {
        switch byte {
        case UInt8(ascii: "\""): return completed(.string(try scanString()))
        case UInt8(ascii: "{"): return try open(object: true)
        case UInt8(ascii: "["): return try open(object: false)
        case UInt8(ascii: "t"): return try scanLiteral("true", .bool(true))
        case UInt8(ascii: "f"): return try scanLiteral("false", .bool(false))
        case UInt8(ascii: "n"): return try scanLiteral("null", .null)
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
            return completed(.number(try scanNumber()))
        default: throw error(.expectedValue)
        }
    }

    private mutating func scanLiteral(_ literal: StaticString, _ token: Token) throws(JSONError) -> Token {
        let end = position + literal.utf8CodeUnitCount
        guard end <= bytes.count, Self.isEqual(bytes.extracting(position..<end), utf8(of: literal)) else {
            throw error(.expectedValue)
        }
        position = end
        return completed(token)
    }

    // MARK: Numbers

    /// RFC 8259 §6: `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
    private mutating func scanNumber() throws(JSONError) -> JSONDecimal {
        let start = position
        let isNegative = accept(UInt8(ascii: "-"))
        let integer = position
        if !accept(UInt8(ascii: "0")) { try scanDigits() }
        let integerEnd = position
        var fractionEnd = position
        if accept(UInt8(ascii: ".")) {
            try scanDigits()
            fractionEnd = position
        }
        var exponent = 0
        if accept(UInt8(ascii: "e")) || accept(UInt8(ascii: "E")) {
            let isNegativeExponent = accept(UInt8(ascii: "-"))
            if !isNegativeExponent { _ = accept(UInt8(ascii: "+")) }
            let digits = position
            try scanDigits()
            exponent = JSONDecimal.exponent(bytes.extracting(digits..<position), isNegative: isNegativeExponent)
        }
        let isInteger = position == integerEnd
        return JSONDecimal(
            range: start..<position, isInteger: isInteger,
            floor: isInteger
                ? JSONDecimal.integer(bytes.extracting(integer..<integerEnd), isNegative: isNegative)
                : JSONDecimal.floor(
                    integer: bytes.extracting(integer..<integerEnd),
                    fraction: bytes.extracting(min(integerEnd + 1, fractionEnd)..<fractionEnd),
                    exponent: exponent, isNegative: isNegative))
    }

    private mutating func scanDigits() throws(JSONError) {
        let start = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") <= 9 { position += 1 }
        if position == start { throw error(.expectedDigit) }
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    // MARK: Strings

    private mutating func scanString() throws(JSONError) -> Text {
        position += 1
        let start = position
        var hasEscapes = false
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return Text(start..<(position - 1), hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try scanEscape()
            case 0x20..<0x80:
                position += 1
            case 0x80...:
                try scanMultibyte(byte)
            default:
                throw error(.controlCharacter)
            }
        }
        throw JSONError(problem: .unterminatedString, offset: start - 1)
    }

    private mutating func scanEscape() throws(JSONError) {
        let start = position
        position += 1
        guard position < bytes.count else { throw error(.expectedEscape) }
        let escape = bytes[position]
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            let unit = try scanHexDigits()
            if UTF16.isTrailSurrogate(unit) { throw JSONError(problem: .loneSurrogate, offset: start) }
            guard UTF16.isLeadSurrogate(unit) else { return }
            guard accept(UInt8(ascii: "\\")), accept(UInt8(ascii: "u")), UTF16.isTrailSurrogate(try scanHexDigits())
            else { throw JSONError(problem: .loneSurrogate, offset: start) }
        default:
            throw error(.expectedEscape)
        }
    }

    private mutating func scanHexDigits() throws(JSONError) -> UInt16 {
        guard position + 4 <= bytes.count, let unit = Self.hexadecimal(bytes, at: position) else {
            throw error(.expectedHexDigits)
        }
        position += 4
        return unit
    }

    /// RFC 3629 §4: no overlong forms, no surrogates, nothing above U+10FFFF.
    private mutating func scanMultibyte(_ lead: UInt8) throws(JSONError) {
        let second: ClosedRange<UInt8>
        let count: Int
        switch lead {
        case 0xC2...0xDF: (second, count) = (0x80...0xBF, 2)
        case 0xE0: (second, count) = (0xA0...0xBF, 3)
        case 0xED: (second, count) = (0x80...0x9F, 3)
        case 0xE1...0xEF: (second, count) = (0x80...0xBF, 3)
        case 0xF0: (second, count) = (0x90...0xBF, 4)
        case 0xF1...0xF3: (second, count) = (0x80...0xBF, 4)
        case 0xF4: (second, count) = (0x80...0x8F, 4)
        default: throw error(.invalidUTF8)
        }
        guard position + count <= bytes.count, second.contains(bytes[position + 1]) else { throw error(.invalidUTF8) }
        for index in (position + 2)..<max(position + 2, position + count) where bytes[index] & 0xC0 != 0x80 {
            throw error(.invalidUTF8)
        }
        position += count
    }

    /// Moves to the next byte that is not white space and returns it, or nil at the end.
    private mutating func skipWhitespace() -> UInt8? {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return bytes[position]
            }
        }
        return nil
    }

    private func error(_ problem: JSONError.Problem) -> JSONError {
        JSONError(problem: problem, offset: position)
    }
}
