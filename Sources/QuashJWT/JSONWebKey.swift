public import QuashCrypto
package import QuashJSON

/// A public RSA key with its name (RFC 7517).
public struct JSONWebKey: Equatable, Sendable {
    /// `kid`, 1 to `JWTLimits.maxIdentifierBytes` bytes.
    public let keyID: String
    /// `n` and `e`
    public let publicKey: RSAPublicKey

    /// A key that is named by its thumbprint, as all of ours are.
    public init(_ publicKey: RSAPublicKey) {
        self.init(publicKey, keyID: Self.thumbprint(of: publicKey))
    }

    init(_ publicKey: RSAPublicKey, keyID: String) {
        self.publicKey = publicKey
        self.keyID = keyID
    }

    /// The JWK thumbprint (RFC 7638) by SHA-256, in base64url: it follows from the key alone.
    public static func thumbprint(of key: RSAPublicKey) -> String {
        // RFC 7638 §3.2: the required members in this order, without white space.
        let members: JSONValue = ["e": .base64URL(key.exponent), "kty": "RSA", "n": .base64URL(key.modulus)]
        return Base64URL.encode(SHA256.digest(of: members.serialized().span).span)
    }

    /// The JWK (RFC 7517 §4, RFC 7518 §6.3.1).
    package var json: JSONValue {
        [
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": .string(keyID), "n": .base64URL(publicKey.modulus),
            "e": .base64URL(publicKey.exponent),
        ]
    }
}

extension JSONValue {
    fileprivate static func base64URL(_ bytes: [UInt8]) -> JSONValue {
        .string(Base64URL.encode(bytes.span))
    }
}

/// Why a member of a key set is not used. The others of the set are.
public struct SkippedKey: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where it stands in the set, from 0.
    public let index: Int
    /// What is missing or not allowed, in words.
    public let reason: String

    public var description: String { "key \(index) is not used: \(reason)" }
}

extension JSONWebKey {
    /// The key that `json` describes, if it is one for RS256 signatures.
    init(_ json: JSONValue, index: Int) throws(SkippedKey) {
        func skipped(_ reason: String) -> SkippedKey { SkippedKey(index: index, reason: reason) }

        guard json["kty"] == "RSA" else { throw skipped("kty is not RSA") }
        if let use = json["use"], use != "sig" { throw skipped("use is not sig") }
        if let algorithm = json["alg"], algorithm != "RS256" { throw skipped("alg is not RS256") }
        if let operations = json["key_ops"], operations.array?.contains("verify") != true {
            throw skipped("key_ops does not have verify")
        }
        if json["d"] != nil { throw skipped("it is a private key, which must never be in a key set") }
        guard let n = json["n"]?.string.flatMap({ Base64URL.decode($0) }),
            let e = json["e"]?.string.flatMap({ Base64URL.decode($0) })
        else { throw skipped("n or e is missing or not base64url") }
        let key: RSAPublicKey
        do throws(CryptoError) {
            key = try RSAPublicKey(modulus: n, exponent: e)
        } catch {
            throw skipped(error.description)
        }
        guard let kid = json["kid"] else {
            self.init(key)
            return
        }
        guard let keyID = kid.string, (1...JWTLimits.maxIdentifierBytes).contains(keyID.utf8.count) else {
            throw skipped("kid is not a string of 1 to \(JWTLimits.maxIdentifierBytes) bytes")
        }
        self.init(key, keyID: keyID)
    }
}
