public import QuashCrypto

/// What goes wrong when tokens are made or keys are read. Why a token is refused is a `TokenRefusal`.
public enum JWTError: Error, Hashable, CustomStringConvertible {
    /// Claims that no verifier would accept, so they are not signed either.
    case invalidClaims
    /// A key set document that cannot be used at all.
    case invalidKeySet(problem: String)
    case crypto(CryptoError)

    public var description: String {
        switch self {
        case .invalidClaims:
            "claims are missing, empty, too long or hold control characters; JWTLimits has the limits"
        case .invalidKeySet(let problem): "key set: \(problem)"
        case .crypto(let error): error.description
        }
    }
}
