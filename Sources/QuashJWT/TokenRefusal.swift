/// Why a token was refused. The first reason found, cheapest checks first; the texts serve as labels of metrics.
public enum TokenRefusal: String, Error, Hashable, Sendable, CaseIterable {
    /// Not three parts of canonical base64url, or a header that is not strict JSON.
    case malformed
    /// Larger than `JWTLimits.maxTokenBytes`.
    case tooLarge = "too_large"
    /// `alg` is not exactly `RS256`.
    case unsupportedAlgorithm = "unsupported_algorithm"
    /// The header has `crit` or `b64`, which change what the token means (RFC 7515 §4.1.11, RFC 7797), or brings a key
    /// or the address of one (`jwk`, `jku`, `x5c`, `x5u`).
    case unsupportedHeader = "unsupported_header"
    /// `typ` does not name a type that the policy accepts.
    case wrongType = "wrong_type"
    /// No `kid`, or one that is not in the key set.
    case unknownKey = "unknown_key"
    case badSignature = "bad_signature"
    /// Signed, but a required claim is missing or a claim is not what the limits allow.
    case badClaims = "bad_claims"
    case wrongIssuer = "wrong_issuer"
    case wrongAudience = "wrong_audience"
    case expired
    case notYetValid = "not_yet_valid"
    /// `iat` is further ahead of this node's clock than issuers' clocks may be.
    case issuedAhead = "issued_ahead"
    /// It expires later than anything is remembered.
    case tooLongLived = "too_long_lived"
}
