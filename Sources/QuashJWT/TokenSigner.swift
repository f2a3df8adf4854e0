public import QuashCrypto
import QuashJSON

/// Signs compact tokens with RS256 (RFC 7515 §5.1). Shared between threads.
public struct TokenSigner: Sendable {
    /// The key as verifiers must know it; its `keyID` is the thumbprint.
    public let publicKey: JSONWebKey
    private let key: RSAPrivateKey
    /// The first part of every token, with its dot.
    private let accessHeader: [UInt8]
    private let refreshHeader: [UInt8]

    /// A signer whose tokens name the thumbprint of `key` as their `kid`.
    public init(_ key: RSAPrivateKey) {
        self.key = key
        publicKey = JSONWebKey(key.publicKey)
        accessHeader = Self.header(.access, keyID: publicKey.keyID)
        refreshHeader = Self.header(.refresh, keyID: publicKey.keyID)
    }

    /// The token of `claims`. The same claims, type and key give the same bytes.
    ///
    /// - Throws: `JWTError.invalidClaims` for claims that a verifier would refuse, `JWTError.crypto` otherwise.
    public func sign(_ claims: Claims, type: TokenType) throws(JWTError) -> [UInt8] {
        let payload = claims.serialized
        do throws(TokenRefusal) { _ = try ClaimsReader.read(payload.span) } catch { throw .invalidClaims }
        var token = type == .access ? accessHeader : refreshHeader
        Base64URL.encode(payload.span, appendingTo: &token)
        let signature: [UInt8]
        do throws(CryptoError) { signature = try key.sign(token.span) } catch { throw .crypto(error) }
        token.append(UInt8(ascii: "."))
        Base64URL.encode(signature.span, appendingTo: &token)
        guard token.count <= JWTLimits.maxTokenBytes else { throw .invalidClaims }
        return token
    }

    private static func header(_ type: TokenType, keyID: String) -> [UInt8] {
        let header: JSONValue = ["alg": "RS256", "typ": .string(type.rawValue), "kid": .string(keyID)]
        var text: [UInt8] = []
        Base64URL.encode(header.serialized().span, appendingTo: &text)
        return text + [UInt8(ascii: ".")]
    }
}
