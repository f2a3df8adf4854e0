import QuashJSON

/// What a token says, after its signature was found good. Whether it is still valid is a question of the time
/// (`refusal(at:)`) and of revocations. It holds the decoded payload.
public struct VerifiedToken: Sendable {
    /// What `typ` in its header says it is.
    public let type: TokenType
    /// The `kid` of the key that verified it.
    public let keyID: String
    /// `jti`, if it is one of ours; nil for a foreign one.
    public let tokenID: TokenID?
    private let payload: [UInt8]
    private let scanned: ScannedClaims

    init(type: TokenType, keyID: String, payload: [UInt8], scanned: ScannedClaims) {
        self.type = type
        self.keyID = keyID
        self.tokenID = TokenID(payload.span.extracting(scanned.id))
        self.payload = payload
        self.scanned = scanned
    }

    /// `iat`
    public var issuedAt: NumericDate { scanned.issuedAt }
    /// `exp`
    public var expiresAt: NumericDate { scanned.expiresAt }
    /// `nbf`
    public var notBefore: NumericDate? { scanned.notBefore }

    /// `jti` as UTF-8, 1 to 128 bytes.
    public var id: Span<UInt8> {
        @_lifetime(borrow self) get { payload.span.extracting(scanned.id) }
    }

    /// `sub` as UTF-8, 1 to 255 bytes.
    public var subject: Span<UInt8> {
        @_lifetime(borrow self) get { payload.span.extracting(scanned.subject) }
    }

    /// `client_id` as UTF-8, 1 to 255 bytes; empty if the token has none.
    public var clientID: Span<UInt8> {
        @_lifetime(borrow self) get { payload.span.extracting(scanned.clientID ?? 0..<0) }
    }

    /// `scope` as UTF-8, at most 1024 bytes; empty if the token has none.
    public var scope: Span<UInt8> {
        @_lifetime(borrow self) get { payload.span.extracting(scanned.scope ?? 0..<0) }
    }

    /// `sid` as UTF-8, 1 to 128 bytes; empty if the token has none.
    public var sessionID: Span<UInt8> {
        @_lifetime(borrow self) get { payload.span.extracting(scanned.sessionID ?? 0..<0) }
    }

    /// A copy of all claims.
    public var claims: Claims {
        var claims = Claims(
            subject: string(scanned.subject), issuedAt: issuedAt, expiresAt: expiresAt, id: string(scanned.id))
        claims.issuer = scanned.issuer.map(string)
        claims.audience = audience
        claims.clientID = scanned.clientID.map(string)
        claims.scope = scanned.scope.map(string)
        claims.notBefore = notBefore
        claims.sessionID = scanned.sessionID.map(string)
        return claims
    }

    /// Why the token is not valid at `now`, or nil if the time allows it. The clocks may differ by `skew`, in whole
    /// seconds, in the token's favour (RFC 7519 §4.1.4, §4.1.5).
    public func refusal(at now: NumericDate, skew: Duration = .zero) -> TokenRefusal? {
        if now >= expiresAt + skew { return .expired }
        if let notBefore, now < notBefore - skew { return .notYetValid }
        return nil
    }

    private var audience: [String] {
        guard let range = scanned.audience else { return [] }
        // The verifier has read it before, so it can be read.
        guard let value = try? JSONValue(parsing: payload.span.extracting(range)) else { return [] }
        return value.string.map { [$0] } ?? value.array?.compactMap(\.string) ?? []
    }

    private func string(_ range: Range<Int>) -> String {
        String(decoding: payload[range], as: UTF8.self)
    }
}
