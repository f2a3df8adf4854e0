/// Base64url without padding (RFC 4648 §5, RFC 7515 §2), in its one canonical spelling.
///
/// Padding, white space, other characters and unused bits that are not zero are refused: each byte string has exactly
/// one text, so no second spelling of a signature slips past a comparison.
public enum Base64URL {
    /// The text of `bytes`.
    public static func encode(_ bytes: Span<UInt8>) -> String {
        var text: [UInt8] = []
        encode(bytes, appendingTo: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` spells, or nil if it is not canonical base64url.
    public static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        return decode(Array(text.utf8).span, appendingTo: &bytes) ? bytes : nil
    }

    /// Appends the text of `bytes` to `text`. O(bytes); allocates only if `text` must grow.
    public static func encode(_ bytes: Span<UInt8>, appendingTo text: inout [UInt8]) {
        let tailCount = bytes.count % 3
        text.reserveCapacity(text.count + (bytes.count * 4 + 2) / 3)
        var index = 0
        while index < bytes.count - tailCount {
            let bits = UInt64(bytes[index]) << 16 | UInt64(bytes[index + 1]) << 8 | UInt64(bytes[index + 2])
            encode(word: bits, characters: 4, appendingTo: &text)
            index += 3
        }
        switch tailCount {
        case 1:
            encode(word: UInt64(bytes[index]) << 4, characters: 2, appendingTo: &text)
        case 2:
            let bits = UInt64(bytes[index]) << 8 | UInt64(bytes[index + 1])
            encode(word: bits << 2, characters: 3, appendingTo: &text)
        default:
            break
        }
    }

    /// The number that at most ten characters spell, six bits each, or nil if another character is among them.
    static func word(_ text: Span<UInt8>) -> UInt64? {
        precondition(text.count <= 10, "more than 60 bits")
        var word: UInt64 = 0
        var invalid: UInt8 = 0
        for index in text.indices {
            let sextet = sextets[Int(text[index])]
            invalid |= sextet
            word = word << 6 | UInt64(sextet & 63)
        }
        return invalid < 64 ? word : nil
    }

    /// Appends the last 6 bits of `word` per character, the highest first.
    static func encode(word: UInt64, characters: Int, appendingTo text: inout [UInt8]) {
        for position in stride(from: characters - 1, through: 0, by: -1) {
            text.append(character(UInt8(truncatingIfNeeded: word >> UInt64(6 * position)) & 63))
        }
    }

    /// Appends the bytes that `text` spells to `bytes`. Where `text` is not canonical base64url, it appends nothing and
    /// returns false. O(text); allocates only if `bytes` must grow.
    public static func decode(_ text: Span<UInt8>, appendingTo bytes: inout [UInt8]) -> Bool {
        let tailCount = text.count % 4
        guard tailCount != 1 else { return false }
        let oldCount = bytes.count
        let count = text.count / 4 * 3 + max(0, tailCount - 1)
        bytes.append(contentsOf: repeatElement(0, count: count))
        let isCanonical = unsafe text.withUnsafeBufferPointer { text in
            unsafe bytes.withUnsafeMutableBufferPointer { bytes in
                // SAFETY: the output has the `count` bytes that were appended above.
                unsafe decode(text, into: UnsafeMutableBufferPointer(rebasing: bytes[oldCount...]))
            }
        }
        if !isCanonical { bytes.removeLast(count) }
        return isCanonical
    }

    private static func character(_ sextet: UInt8) -> UInt8 {
        switch sextet {
        case ..<26: UInt8(ascii: "A") + sextet
        case ..<52: UInt8(ascii: "a") + sextet - 26
        case ..<62: UInt8(ascii: "0") + sextet - 52
        case 62: UInt8(ascii: "-")
        default: UInt8(ascii: "_")
        }
    }

    /// The six bits of each character, or 0xFF.
    private static let sextets: [UInt8] = {
        var sextets = [UInt8](repeating: 0xFF, count: 256)
        for sextet in UInt8(0)..<64 { sextets[Int(character(sextet))] = sextet }
        return sextets
    }()

    /// Four characters make three bytes; two or three at the end make one or two, and leave four or two bits unused.
    /// All tests of a character are put off to the end, so that the loop has no branches.
    private static func decode(
        _ text: UnsafeBufferPointer<UInt8>, into bytes: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        unsafe sextets.withUnsafeBufferPointer { sextets in
            var invalid: UInt8 = 0
            func sextet(_ index: Int) -> UInt32 {
                // SAFETY: the table has an entry for every byte; the indices below stay within the text.
                let sextet = unsafe sextets[Int(text[index])]
                invalid |= sextet
                return UInt32(sextet)
            }
            var input = 0
            var output = 0
            while input + 4 <= text.count {
                let bits = sextet(input) << 18 | sextet(input + 1) << 12 | sextet(input + 2) << 6 | sextet(input + 3)
                unsafe bytes[output] = UInt8(truncatingIfNeeded: bits >> 16)
                unsafe bytes[output + 1] = UInt8(truncatingIfNeeded: bits >> 8)
                unsafe bytes[output + 2] = UInt8(truncatingIfNeeded: bits)
                input += 4
                output += 3
            }
            var unused: UInt32 = 0
            switch text.count - input {
            case 2:
                let bits = sextet(input) << 6 | sextet(input + 1)
                unsafe bytes[output] = UInt8(truncatingIfNeeded: bits >> 4)
                unused = bits & 0xF
            case 3:
                let bits = sextet(input) << 12 | sextet(input + 1) << 6 | sextet(input + 2)
                unsafe bytes[output] = UInt8(truncatingIfNeeded: bits >> 10)
                unsafe bytes[output + 1] = UInt8(truncatingIfNeeded: bits >> 2)
                unused = bits & 0x3
            default:
                break
            }
            return invalid < 64 && unused == 0
        }
    }
}
