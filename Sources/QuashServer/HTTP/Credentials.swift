import QuashCrypto
import QuashHTTP
import QuashJWT

/// What a request presents in its Authorization field (RFC 9110 §11.6.2).
enum Presented<Value> {
    case nothing
    /// Something, by a scheme that is not asked for here.
    case otherScheme
    /// More than one field, or not the grammar of the scheme.
    case malformed
    case value(Value)
}

extension HTTPRequest {
    /// The bearer token of the request (RFC 6750 §2.1): the field alone, never a form parameter or a query.
    var bearerToken: Presented<[UInt8]> {
        switch credentials(scheme: "bearer") {
        case .nothing: .nothing
        case .otherScheme: .otherScheme
        case .malformed: .malformed
        case .value(let token): token.allSatisfy(isToken68) ? .value(token) : .malformed
        }
    }

    /// Name and password of HTTP Basic (RFC 7617), as RFC 6749 §2.3.1 has clients send them: each form-encoded first.
    var basicCredentials: Presented<(name: String, password: String)> {
        switch credentials(scheme: "basic") {
        case .nothing: return .nothing
        case .otherScheme: return .otherScheme
        case .malformed: return .malformed
        case .value(let encoded):
            guard let decoded = Base64.decode(encoded), let colon = decoded.firstIndex(of: 0x3A),
                let name = FormParameters.decode(decoded[..<colon]),
                let password = FormParameters.decode(decoded[(colon + 1)...])
            else { return .malformed }
            return .value((name, password))
        }
    }

    /// What follows `scheme`, which is in lower case, and one or more spaces; schemes match without regard to case.
    private func credentials(scheme: String) -> Presented<[UInt8]> {
        guard let index = index(of: "authorization") else { return .nothing }
        guard self.index(of: "authorization", from: index + 1) == nil else { return .malformed }
        let value = fieldValue(at: index).array
        guard !value.isEmpty else { return .malformed }
        let end = value.firstIndex(of: 0x20) ?? value.endIndex
        guard end == scheme.utf8.count, zip(value, scheme.utf8).allSatisfy({ $0 | 0x20 == $1 }) else {
            return .otherScheme
        }
        let rest = value[end...].drop { $0 == 0x20 }
        return rest.isEmpty ? .malformed : .value(Array(rest))
    }
}

/// Base64 with padding, as HTTP Basic has it; strict like its URL-safe sister.
private enum Base64 {
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard text.count.isMultiple(of: 4), !text.contains(where: { $0 == 0x2D || $0 == 0x5F }) else { return nil }
        let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        let translated = text.dropLast(padding).map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }
        var bytes: [UInt8] = []
        return Base64URL.decode(translated.span, appendingTo: &bytes) ? bytes : nil
    }
}

/// token68 of RFC 9110 §11.2, its padding included.
private func isToken68(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
    case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="): true
    default: false
    }
}

/// A secret that callers must present, kept as its SHA-256: comparing digests in constant time tells nothing of the
/// secret, not even its length.
struct SecretDigest: Sendable {
    private let digest: [UInt8]

    init(of secret: [UInt8]) { digest = SHA256.digest(of: secret.span) }

    /// - Parameter hexadecimal: 64 digits.
    init?(hexadecimal: String) {
        let digits = Array(hexadecimal.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = FormParameters.digit(digits[index]), let low = FormParameters.digit(digits[index + 1])
            else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        digest = bytes
    }

    /// The first 32 bits in hexadecimal: tells credentials apart in the audit, and is no help to who tries to find one,
    /// for they are long.
    var fingerprint: String {
        String(hexadecimal(digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }).prefix(8))
    }

    func matches(_ secret: [UInt8]) -> Bool {
        ConstantTime.equal(digest.span, SHA256.digest(of: secret.span).span)
    }
}
