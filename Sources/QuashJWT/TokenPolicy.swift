/// What one verifier accepts, beyond a signature of a known key.
public struct TokenPolicy: Hashable, Sendable {
    /// The types that are accepted. What a token is, `VerifiedToken.type` says.
    public var types: Set<TokenType>
    /// Whether a token without `typ`, or with `typ` `JWT`, counts as an access token. For issuers that do not follow
    /// RFC 9068 only: their ID tokens cannot be told from their access tokens, so demand an audience with it.
    public var acceptsUntypedTokens = false
    /// What `iss` must be, character by character (RFC 9068 §4); nil accepts any issuer and none.
    public var issuer: String?
    /// Of which `aud` must be or contain one (RFC 7519 §4.1.3); empty accepts any audience and none.
    public var audiences: [String] = []

    /// A policy that accepts tokens of these types, from any issuer and for any audience.
    public init(types: Set<TokenType> = [.access]) {
        self.types = types
    }
}
