import Glibc
import Logging
import QuashLoop
import QuashRedis

/// Every setting there is: the one place from which flags, environment variables, YAML keys, help and documentation
/// come.
///
/// Why an own table: swift-configuration cannot tell of a key that nobody asked for, so a mistyped one would be ignored
/// in silence, and its YAML support brings all of Foundation: 18 MB resident and a binary of 61 MB, against 9.5 MB and
/// 15 MB with swift-argument-parser and swift-log alone.
package enum SettingsTable {
    static let variablePrefix = "QUASH_"

    // MARK: Where settings come from

    static let config = Setting(
        "config", .file, places: .outsideFile, "The YAML file with further settings.")

    // MARK: Redis

    static let redisURL = Setting(
        "redis-url", .redisURL, default: .text("redis://127.0.0.1:6379/0"),
        "The Redis that carries the feed. `rediss://` speaks TLS; `unix:///path?db=0` is a socket; "
            + "`redis-sentinel://host,host/master-name` asks sentinels for the master.")
    static let redisPassword = Setting(
        "redis-password", .secret(.password), places: .environmentAlone, "The password for Redis itself.")
    static let redisPasswordFile = Setting(
        "redis-password-file", .secretFile(.password), "The file with the password for Redis.")
    static let redisCAFile = Setting(
        "redis-ca-file", .file, "Certificates of the authorities that may vouch for Redis; the system's when not given."
    )
    static let redisCertFile = Setting(
        "redis-cert-file", .file, "The certificate shown to a Redis that asks for one.")
    static let redisKeyFile = Setting(
        "redis-key-file", .file, "The private key of `redis-cert-file`.")

    // MARK: Listening

    static let listen = Setting(
        "listen", .endpoints, default: .perRole(issuer: "127.0.0.1:8080", validator: "127.0.0.1:8081"),
        "Where the issuer's clients, or the validator's gateways, connect.")
    static let adminListen = Setting(
        "admin-listen", .endpoints, default: .perRole(issuer: "127.0.0.1:9080", validator: "127.0.0.1:9081"),
        "Where health, metrics and the issuer's administration are.")
    static let adminToken = Setting(
        "admin-token", .secret(.bearer), places: .environmentAlone,
        "The bearer credential of the administration itself.")
    static let adminTokenFile = Setting(
        "admin-token-file", .secretFile(.bearer),
        "The file with the bearer credential of the administration.")
    static let tlsCertFile = Setting(
        "tls-cert-file", .file, "The certificate chain of the listeners; plain HTTP when not given.")
    static let tlsKeyFile = Setting(
        "tls-key-file", .file, "The private key of `tls-cert-file`.")
    static let tlsClientCAFile = Setting(
        "tls-client-ca-file", .file,
        "Authorities of clients: administrators, and a validator's gateways, must then show a certificate of theirs.")

    // MARK: Tokens

    static let signingKeyFile = Setting(
        "signing-key-file", roles: [.issuer], .signingKeyFile, default: .required, reloadable: true,
        "Private RSA keys in PEM (`quash keys generate`): the first signs, all are published.")
    static let issuerURL = Setting(
        "issuer-url", .issuerName, "The issuer's name, `iss` in its tokens. A validator that has it accepts no other.")
    static let audience = Setting(
        "audience", .names,
        "Who the tokens are for, `aud`. A validator that has it accepts only tokens for one of these.")
    static let accessTTL = Setting(
        "access-ttl", roles: [.issuer], .duration(.seconds(1) ... .days(1)), default: .text("15m"),
        "How long an access token is valid.")
    static let refreshTTL = Setting(
        "refresh-ttl", roles: [.issuer], .duration(.seconds(1) ... .days(30)), default: .text("7d"),
        "How long a refresh token is valid.")
    static let rotationGrace = Setting(
        "rotation-grace", roles: [.issuer], .duration(.zero ... .seconds(60)), default: .text("10s"),
        "How long a client may repeat a refresh whose answer it did not get.")
    static let outboxFile = Setting(
        "outbox-file", roles: [.issuer], .ownFile, default: .required,
        "Where the issuer keeps its own record of revocations, on a disk that survives it; made when it is not there.")
    static let issuers = Setting(
        "issuers", roles: [.issuer], .names,
        "The `node-id` of every issuer of this feed; only itself when not given. A feed that lost its data is restored "
            + "from all of them before any lease is granted.")
    static let feedSecretFile = Setting(
        "feed-secret-file", roles: [.issuer], .secretFile(.bearer),
        "The file with a secret that all issuers of this feed share: with it they seal what they write, and count what "
            + "carries no seal of theirs.")
    static let feedPreviousSecretFile = Setting(
        "feed-previous-secret-file", roles: [.issuer], .secretFile(.bearer),
        "The file with the secret before or after it, whose seals are recognised too.")
    static let feedUnsealed = Setting(
        "feed-unsealed", roles: [.issuer], SettingSyntax<UnsealedEntries>.choice, default: .text("keep"),
        "What an issuer does with entries that carry no seal: `keep` mirrors and restores them as all others, `drop` "
            + "does not, so that what others wrote is gone with this Redis. `drop` needs all issuers to seal.")
    static let clientsFile = Setting(
        "clients-file", roles: [.issuer], .file, reloadable: true,
        "The clients that may introspect tokens, and their credentials.")
    static let jwksURL = Setting(
        "jwks-url", roles: [.validator], .url, "Where the issuer publishes its keys.")
    static let jwksFile = Setting(
        "jwks-file", roles: [.validator], .keySetFile, reloadable: true, "The issuer's keys, as an RFC 7517 set.")
    static let jwksCAFile = Setting(
        "jwks-ca-file", roles: [.validator], .file,
        "Certificates of the authorities that may vouch for `jwks-url`; the system's when not given.")

    // MARK: Size

    static let nodeID = Setting(
        "node-id", .identifier, default: .machine(words: "host name") { hostName() },
        "The name of this node in `quash nodes` and in receipts.")
    static let loops = Setting(
        "loops", roles: [.validator], .integer(1...256),
        default: .machine(words: "usable cores") { "\(Loop.availableParallelism)" },
        "Event loops that decide requests, each on a thread of its own.")
    static let maxRevocations = Setting(
        "max-revocations", .integer(1000...1_000_000_000), default: .text("10000000"),
        "Revocations that the index may hold, about 28 bytes each. A node that would need more refuses tokens up to "
            + "five minutes before they expire, instead of keeping what revokes these; if that is not enough, all."
    )

    static let tokenCache = Setting(
        "token-cache", roles: [.validator], .integer(0...16_777_216), default: .text("32768"),
        "Verified tokens that each loop remembers, about 1 KiB each; 0 verifies each token every time.")

    // MARK: Time

    static let lease = Setting(
        "lease", .duration(.milliseconds(100) ... .minutes(5)), default: .text("5s"),
        "How long a validator may decide after it last heard the feed.")
    static let renewInterval = Setting(
        "renew-interval", .duration(.milliseconds(20) ... .minutes(1)), default: .text("1s"),
        "Time between two renewals of the lease.")
    static let fence = Setting(
        "fence", roles: [.issuer], .duration(.zero ... .minutes(5)), default: .text("0s"),
        "How long a Redis master that was replaced may go on serving: `min-replicas-max-lag` and two seconds.")
    static let clockSkew = Setting(
        "clock-skew", .duration(.zero ... .minutes(5)), default: .text("0s"),
        "How far the clocks of issuer and validators may differ: added to every expiry.")
    static let maxClockDeviation = Setting(
        "max-clock-deviation", .duration(.milliseconds(100) ... .minutes(5)), default: .text("1s"),
        "How far the civil clock of a node may be from that of Redis. One that is further off decides nothing.")
    static let issueTolerance = Setting(
        "issue-tolerance", .duration(.zero ... .seconds(60)), default: .text("5s"),
        "How far ahead of a node's clock a token may be dated. Revocations by issue time cover another issuer's tokens "
            + "for that much longer. The same on every node; lower it only while no token is revoked by issue time.")
    static let drain = Setting(
        "drain", .duration(.zero ... .minutes(5)), default: .text("5s"),
        "How long requests in flight may take to finish after SIGTERM.")

    // MARK: Logs

    static let logLevel = Setting(
        "log-level", SettingSyntax<Logger.Level>.choice, default: .text("info"), reloadable: true,
        "The least severe messages that are logged.")
    static let logFormat = Setting(
        "log-format", SettingSyntax<LogFormat>.choice, default: .text("auto"),
        "JSON lines or text; `auto` writes text on a terminal.")

    /// In the order of the documentation.
    package static let all: [any SettingDeclaration] = [
        config,
        redisURL, redisPassword, redisPasswordFile, redisCAFile, redisCertFile, redisKeyFile,
        listen, adminListen, adminToken, adminTokenFile, tlsCertFile, tlsKeyFile, tlsClientCAFile,
        signingKeyFile, issuerURL, audience, accessTTL, refreshTTL, rotationGrace, outboxFile, issuers,
        feedSecretFile, feedPreviousSecretFile, feedUnsealed, clientsFile,
        jwksURL, jwksFile, jwksCAFile,
        nodeID, loops, maxRevocations, tokenCache,
        lease, renewInterval, fence, clockSkew, maxClockDeviation, issueTolerance, drain,
        logLevel, logFormat,
    ]

    /// The setting of this name.
    static func setting(named name: String) -> (any SettingDeclaration)? {
        all.first { $0.name == name }
    }
}

/// gethostname(2), with its domain where it has one; empty when the call fails.
private func hostName() -> String {
    // HOST_NAME_MAX is 64 on Linux; the last byte stays zero whatever the call does.
    var buffer = [CChar](repeating: 0, count: 65)
    // SAFETY: gethostname(2) writes at most the given count of bytes behind the pointer.
    guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
    let name = buffer.prefix { $0 != 0 }
    return String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension Duration {
    fileprivate static func minutes(_ count: Int64) -> Duration { .seconds(count * 60) }
    fileprivate static func days(_ count: Int64) -> Duration { .seconds(count * 86_400) }
}
