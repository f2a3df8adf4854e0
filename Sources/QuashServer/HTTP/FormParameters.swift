/// The parameters of an `application/x-www-form-urlencoded` body (RFC 6749 Appendix B).
struct FormParameters {
    /// Parameters in one body.
    static let maxParameters = 32

    private let values: [String: String]

    /// - Returns: nil when the text is not well formed, is not UTF-8, or names a parameter twice (RFC 6749 §3.2).
    init?(_ bytes: [UInt8]) {
        var values: [String: String] = [:]
        for pair in bytes.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(parts[0]), let value = Self.decode(parts.count == 2 ? parts[1] : []),
                !name.isEmpty, values[name] == nil, values.count < Self.maxParameters
            else { return nil }
            values[name] = value
        }
        self.values = values
    }

    /// The value of a parameter; one without a value counts as absent (RFC 6749 §3.1).
    subscript(name: String) -> String? {
        guard let value = values[name], !value.isEmpty else { return nil }
        return value
    }

    /// Undoes the encoding: `%XX` is a byte, and in a form, though not in a path, `+` is a space.
    ///
    /// - Returns: nil for a broken escape, a control character, or what is not UTF-8.
    static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = true) -> String? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var rest = bytes
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+") where plusIsSpace: decoded.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                decoded.append(high << 4 | low)
            default: decoded.append(byte)
            }
        }
        guard !decoded.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        return String(validating: decoded, as: UTF8.self)
    }

    /// The value of a hexadecimal digit.
    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
