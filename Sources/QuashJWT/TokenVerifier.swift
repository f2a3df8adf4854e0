import QuashCrypto
import QuashJSON

/// Verifies compact tokens (RFC 7515 §5.2, RFC 7519 §7.2) of the keys in a set, by one algorithm, RS256.
///
/// One per loop: it reuses contexts and buffers, so that a token costs little more than its RSA operation. Nothing in a
/// token is believed before its signature, with two exceptions that choose what to verify with: `typ` and `kid`.
public final class TokenVerifier {
    private struct Header {
        var type: TokenType
        var keyIndex: Int
    }

    private let keyIDs: [String]
    private let signatureVerifiers: [RSAVerifier]
    private let policy: TokenPolicy
    private let expected: ExpectedParties

    private var signatureBuffer: [UInt8] = []
    private var payloadBuffer: [UInt8] = []
    /// The last header that was accepted, in base64url: an issuer writes the same one for thousands of tokens.
    private var lastHeaderText: [UInt8] = []
    private var lastHeader: Header?

    /// A verifier for one loop.
    ///
    /// - Throws: `JWTError.crypto` if OpenSSL cannot use a key.
    public init(keys: KeySet, policy: TokenPolicy = TokenPolicy()) throws(JWTError) {
        keyIDs = keys.keys.map(\.keyID)
        self.policy = policy
        expected = ExpectedParties(
            issuer: policy.issuer.map { Array($0.utf8) }, audiences: policy.audiences.map { Array($0.utf8) })
        do {
            signatureVerifiers = try keys.keys.map { try RSAVerifier($0.publicKey) }
        } catch let error as CryptoError {
            throw .crypto(error)
        } catch {
            preconditionFailure("RSAVerifier throws CryptoError only")
        }
    }

    /// What `token` says, if it is signed by one of the keys and is what the policy accepts. The time is not looked at.
    public func verify(_ token: Span<UInt8>) throws(TokenRefusal) -> VerifiedToken {
        guard token.count <= JWTLimits.maxTokenBytes else { throw .tooLarge }
        let dot = UInt8(ascii: ".")
        guard let headerEnd = token.firstIndex(of: dot),
            let payloadEnd = token.firstIndex(of: dot, from: headerEnd + 1)
        else { throw .malformed }
        let header = try header(token.extracting(0..<headerEnd))

        // A third dot is no base64url character, so a fourth part ends here too.
        signatureBuffer.removeAll(keepingCapacity: true)
        guard Base64URL.decode(token.extracting((payloadEnd + 1)..<token.count), appendingTo: &signatureBuffer) else {
            throw .malformed
        }
        let signed = token.extracting(0..<payloadEnd)
        guard signatureVerifiers[header.keyIndex].verify(signature: signatureBuffer.span, message: signed) else {
            throw .badSignature
        }

        payloadBuffer.removeAll(keepingCapacity: true)
        guard Base64URL.decode(token.extracting((headerEnd + 1)..<payloadEnd), appendingTo: &payloadBuffer) else {
            throw .malformed
        }
        // As long as it is and no longer: the buffer is as long as the longest that there was.
        let payload = Array(payloadBuffer[...])
        let (claims, unescaped) = try ClaimsReader.read(payload.span, expected: expected)
        return VerifiedToken(
            type: header.type, keyID: keyIDs[header.keyIndex],
            payload: unescaped.isEmpty ? payload : payload + unescaped, scanned: claims)
    }

    /// As `verify(_:)`, and valid at `now`.
    public func verify(
        _ token: Span<UInt8>, at now: NumericDate, skew: Duration = .zero
    ) throws(TokenRefusal) -> VerifiedToken {
        let verified = try verify(token)
        if let refusal = verified.refusal(at: now, skew: skew) { throw refusal }
        return verified
    }

