import QuashJSON

/// What a token says (RFC 7519 §4.1, RFC 9068 §2.2).
public struct Claims: Hashable, Sendable {
    /// `sub`
    public var subject: String
    /// `iat`
    public var issuedAt: NumericDate
    /// `exp`
    public var expiresAt: NumericDate
    /// `jti`, a `TokenID` in tokens of ours.
    public var id: String
    /// `iss`
    public var issuer: String?
    /// `aud`; empty if the token has none.
    public var audience: [String] = []
    /// `client_id`
    public var clientID: String?
    /// `scope`: names separated by spaces (RFC 6749 §3.3).
    public var scope: String?
    /// `nbf`
    public var notBefore: NumericDate?
    /// `sid`, the session in tokens of other issuers; ours have it in `id`.
    public var sessionID: String?

    /// The claims that every token has; the others are set afterwards.
    public init(subject: String, issuedAt: NumericDate, expiresAt: NumericDate, id: String) {
        self.subject = subject
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.id = id
    }

    /// The payload: the same claims give the same bytes, so that a stored claim set signs to the same token again.
    package var serialized: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("sub", subject)
        writer.member("iat", issuedAt)
        writer.member("exp", expiresAt)
        writer.member("jti", id)
        writer.member("iss", issuer)
        if !audience.isEmpty {
            writer.name("aud")
            // RFC 7519 §4.1.3: a single audience may be a string, and every reader expects it to be.
            if audience.count == 1 {
                writer.string(audience[0])
            } else {
                writer.value(.array(audience.map(JSONValue.string)))
            }
        }
        writer.member("client_id", clientID)
        writer.member("scope", scope)
        writer.member("nbf", notBefore)
        writer.member("sid", sessionID)
        writer.endObject()
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ text: String?) {
        guard let text else { return }
        self.name(name)
        string(text)
    }

    fileprivate mutating func member(_ name: String, _ date: NumericDate?) {
        guard let date else { return }
        self.name(name)
        integer(date.seconds)
    }
}
