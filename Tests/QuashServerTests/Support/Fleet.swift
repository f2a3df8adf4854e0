import Logging
import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport

@testable import QuashServer

/// An issuer, validators and a redis-server of their own, or several that sentinels watch, all real, for one test.
final class Fleet {
    static let adminToken = "0123456789abcdef0123456789abcdef"

    let folder: TemporaryFolder
    let redis: RedisServer
    let web: WebClient
    /// The first, and those that were added.
    private(set) var issuers: [Issuer] = []
    private(set) var validators: [ValidatorNode] = []
    private let issuerSettings: [String]
    private let liveSetInterval: Duration
    private let validatorSettings: [String]

    var issuer: Issuer { issuers[0] }

    /// - Parameters:
    ///   - settings: more flags for every role; `issuerSettings` and `validatorSettings` for those of one.
    ///   - validatorUser: `user:password` of the validators in Redis, and `issuerUser` of the issuers; the default user
    ///     when nil.
    convenience init(
        validators count: Int = 1, redis options: RedisServer.Options = RedisServer.Options(), settings: [String] = [],
        issuerSettings: [String] = [], validatorSettings: [String] = [], validatorUser: String? = nil,
        issuerUser: String? = nil, liveSetInterval: Duration = LiveSetAudit.interval, log: Logger = Fleet.silent
    ) throws {
        let redis = try RedisServer.start(options)
        func url(of user: String?) -> String { user.map { "unix://\($0)@\(redis.socketPath)" } ?? redis.url }
        try self.init(
            validators: count, at: redis, issuerSettings: Self.common(url(of: issuerUser)) + settings + issuerSettings,
            validatorSettings: Self.common(url(of: validatorUser)) + settings + validatorSettings,
            liveSetInterval: liveSetInterval, log: log)
    }

    /// Roles that find their Redis through sentinels; `redis` is the server that is the master at the beginning.
    convenience init(validators count: Int = 1, behind trio: SentinelTrio, log: Logger = Fleet.silent) throws {
        let settings = Self.common(trio.url())
        try self.init(
            validators: count, at: trio.servers[0], issuerSettings: settings + ["--fence", "3s"],
            validatorSettings: settings, log: log)
    }

    private init(
        validators count: Int, at redis: RedisServer, issuerSettings: [String], validatorSettings: [String],
        liveSetInterval: Duration = LiveSetAudit.interval, log: Logger
    ) throws {
        self.liveSetInterval = liveSetInterval
        folder = try TemporaryFolder()
        self.redis = redis
        web = try WebClient()
        self.validatorSettings = validatorSettings
        let keyFile = try Self.writeKey(folder)
        self.issuerSettings = ["--signing-key-file", keyFile] + issuerSettings
        try addIssuer("issuer", log: log)
        for _ in 0..<count { try addValidator(log: log) }
    }

