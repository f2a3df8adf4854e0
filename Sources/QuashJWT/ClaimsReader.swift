import QuashJSON

/// The claims of one payload, strings as places in it.
struct ScannedClaims: Hashable, Sendable {
    var subject = 0..<0
    var id = 0..<0
    var issuedAt = NumericDate(seconds: 0)
    var expiresAt = NumericDate(seconds: 0)
    var notBefore: NumericDate?
    var issuer: Range<Int>?
    var clientID: Range<Int>?
    var scope: Range<Int>?
    var sessionID: Range<Int>?
    /// The JSON of `aud`, a string or an array of strings.
    var audience: Range<Int>?
}

/// Whom a token must be from and for, as UTF-8; nil where anyone will do.
struct ExpectedParties: Sendable {
    var issuer: [UInt8]?
    var audiences: [[UInt8]] = []
}

/// Reads the claims of one payload in one pass. Allocates only for strings that are spelled with escapes.
struct ClaimsReader: ~Copyable, ~Escapable {
    private var claims = ScannedClaims()
    private var unescaped: [UInt8] = []
    private var scanner: JSONScanner
    private let payload: Span<UInt8>
    private let expected: ExpectedParties
    private var hasIssuedAt = false
    private var hasExpiresAt = false
    private var isExpectedIssuer = false
    private var isExpectedAudience = false

    /// The claims of `payload`, and the strings that are spelled in it with escapes, as they are without: their places
    /// in the claims are those that they get when these bytes are appended to the payload.
    ///
    /// - Throws: `badClaims` if the payload is not a JSON object with `sub`, `iat`, `exp` and `jti`, or a claim is not
    ///   what `JWTLimits` and `NumericDate.range` allow; then `wrongIssuer`, `wrongAudience`.
    static func read(
        _ payload: Span<UInt8>, expected: ExpectedParties = ExpectedParties()
    ) throws(TokenRefusal) -> (claims: ScannedClaims, unescaped: [UInt8]) {
        var reader = ClaimsReader(payload, expected: expected)
        try reader.read()
        return (reader.claims, reader.unescaped)
    }

    @_lifetime(copy payload)
    private init(_ payload: Span<UInt8>, expected: ExpectedParties) {
        scanner = JSONScanner(payload)
        self.payload = payload
        self.expected = expected
    }

    private mutating func read() throws(TokenRefusal) {
        guard try next() == .beginObject else { throw .badClaims }
        while case .name(let name) = try next() {
            try readMember(name)
        }
        guard try next() == .end, !claims.subject.isEmpty, !claims.id.isEmpty, hasIssuedAt, hasExpiresAt else {
            throw .badClaims
        }
        guard expected.issuer == nil || isExpectedIssuer else { throw .wrongIssuer }
        guard expected.audiences.isEmpty || isExpectedAudience else { throw .wrongAudience }
    }

    private mutating func readMember(_ name: JSONScanner.Text) throws(TokenRefusal) {
        if name.isEqual(to: "sub", in: payload) {
            claims.subject = try readString(1...JWTLimits.maxNameBytes)
        } else if name.isEqual(to: "iat", in: payload) {
            claims.issuedAt = try readDate()
            hasIssuedAt = true
        } else if name.isEqual(to: "exp", in: payload) {
            claims.expiresAt = try readDate()
            hasExpiresAt = true
        } else if name.isEqual(to: "jti", in: payload) {
            claims.id = try readString(1...JWTLimits.maxIdentifierBytes)
        } else if name.isEqual(to: "iss", in: payload) {
            let text = try nextText()
            isExpectedIssuer = expected.issuer.map { text.isEqual(to: $0.span, in: payload) } ?? false
            claims.issuer = try place(text, 1...JWTLimits.maxNameBytes)
        } else if name.isEqual(to: "aud", in: payload) {
            try readAudience()
        } else if name.isEqual(to: "client_id", in: payload) {
            claims.clientID = try readString(1...JWTLimits.maxNameBytes)
        } else if name.isEqual(to: "scope", in: payload) {
            // Some issuers send an empty scope where they mean none.
            claims.scope = try readString(0...JWTLimits.maxScopeBytes)
        } else if name.isEqual(to: "nbf", in: payload) {
            claims.notBefore = try readDate()
        } else if name.isEqual(to: "sid", in: payload) {
            claims.sessionID = try readString(1...JWTLimits.maxIdentifierBytes)
        } else {
            do throws(JSONError) { try scanner.skipValue() } catch { throw .badClaims }
        }
    }

    private mutating func readAudience() throws(TokenRefusal) {
        let start = scanner.offset
        switch try next() {
        case .string(let text):
            try noteAudience(text)
        case .beginArray:
            var count = 0
            while case .string(let text) = try nextInArray() {
                count += 1
                guard count <= JWTLimits.maxAudiences else { throw .badClaims }
                try noteAudience(text)
            }
        default:
            throw .badClaims
        }
        claims.audience = start..<scanner.offset
    }

    private mutating func noteAudience(_ text: JSONScanner.Text) throws(TokenRefusal) {
        _ = try place(text, 1...JWTLimits.maxNameBytes)
        for audience in expected.audiences where text.isEqual(to: audience.span, in: payload) {
            isExpectedAudience = true
        }
    }

    private mutating func nextInArray() throws(TokenRefusal) -> JSONScanner.Token {
        let token = try next()
        switch token {
        case .string, .endArray: return token
        default: throw .badClaims
        }
    }

    private mutating func readString(_ lengths: ClosedRange<Int>) throws(TokenRefusal) -> Range<Int> {
        try place(nextText(), lengths)
    }

    private mutating func nextText() throws(TokenRefusal) -> JSONScanner.Text {
        guard case .string(let text) = try next() else { throw .badClaims }
        return text
    }

    /// Where `text` is without escapes. Control characters can only be there as escapes; they are refused, since claims
    /// go into header fields and logs.
    private mutating func place(
        _ text: JSONScanner.Text, _ lengths: ClosedRange<Int>
    ) throws(TokenRefusal) -> Range<Int> {
        var range = text.range
        if text.hasEscapes {
            let start = unescaped.count
            text.append(to: &unescaped, in: payload)
            guard unescaped[start...].allSatisfy({ $0 >= 0x20 }) else { throw .badClaims }
            range = (payload.count + start)..<(payload.count + unescaped.count)
        }
        guard lengths.contains(range.count) else { throw .badClaims }
        return range
    }

    /// RFC 7519 §2: a NumericDate may have a fraction. It is cut off: a token never lives longer for it.
    private mutating func readDate() throws(TokenRefusal) -> NumericDate {
        guard case .number(let number) = try next(), let seconds = number.floor else { throw .badClaims }
        let date = NumericDate(seconds: seconds)
        guard NumericDate.range.contains(date) else { throw .badClaims }
        return date
    }

    private mutating func next() throws(TokenRefusal) -> JSONScanner.Token {
        do throws(JSONError) { return try scanner.next() } catch { throw .badClaims }
    }
}
