/// What a string literal says, after unescaping, given the document that the scanner found it in.
extension JSONScanner.Text {
    /// Whether it is `string`.
    package func isEqual(to string: StaticString, in document: Span<UInt8>) -> Bool {
        isEqual(to: QuashJSON.utf8(of: string), in: document)
    }

    /// Whether it is the string that `utf8` holds.
    package func isEqual(to utf8: Span<UInt8>, in document: Span<UInt8>) -> Bool {
        if !hasEscapes { return JSONScanner.isEqual(document.extracting(range), utf8) }
        var unescaped = Unescaped(self)
        for index in utf8.indices where unescaped.next(in: document) != utf8[index] { return false }
        return unescaped.next(in: document) == nil
    }

    /// Whether both literals are the same string, however each is escaped.
    func isEqual(to other: JSONScanner.Text, in document: Span<UInt8>) -> Bool {
        if !hasEscapes { return other.isEqual(to: document.extracting(range), in: document) }
        var first = Unescaped(self)
        var second = Unescaped(other)
        while true {
            let byte = first.next(in: document)
            if byte != second.next(in: document) { return false }
            if byte == nil { return true }
        }
    }

    /// Appends the string to `buffer`, as UTF-8.
    package func append(to buffer: inout [UInt8], in document: Span<UInt8>) {
        if !hasEscapes {
            unsafe document.extracting(range).withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
            return
        }
        var unescaped = Unescaped(self)
        while let byte = unescaped.next(in: document) { buffer.append(byte) }
    }

    /// The string, as UTF-8.
    package func utf8(in document: Span<UInt8>) -> [UInt8] {
        var utf8: [UInt8] = []
        append(to: &utf8, in: document)
        return utf8
    }

    /// The string.
    package func string(in document: Span<UInt8>) -> String {
        String(decoding: utf8(in: document), as: UTF8.self)
    }

    /// Walks over the UTF-8 bytes that a literal stands for.
    private struct Unescaped {
        private var position: Int
        private let end: Int
        /// Bytes of an unescaped character that have not been given out, the next one lowest.
        private var pending: UInt32 = 0
        private var pendingCount = 0

        init(_ text: JSONScanner.Text) {
            position = text.range.lowerBound
            end = text.range.upperBound
        }

        mutating func next(in bytes: Span<UInt8>) -> UInt8? {
            if pendingCount > 0 {
                defer { pending >>= 8 }
                pendingCount -= 1
                return UInt8(truncatingIfNeeded: pending)
            }
            guard position < end else { return nil }
            let byte = bytes[position]
            position += 1
            guard byte == UInt8(ascii: "\\") else { return byte }
            let escape = bytes[position]
            position += 1
            switch escape {
            case UInt8(ascii: "b"): return 0x08
            case UInt8(ascii: "f"): return 0x0C
            case UInt8(ascii: "n"): return 0x0A
            case UInt8(ascii: "r"): return 0x0D
            case UInt8(ascii: "t"): return 0x09
            case UInt8(ascii: "u"): return unescapeCharacter(in: bytes)
            default: return escape
            }
        }

        private mutating func unescapeCharacter(in bytes: Span<UInt8>) -> UInt8 {
            guard let unit = JSONScanner.hexadecimal(bytes, at: position) else {
                preconditionFailure("escape was not checked")
            }
            position += 4
            var scalar = UInt32(unit)
            if UTF16.isLeadSurrogate(unit) {
                guard let trail = JSONScanner.hexadecimal(bytes, at: position + 2) else {
                    preconditionFailure("surrogate pair was not checked")
                }
                position += 6
                scalar = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(trail) - 0xDC00)
            }
            encode(scalar)
            defer { pending >>= 8 }
            pendingCount -= 1
            return UInt8(truncatingIfNeeded: pending)
        }

        private mutating func encode(_ scalar: UInt32) {
            let tail = { (shift: UInt32) in 0x80 | scalar >> shift & 0x3F }
            switch scalar {
            case ..<0x80: (pending, pendingCount) = (scalar, 1)
            case ..<0x800: (pending, pendingCount) = (0xC0 | scalar >> 6 | tail(0) << 8, 2)
            case ..<0x10000: (pending, pendingCount) = (0xE0 | scalar >> 12 | tail(6) << 8 | tail(0) << 16, 3)
            default:
                (pending, pendingCount) = (0xF0 | scalar >> 18 | tail(12) << 8 | tail(6) << 16 | tail(0) << 24, 4)
            }
        }
    }
}

extension JSONScanner {
    static func isEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }

    /// The number that four hexadecimal digits at `index` spell, or nil.
    static func hexadecimal(_ bytes: Span<UInt8>, at index: Int) -> UInt16? {
        var value: UInt16 = 0
        for offset in 0..<4 {
            let digit: UInt8
            switch bytes[index + offset] {
            case let byte where byte &- UInt8(ascii: "0") <= 9: digit = byte - UInt8(ascii: "0")
            case let byte where byte &- UInt8(ascii: "a") <= 5: digit = byte - UInt8(ascii: "a") + 10
            case let byte where byte &- UInt8(ascii: "A") <= 5: digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}

@_lifetime(immortal)
func utf8(of literal: StaticString) -> Span<UInt8> {
    // SAFETY: the storage of a literal lasts for ever and has utf8CodeUnitCount bytes.
    let span = unsafe Span(_unsafeStart: literal.utf8Start, count: literal.utf8CodeUnitCount)
    return unsafe _overrideLifetime(span, copying: ())
}
