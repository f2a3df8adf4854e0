/// What a token is for. Its header's `typ` says it (RFC 7515 §4.1.9), so that the one is never taken for the other
/// (RFC 8725 §3.11).
public enum TokenType: String, Hashable, Sendable, CaseIterable {
    /// RFC 9068 §2.1.
    case access = "at+jwt"
    case refresh = "rt+jwt"

    /// The type that `typ` names: media types ignore case, and a leading `application/` may be there or not.
    init?(typ: Span<UInt8>) {
        for type in Self.allCases where isMediaType(typ, type.rawValue) {
            self = type
            return
        }
        return nil
    }

    /// Whether `typ` says no more than that this is a JWT (RFC 7519 §5.1).
    static func isGeneric(_ typ: Span<UInt8>) -> Bool {
        isMediaType(typ, "jwt")
    }
}

private func isMediaType(_ typ: Span<UInt8>, _ subtype: String) -> Bool {
    var lowercased: [UInt8] = []
    for index in typ.indices {
        let byte = typ[index]
        let isUppercase = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
        lowercased.append(isUppercase ? byte + 0x20 : byte)
    }
    return lowercased.elementsEqual(subtype.utf8) || lowercased.elementsEqual("application/\(subtype)".utf8)
}
