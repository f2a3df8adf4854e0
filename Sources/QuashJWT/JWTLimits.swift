/// The limits of tokens and key sets in one place. Sizes are in bytes.
public enum JWTLimits {
    /// A compact token. Checked before anything is decoded.
    public static let maxTokenBytes = 8 * 1024
    /// `sub`, `iss`, `client_id` and each `aud`.
    public static let maxNameBytes = 255
    /// `jti`, `sid` and `kid`.
    public static let maxIdentifierBytes = 128
    /// `scope`
    public static let maxScopeBytes = 1024
    /// Members of an `aud` array.
    public static let maxAudiences = 16
    /// A key set document.
    public static let maxKeySetBytes = 64 * 1024
    /// Members of a key set.
    public static let maxKeys = 64
}
