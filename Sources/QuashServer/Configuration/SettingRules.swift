import QuashHTTP
package import QuashLoop
import QuashRedis

/// What must hold between settings.
struct SettingRule: Sendable {
    let roles: Set<Role>
    /// The settings that it is about. A rule is not judged while one of them has a flaw of its own.
    let settings: [any SettingDeclaration]
    /// A whole clause, for the line of an error and for the documentation.
    let statement: String
    let remedy: String
    let holds: @Sendable (SettingValues) -> Bool

    init(
        for roles: Set<Role> = Set(Role.allCases), _ settings: any SettingDeclaration..., statement: String,
        remedy: String, holds: @escaping @Sendable (SettingValues) -> Bool
    ) {
        self.roles = roles
        self.settings = settings
        self.statement = statement
        self.remedy = remedy
        self.holds = holds
    }

    /// Two settings that are of use together alone.
    private static func together(_ first: any SettingDeclaration, _ second: any SettingDeclaration) -> SettingRule {
        SettingRule(
            first, second, statement: "\(first.name) and \(second.name) belong together",
            remedy: "give both or neither"
        ) {
            $0.has(first) == $0.has(second)
        }
    }

    /// Two ways to say one thing.
    private static func either(_ first: any SettingDeclaration, _ second: any SettingDeclaration) -> SettingRule {
        SettingRule(
            first, second, statement: "\(first.name) and \(second.name) exclude each other", remedy: "keep one of them"
        ) {
            !($0.has(first) && $0.has(second))
        }
    }

