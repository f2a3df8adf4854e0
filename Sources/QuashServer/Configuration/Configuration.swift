package import Logging
package import Quash
package import QuashHTTP
package import QuashLoop
package import QuashRedis

/// What both roles read. Every value has been checked, alone and against the others.
package struct SharedConfiguration: Sendable {
    /// How this configuration came about, for `config check`, for reloads, and for a log line at the start.
    package let settings: SettingValues

    package var redisURL: RedisURL { settings.value(SettingsTable.redisURL) }
    /// From the environment or a file. Without it the URL's own password counts.
    package var redisPassword: Secret? {
        settings.optional(SettingsTable.redisPassword) ?? settings.optional(SettingsTable.redisPasswordFile)?.secret
    }
    package var redisCAFile: String? { settings.optional(SettingsTable.redisCAFile) }
    /// Shown to a Redis that asks for a certificate.
    package var redisCertificate: CertificateFiles? {
        CertificateFiles(settings, SettingsTable.redisCertFile, SettingsTable.redisKeyFile)
    }

    package var listen: [Endpoint] { settings.value(SettingsTable.listen) }
    package var adminListen: [Endpoint] { settings.value(SettingsTable.adminListen) }
    /// Nil asks for no credential.
    package var adminToken: Secret? {
        settings.optional(SettingsTable.adminToken) ?? settings.optional(SettingsTable.adminTokenFile)?.secret
    }
    /// Nil means plain HTTP.
    package var tlsCertificate: CertificateFiles? {
        CertificateFiles(settings, SettingsTable.tlsCertFile, SettingsTable.tlsKeyFile)
    }
    package var tlsClientCAFile: String? { settings.optional(SettingsTable.tlsClientCAFile) }

    /// The `iss` of tokens.
    package var issuerURL: String? { settings.optional(SettingsTable.issuerURL) }
    /// The `aud` of tokens; empty for none.
    package var audience: [String] { settings.optional(SettingsTable.audience) ?? [] }

    package var nodeID: String { settings.value(SettingsTable.nodeID) }
    package var maxRevocations: Int { settings.value(SettingsTable.maxRevocations) }

    package var lease: Duration { settings.value(SettingsTable.lease) }
    package var renewInterval: Duration { settings.value(SettingsTable.renewInterval) }
    package var clockSkew: Duration { settings.value(SettingsTable.clockSkew) }
    /// How far this clock may be from that of Redis.
    package var maxClockDeviation: Duration { settings.value(SettingsTable.maxClockDeviation) }
    /// How far ahead a token may be dated.
    package var issueTolerance: Duration { settings.value(SettingsTable.issueTolerance) }
    package var drain: Duration { settings.value(SettingsTable.drain) }

    package var logLevel: Logger.Level { settings.value(SettingsTable.logLevel) }
    package var logFormat: LogFormat { settings.value(SettingsTable.logFormat) }
}

/// A certificate chain and its private key, in PEM files.
package struct CertificateFiles: Hashable, Sendable {
    package let certificatePath: String
    package let keyPath: String

    fileprivate init?(_ settings: SettingValues, _ certificate: Setting<String>, _ key: Setting<String>) {
        guard let certificatePath = settings.optional(certificate), let keyPath = settings.optional(key) else {
            return nil
        }
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }
}

/// What `quash issuer` runs with.
public struct IssuerConfiguration: Sendable {
    package let common: SharedConfiguration
    private var settings: SettingValues { common.settings }

    /// - Parameter arguments: the flags, such as `--lease 5s`.
    /// - Parameter environment: the process's variables, of which those count whose names begin with `QUASH_`.
    /// - Throws: everything that is wrong, a line each. A configuration is whole or not at all.
    public init(arguments: [String] = [], environment: [String: String]) throws(ConfigurationError) {
        let settings = try SettingsReader.read(role: .issuer, arguments: arguments, environment: environment)
        common = SharedConfiguration(settings: settings)
    }

    /// Private keys in PEM: the first signs, all are published.
    package var signingKeyFile: String { settings.value(SettingsTable.signingKeyFile) }
    package var accessTTL: Duration { settings.value(SettingsTable.accessTTL) }
    package var refreshTTL: Duration { settings.value(SettingsTable.refreshTTL) }
    package var rotationGrace: Duration { settings.value(SettingsTable.rotationGrace) }
    package var outboxFile: String { settings.value(SettingsTable.outboxFile) }
    /// The node ids of all issuers; empty when this is the only one.
    package var issuers: [String] { settings.optional(SettingsTable.issuers) ?? [] }
    /// Recognises what issuers of this feed write; nil when no secret is configured.
    package var feedSeal: FeedSeal? {
        settings.optional(SettingsTable.feedSecretFile).map { current in
            let previous = settings.optional(SettingsTable.feedPreviousSecretFile)
            return FeedSeal(current: current.secret.bytes, previous: previous?.secret.bytes)
        }
    }
    package var unsealedEntries: UnsealedEntries { settings.value(SettingsTable.feedUnsealed) }
    /// How long a Redis that was replaced may go on granting leases.
    package var fence: Duration { settings.value(SettingsTable.fence) }
    /// Nil lets nobody introspect.
    package var clientsFile: String? { settings.optional(SettingsTable.clientsFile) }
}

/// What `quash validator` runs with.
public struct ValidatorConfiguration: Sendable {
    /// Where the issuer's public keys come from.
    package enum KeySource: Hashable, Sendable {
        /// Fetched, and again when a token names a key that is not there. The authorities' file is nil for the
        /// system's.
        case url(HTTPURL, caFile: String?)
        case file(path: String)
    }

    package let common: SharedConfiguration
    private var settings: SettingValues { common.settings }

    /// - Parameter arguments: the flags, such as `--lease 5s`.
    /// - Parameter environment: the process's variables, of which those count whose names begin with `QUASH_`.
    /// - Throws: everything that is wrong, a line each. A configuration is whole or not at all.
    public init(arguments: [String] = [], environment: [String: String]) throws(ConfigurationError) {
        let settings = try SettingsReader.read(role: .validator, arguments: arguments, environment: environment)
        common = SharedConfiguration(settings: settings)
    }

    package var keySource: KeySource {
        if let url = settings.optional(SettingsTable.jwksURL) {
            return .url(url, caFile: settings.optional(SettingsTable.jwksCAFile))
        }
        guard let path = settings.optional(SettingsTable.jwksFile) else {
            preconditionFailure("a rule demands exactly one of jwks-url and jwks-file")
        }
        return .file(path: path)
    }
    /// Event loops that decide, one thread each.
    package var loops: Int { settings.value(SettingsTable.loops) }
    /// Verified tokens that each loop remembers; 0 for none.
    package var tokenCache: Int { settings.value(SettingsTable.tokenCache) }
}
