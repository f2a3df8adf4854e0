package import QuashCrypto

/// How to reach one Redis, and how long to wait for it.
package struct RedisOptions: Sendable {
    package let location: RedisLocation
    /// Nil for a plain connection. The server's certificate must be for the host that is connected to: the one of the
    /// URL, or the one that a sentinel names.
    package let tls: TLSContext?
    package let user: String?
    /// Never logged: a value of this type describes itself by its address.
    let password: String?
    package let database: Int
    /// The name of each connection in CLIENT LIST; not set when nil, or when the server does not allow it.
    package var clientName: String?
    /// For everything from the first packet to the last answer of the handshake; and for each sentinel that is asked
    /// before.
    package var connectTimeout: Duration = .seconds(2)
    /// The wait after a first failure, and the longest.
    package var backoff: ClosedRange<Duration> = .milliseconds(50) ... .seconds(2)

    /// - Parameters:
    ///   - password: where the URL has none.
    ///   - authoritiesFile: the certificates, in PEM, that a `rediss://` server's certificate must lead to; those of
    ///     the system when nil.
    ///   - identity: the certificate that a `rediss://` server asks for.
    /// - Throws: `.configuration`, one line that names the file or the URL, but no password.
    package init(
        url: RedisURL, password: String? = nil, authoritiesFile: String? = nil,
        identity: TLSContext.Identity? = nil
    ) throws(RedisError) {
        guard url.usesTLS || (authoritiesFile == nil && identity == nil) else {
            throw RedisError(.configuration, "certificates are given for \(url), which does not speak TLS")
        }
        guard url.password == nil || password == nil else {
            throw RedisError(.configuration, "\(url) has a password, and another one is given too: use one")
        }
        location = url.location
        user = url.user
        database = url.database
        do throws(CryptoError) {
            tls =
                url.usesTLS
                ? try .client(
                    trust: authoritiesFile.map { .certificateAuthorities(path: $0) } ?? .systemRoots, identity: identity
                )
                : nil
        } catch {
            throw RedisError(.configuration, "cannot use TLS for \(url): \(error)")
        }
        self.password = password ?? url.password
    }
}

extension RedisOptions: CustomStringConvertible, CustomReflectable {
    package var description: String { "\(location)" }
    /// Without children, so that `dump` and string interpolation of what holds these options show no password.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