    private func header(_ text: Span<UInt8>) throws(TokenRefusal) -> Header {
        if let lastHeader, text.isEqual(to: lastHeaderText.span) { return lastHeader }
        var headerJSON: [UInt8] = []
        guard Base64URL.decode(text, appendingTo: &headerJSON) else { throw .malformed }
        let (typ, keyID) = try HeaderReader.read(headerJSON.span)
        let header = Header(type: try type(typ), keyIndex: try keyIndex(keyID))
        lastHeaderText.removeAll(keepingCapacity: true)
        for index in text.indices { lastHeaderText.append(text[index]) }
        lastHeader = header
        return header
    }

    private func type(_ typ: [UInt8]?) throws(TokenRefusal) -> TokenType {
        let type: TokenType
        if let typ, let named = TokenType(typ: typ.span) {
            type = named
        } else if policy.acceptsUntypedTokens && (typ.map { TokenType.isGeneric($0.span) } ?? true) {
            type = .access
        } else {
            throw .wrongType
        }
        guard policy.types.contains(type) else { throw .wrongType }
        return type
    }

    private func keyIndex(_ keyID: [UInt8]?) throws(TokenRefusal) -> Int {
        // Only ever compared: it is text of the attacker, and no path, query or URL is made of it (RFC 8725 §3.10).
        guard let keyID, let index = keyIDs.firstIndex(where: { $0.utf8.elementsEqual(keyID) }) else {
            throw .unknownKey
        }
        return index
    }
}

@available(*, unavailable)
extension TokenVerifier: Sendable {}

/// Reads a JOSE header (RFC 7515 §4).
private struct HeaderReader: ~Copyable, ~Escapable {
    private var typ: [UInt8]?
    private var keyID: [UInt8]?
    private var scanner: JSONScanner
    private let json: Span<UInt8>

    /// `typ` and `kid` of a header that asks for RS256 and for nothing that is not supported.
    static func read(_ json: Span<UInt8>) throws(TokenRefusal) -> (typ: [UInt8]?, keyID: [UInt8]?) {
        var reader = HeaderReader(json)
        try reader.read()
        return (reader.typ, reader.keyID)
    }

    @_lifetime(copy json)
    private init(_ json: Span<UInt8>) {
        scanner = JSONScanner(json)
        self.json = json
    }

    private mutating func read() throws(TokenRefusal) {
        var isRS256 = false
        var isUnsupported = false
        guard try next() == .beginObject else { throw .malformed }
        while case .name(let name) = try next() {
            if name.isEqual(to: "alg", in: json) {
                // Case matters (RFC 7515 §4.1.1): `rs256` is not a name of anything.
                isRS256 = try nextText().isEqual(to: "RS256", in: json)
            } else if name.isEqual(to: "typ", in: json) {
                typ = try nextText().utf8(in: json)
            } else if name.isEqual(to: "kid", in: json) {
                keyID = try nextText().utf8(in: json)
            } else {
                // A key that comes with a token is whatever its sender wants it to be. RFC 7515 §4 would let us ignore
                // what we do not use, but no honest issuer needs it here, and what is refused cannot come to be used.
                isUnsupported =
                    isUnsupported || name.isEqual(to: "crit", in: json) || name.isEqual(to: "b64", in: json)
                    || name.isEqual(to: "jwk", in: json) || name.isEqual(to: "jku", in: json)
                    || name.isEqual(to: "x5c", in: json)
                    || name.isEqual(to: "x5u", in: json)
                do throws(JSONError) { try scanner.skipValue() } catch { throw .malformed }
            }
        }
        guard try next() == .end else { throw .malformed }
        guard isRS256 else { throw .unsupportedAlgorithm }
        guard !isUnsupported else { throw .unsupportedHeader }
    }

    private mutating func nextText() throws(TokenRefusal) -> JSONScanner.Text {
        guard case .string(let text) = try next() else { throw .malformed }
        return text
    }

    private mutating func next() throws(TokenRefusal) -> JSONScanner.Token {
        do throws(JSONError) { return try scanner.next() } catch { throw .malformed }
    }
}