    /// Every rule, in the order in which they are told.
    static let all: [SettingRule] = [
        .either(SettingsTable.redisPassword, SettingsTable.redisPasswordFile),
        SettingRule(
            SettingsTable.redisURL, SettingsTable.redisPassword, SettingsTable.redisPasswordFile,
            statement: "the password for Redis is given once", remedy: "take it out of redis-url"
        ) {
            $0.value(SettingsTable.redisURL).password == nil
                || !($0.has(SettingsTable.redisPassword) || $0.has(SettingsTable.redisPasswordFile))
        },
        .together(SettingsTable.redisCertFile, SettingsTable.redisKeyFile),
        SettingRule(
            SettingsTable.redisCAFile, SettingsTable.redisCertFile, SettingsTable.redisURL,
            statement: "certificates are of use with a rediss:// or rediss-sentinel:// URL alone",
            remedy: "write one in redis-url, or take the files out"
        ) {
            !($0.has(SettingsTable.redisCAFile) || $0.has(SettingsTable.redisCertFile))
                || $0.value(SettingsTable.redisURL).usesTLS
        },
        SettingRule(
            SettingsTable.redisURL,
            statement: "the database of Redis is 0, because all its databases share their channels",
            remedy: "take the database out of redis-url, and give each feed a Redis of its own"
        ) {
            $0.value(SettingsTable.redisURL).database == 0
        },
        .either(SettingsTable.adminToken, SettingsTable.adminTokenFile),
        .together(SettingsTable.tlsCertFile, SettingsTable.tlsKeyFile),
        SettingRule(
            SettingsTable.tlsClientCAFile, SettingsTable.tlsCertFile,
            statement: "tls-client-ca-file is of use with tls-cert-file alone", remedy: "give tls-cert-file, or neither"
        ) {
            !$0.has(SettingsTable.tlsClientCAFile) || $0.has(SettingsTable.tlsCertFile)
        },
        SettingRule(
            for: [.issuer], SettingsTable.adminListen, SettingsTable.adminTokenFile, SettingsTable.adminToken,
            SettingsTable.tlsClientCAFile,
            statement: "an issuer's administration that other machines can reach needs a credential",
            remedy: "set admin-token-file or tls-client-ca-file, or listen on 127.0.0.1 or a unix socket"
        ) {
            $0.value(SettingsTable.adminListen).allSatisfy(\.isLocal) || $0.has(SettingsTable.adminTokenFile)
                || $0.has(SettingsTable.adminToken) || $0.has(SettingsTable.tlsClientCAFile)
        },
        SettingRule(
            for: [.issuer], SettingsTable.accessTTL, SettingsTable.refreshTTL,
            statement: "an access token lives no longer than a refresh token",
            remedy: "shorten access-ttl or lengthen refresh-ttl"
        ) {
            $0.value(SettingsTable.accessTTL) <= $0.value(SettingsTable.refreshTTL)
        },
        SettingRule(
            for: [.issuer], SettingsTable.redisURL, SettingsTable.fence,
            statement: "a Redis that sentinels watch has a fence of 3s at least, and any other has 3s at least or none",
            remedy: "set fence to min-replicas-max-lag of the Redis and two seconds"
        ) {
            let fence = $0.value(SettingsTable.fence)
            return fence >= .seconds(3)
                || fence == .zero && !$0.value(SettingsTable.redisURL).location.isFoundBySentinels
        },
        SettingRule(
            for: [.issuer], SettingsTable.issuers, SettingsTable.nodeID,
            statement: "issuers names every issuer, this one too", remedy: "add this node-id to issuers"
        ) {
            $0.optional(SettingsTable.issuers)?.contains($0.value(SettingsTable.nodeID)) ?? true
        },
        SettingRule(
            for: [.issuer], SettingsTable.feedPreviousSecretFile, SettingsTable.feedSecretFile,
            statement: "a previous secret of the feed goes with a current one",
            remedy: "give feed-secret-file, or take feed-previous-secret-file out"
        ) {
            !$0.has(SettingsTable.feedPreviousSecretFile) || $0.has(SettingsTable.feedSecretFile)
        },
        SettingRule(
            for: [.issuer], SettingsTable.feedUnsealed, SettingsTable.feedSecretFile,
            statement: "entries without a seal are dropped only with a secret that makes seals",
            remedy: "give feed-secret-file, or take feed-unsealed out"
        ) {
            $0.value(SettingsTable.feedUnsealed) == .keep || $0.has(SettingsTable.feedSecretFile)
        },
        SettingRule(
            for: [.validator], SettingsTable.jwksURL, SettingsTable.jwksFile,
            statement: "a validator takes its keys from exactly one of jwks-url and jwks-file",
            remedy: "give one of them"
        ) {
            $0.has(SettingsTable.jwksURL) != $0.has(SettingsTable.jwksFile)
        },
        SettingRule(
            for: [.validator], SettingsTable.jwksCAFile, SettingsTable.jwksURL,
            statement: "jwks-ca-file is of use with an https jwks-url alone",
            remedy: "write https:// in jwks-url, or take jwks-ca-file out"
        ) {
            !$0.has(SettingsTable.jwksCAFile) || $0.optional(SettingsTable.jwksURL)?.isSecure == true
        },
        SettingRule(
            SettingsTable.lease, SettingsTable.renewInterval,
            statement: "a lease lasts at least two renewals", remedy: "lengthen lease or shorten renew-interval"
        ) {
            $0.value(SettingsTable.lease) >= $0.value(SettingsTable.renewInterval) * 2
        },
        SettingRule(
            SettingsTable.listen, SettingsTable.adminListen,
            statement: "listen and admin-listen are different addresses", remedy: "change one of them"
        ) {
            Set($0.value(SettingsTable.listen)).isDisjoint(
                with: $0.value(SettingsTable.adminListen).filter { $0.port != 0 })
        },
    ]
}

extension Endpoint {
    /// Whether this machine alone can connect there: a unix socket, or a loopback address (RFC 6890 §2.2).
    package var isLocal: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _): host == "localhost" || host == "::1" || host.isLoopbackIPv4
        }
    }

    fileprivate var port: UInt16? {
        if case .tcp(_, let port) = self { port } else { nil }
    }
}

extension String {
    /// 127.0.0.0/8, spelled as four decimal numbers. A name that only begins so, `127.0.0.1.example`, is no address.
    fileprivate var isLoopbackIPv4: Bool {
        let parts = split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { UInt8($0) != nil && $0.utf8.allSatisfy { $0 != UInt8(ascii: "+") } }
    }
}
