import QuashJSON

/// What the issuer says of itself (RFC 8414), and where.
struct ServerMetadata: Sendable {
    /// Where it is for an issuer whose URL has no path.
    static let wellKnownPath = "/.well-known/oauth-authorization-server"

    /// RFC 8414 §3.1: a path of the issuer follows the well-known one, without a slash at its end.
    let path: String
    /// RFC 8414 §2.
    let document: [UInt8]

    /// - Parameter issuer: the URL by which it names itself, `https://host/path`.
    init(issuer: String) {
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        let afterScheme = base.firstRange(of: "://").map { base[$0.upperBound...] } ?? base[...]
        path = Self.wellKnownPath + afterScheme.drop { $0 != "/" }
        func url(_ path: String) -> JSONValue { .string(base + path) }
        let authentication: JSONValue = ["client_secret_basic", "client_secret_post", "none"]
        let json: JSONValue = [
            "issuer": .string(issuer),
            "token_endpoint": url("/oauth2/token"),
            "jwks_uri": url("/.well-known/jwks.json"),
            "grant_types_supported": ["refresh_token"],
            // Required by §2 and, by §3.2, never empty, though there is no authorization endpoint to send any to. This
            // one promises nothing (OAuth 2.0 Multiple Response Type Encoding Practices §4).
            "response_types_supported": ["none"],
            "token_endpoint_auth_methods_supported": authentication,
            "revocation_endpoint": url("/oauth2/revoke"),
            "revocation_endpoint_auth_methods_supported": authentication,
            "introspection_endpoint": url("/oauth2/introspect"),
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        ]
        document = json.serialized()
    }
}
