import Glibc

/// The character classes of RFC 9110 §5 and the searches over them.
enum FieldSyntax {
    /// The offset of the first control character (0x00 to 0x1F, or 0x7F) in `bytes[from...]`; `bytes.count` without
    /// one.
    ///
    /// Every line ends with one and no line may hold another but the tab, so this one pass finds the end of a line and
    /// proves what is before it. Thirty-two bytes at a time where there is none, then eight to find it.
    static func firstControl(in bytes: UnsafeRawBufferPointer, from: Int) -> Int {
        var offset = from
        // SAFETY: every load below ends at or before `bytes.count`.
        while offset + 32 <= bytes.count {
            let found =
                unsafe controls(bytes, offset) | controls(bytes, offset + 8) | controls(bytes, offset + 16)
                | controls(bytes, offset + 24)
            if found & 0x8080_8080_8080_8080 != 0 { break }
            offset += 32
        }
        while offset + 8 <= bytes.count {
            let found = unsafe controls(bytes, offset) & 0x8080_8080_8080_8080
            if found != 0 { return offset + found.trailingZeroBitCount / 8 }
            offset += 8
        }
        while offset < bytes.count {
            let byte = unsafe bytes[offset]
            if byte < 0x20 || byte == 0x7F { return offset }
            offset += 1
        }
        return offset
    }

    /// Eight bytes: the high bit of each is set where there is a control character, and may be above the first of them.
    ///
    /// The high bit of a byte of `below` is set where it is < 0x20, of `delete` where it is 0x7F. A borrow may set bits
    /// above a true one, never below: the lowest is exact (Anderson, "Bit Twiddling Hacks"). The other bits mean
    /// nothing.
    @inline(__always)
    private static func controls(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        // SAFETY: the caller has seen that eight bytes from `offset` on are there.
        let word = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let below = (word &- 0x2020_2020_2020_2020) & ~word
        let flipped = word ^ 0x7F7F_7F7F_7F7F_7F7F
        let delete = (flipped &- 0x0101_0101_0101_0101) & ~flipped
        return below | delete
    }

    /// The offset of `byte` in `range`; nil without one. For short ranges, where a call of memchr costs more.
    static func first(_ byte: UInt8, in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        var offset = range.lowerBound
        while offset < range.upperBound {
            if unsafe bytes[offset] == byte { return offset }
            offset += 1
        }
        return nil
    }

    /// Whether `byte` is a tchar of RFC 9110 §5.6.2: a letter, a digit or one of !#$%&'*+-.^_`|~
    static func isToken(_ byte: UInt8) -> Bool {
        isMember(byte, low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    }

    /// Whether `byte` is an unreserved character or a sub-delimiter of RFC 3986 §2, as a registered name has them.
    static func isHostName(_ byte: UInt8) -> Bool {
        isMember(byte, low: 0x2BFF_7FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
    }

    /// `low` has a bit for each of the bytes 0 to 63, `high` for 64 to 127.
    private static func isMember(_ byte: UInt8, low: UInt64, high: UInt64) -> Bool {
        guard byte < 128 else { return false }
        return (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// The value of a hexadecimal digit.
    static func hexValue(_ byte: UInt8) -> UInt8? {
        if isDigit(byte) { return byte - 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter + 10 : nil
    }

    /// `range` without the spaces and tabs at both of its ends (OWS, RFC 9110 §5.6.3).
    static func trimmed(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, unsafe bytes[lower] == 0x20 || bytes[lower] == 0x09 { lower += 1 }
        while lower < upper, unsafe bytes[upper - 1] == 0x20 || bytes[upper - 1] == 0x09 { upper -= 1 }
        return lower..<upper
    }

    /// Whether the bytes of `range` are exactly `text`.
    static func matches(_ text: StaticString, in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount, let start = bytes.baseAddress else { return false }
        // SAFETY: both sides have `range.count` bytes: the caller's range lies within `bytes`, as in every function
        // here.
        return unsafe memcmp(start + range.lowerBound, text.utf8Start, range.count) == 0
    }

    /// Whether the bytes of `range` are `text`, which is in lower case, without regard to the case of ASCII letters.
    static func equals(_ text: StaticString, in bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        // SAFETY: a StaticString of ASCII has `utf8CodeUnitCount` bytes at `utf8Start`, for ever.
        let start = unsafe text.utf8Start
        for index in 0..<range.count where unsafe lowercased(bytes[range.lowerBound + index]) != start[index] {
            return false
        }
        return true
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }
}

/// Whether `bytes` can be the value of a header field (RFC 9110 §5.5): no control character but the tab, and nothing
/// that the receiver would cut off at its ends. What comes from a token or from a request has to pass this before it
/// becomes part of a response; otherwise it could end the field and begin another (response splitting).
package func isFieldValue(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let first = unsafe bytes.first, let last = unsafe bytes.last else { return true }
    if first == 0x20 || first == 0x09 || last == 0x20 || last == 0x09 { return false }
    var offset = unsafe FieldSyntax.firstControl(in: bytes, from: 0)
    while offset < bytes.count, unsafe bytes[offset] == 0x09 {
        offset = unsafe FieldSyntax.firstControl(in: bytes, from: offset + 1)
    }
    return offset == bytes.count
}

/// As `isFieldValue(_:)` over raw bytes.
package func isFieldValue(_ text: some StringProtocol) -> Bool {
    let bytes = Array(text.utf8)
    return unsafe bytes.withUnsafeBytes { unsafe isFieldValue($0) }
}