    deinit {
        for validator in validators { validator.stop() }
        for issuer in issuers { issuer.stop() }
    }

    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func common(_ redisURL: String) -> [String] {
        ["--redis-url", redisURL, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain", "1s"]
    }

    private static func writeKey(_ folder: TemporaryFolder) throws -> String {
        let path = folder.path("signing.pem")
        try SecretFile.create(path: path, contents: Array(TestKeys.privateKey.utf8))
        return path
    }

    @discardableResult
    func addValidator(_ settings: [String] = [], log: Logger = Fleet.silent) throws -> ValidatorNode {
        let keys = ["--jwks-url", "http://\(issuer.addresses[0])/.well-known/jwks.json", "--loops", "2"]
        let validator = try ValidatorNode(
            ValidatorConfiguration(arguments: keys + validatorSettings + settings, environment: [:]), log: log)
        validators.append(validator)
        return validator
    }

    /// - Parameter outbox: the name of its outbox in the folder; its own name when nil.
    @discardableResult
    func addIssuer(
        _ name: String, outbox: String? = nil, _ settings: [String] = [], log: Logger = Fleet.silent
    ) throws -> Issuer {
        let own = ["--node-id", name, "--outbox-file", folder.path("outbox-\(outbox ?? name)")]
        let issuer = try Issuer(
            IssuerConfiguration(
                arguments: issuerSettings + own + settings, environment: ["QUASH_ADMIN_TOKEN": Self.adminToken]),
            liveSetInterval: liveSetInterval, log: log)
        issuers.append(issuer)
        return issuer
    }

    /// Stops the issuer that was added last.
    func removeIssuer() { issuers.removeLast().stop() }

    /// Stops the validator that was added last.
    func removeValidator() { validators.removeLast().stop() }

    /// Waits until every issuer and every validator can do its work.
    func waitUntilReady() throws {
        guard poll(within: .seconds(20), { issuers.allSatisfy(\.isReady) && validators.allSatisfy(\.isReady) }) else {
            throw TestSupportError("the fleet does not become ready")
        }
    }

    // MARK: The issuer

    var publicURL: String { "http://\(issuer.addresses[0])" }

    var adminURL: String { "http://\(issuer.adminAddresses[0])" }

    struct Pair {
        let access: String
        let refresh: String
        let session: String
    }

    /// The tokens of an answer of the token endpoint.
    static func tokens(_ response: HTTPResponse) throws -> (access: String, refresh: String) {
        guard response.status == .ok, let json = response.json, let access = json["access_token"]?.string,
            let refresh = json["refresh_token"]?.string
        else { throw TestSupportError("no tokens: \(response.status) \(response.text)") }
        return (access, refresh)
    }

    func signIn(_ subject: String = "alice", more: String = "") throws -> Pair {
        let response = try admin(.post, "/admin/v1/sessions", "{\"sub\":\"\(subject)\"\(more)}")
        guard response.status == .ok, let json = response.json, let access = json["access_token"]?.string,
            let refresh = json["refresh_token"]?.string, let session = json["session"]?.string
        else { throw TestSupportError("sign-in: \(response.status) \(response.text)") }
        return Pair(access: access, refresh: refresh, session: session)
    }

    func admin(
        _ method: HTTPMethod, _ path: String, _ body: String = "", fields: FieldLines = [:], at issuer: Int = 0
    ) throws -> HTTPResponse {
        var fields = fields
        fields.append("Authorization", "Bearer \(Self.adminToken)")
        return try web.call(
            method, "http://\(issuers[issuer].adminAddresses[0])\(path)", fields: fields, body: body)
    }

    func refresh(_ token: String, more: String = "", at issuer: Int = 0) throws -> HTTPResponse {
        try web.form(
            "http://\(issuers[issuer].addresses[0])/oauth2/token",
            "grant_type=refresh_token&refresh_token=\(token)\(more)")
    }

    /// The requests that present each of these refresh tokens.
    func refreshRequests(_ tokens: [String]) throws -> [HTTPClient.Request] {
        let url = try HTTPURL(publicURL + "/oauth2/token")
        return tokens.map { token in
            HTTPClient.Request(
                .post, url, fields: ["Content-Type": "application/x-www-form-urlencoded"],
                body: Array("grant_type=refresh_token&refresh_token=\(token)".utf8), timeout: .seconds(30))
        }
    }

    func logout(_ access: String, body: String = "") throws -> HTTPResponse {
        try web.form(publicURL + "/logout", body, fields: ["Authorization": "Bearer \(access)"])
    }

    /// The sessions of a subject that are alive, as the administration lists them.
    func sessions(of subject: String) throws -> [String] {
        let response = try admin(.get, "/admin/v1/subjects/\(subject)/sessions")
        guard let list = response.json?["sessions"]?.array else {
            throw TestSupportError("sessions: \(response.status) \(response.text)")
        }
        return list.compactMap { $0["session"]?.string }
    }

    /// The keys that the issuer publishes.
    func keySet() throws -> KeySet {
        let document = try web.call(.get, publicURL + "/.well-known/jwks.json").body
        return try KeySet(parsing: document.span)
    }

    /// The `jti` of a token, read without a key.
    func identifier(of token: String) throws -> String {
        let parts = token.split(separator: ".")
        guard parts.count == 3, let payload = Base64URL.decode(String(parts[1])),
            let claims = try? JSONValue(parsing: payload.span), let identifier = claims["jti"]?.string
        else { throw TestSupportError("that is no token") }
        return identifier
    }

    // MARK: The validators

    func decide(
        _ token: String, at validator: Int = 0, path: String = "/authz/auth-request"
    ) throws -> HTTPResponse {
        try web.call(
            .get, "http://\(validators[validator].addresses[0])\(path)", fields: ["Authorization": "Bearer \(token)"])
    }

    func statuses(of token: String) throws -> [Int] {
        try validators.indices.map { try decide(token, at: $0).status.code }
    }

    /// Waits until every validator answers `status` for the token; false when one does not within the limit.
    func allAnswer(_ status: Int, for token: String, within limit: Duration = .seconds(10)) throws -> Bool {
        try poll(within: limit) { try statuses(of: token).allSatisfy { $0 == status } }
    }
}
