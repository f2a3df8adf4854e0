import Glibc
import QuashCrypto
import QuashHTTP
import QuashJSON
import TestSupport

/// A redis-server with a password, an issuer and validators, each a process of its own as an operator starts it, which
/// log everything as JSON.
final class OperatedFleet {
    static let adminToken = "5f1d6c1e8a0b4c7794d2adf3-credential"
    static let redisPassword = "pw-3c9a1f7e5b2d4860"
    static let clientSecret = "cs-94e1b7d2c6a8f305"
    static let client = "web"

    /// A process that serves.
    struct Role {
        let name: String
        let process: ChildProcess
        /// `host:port` of what clients or gateways ask, and of the administration.
        let address: String
        let adminAddress: String
        let isSecure: Bool
    }

    let folder: TemporaryFolder
    let redis: RedisServer
    let web: Web
    private(set) var issuer: Role
    private(set) var validators: [Role] = []
    private var stopped: [Role] = []

    /// - Parameter secure: whether the last validator's listeners speak TLS.
    /// - Parameter isOpen: whether the administration asks for no credential.
    init(validators count: Int, secure: Bool = false, lease: String = "2s", isOpen: Bool = false) throws {
        folder = try TemporaryFolder()
        redis = try RedisServer.start(
            RedisServer.Options(users: ["user quash on >\(Self.redisPassword) ~* &* +@all"]))
        let digest = SHA256.digest(of: Array(Self.clientSecret.utf8).span).map {
            ($0 < 16 ? "0" : "") + String($0, radix: 16)
        }.joined()
        try folder.write(
            "clients.json", #"{"clients":[{"client_id":"\#(Self.client)","secret_sha256":"\#(digest)"}]}"#)
        try folder.write("signing.pem", TestKeys.privateKey)
        try folder.write("authority.pem", TestCertificates.authority)
        try folder.write("server.pem", TestCertificates.server)
        try folder.write("server.key", TestCertificates.serverKey)
        web = try Web(authorities: folder.path("authority.pem"))
        common = [
            "--redis-url", "unix://quash@\(redis.socketPath)", "--log-format", "json", "--log-level", "debug",
            "--lease",
            lease, "--renew-interval", "500ms", "--drain", "1s",
        ]
        issuerSettings = [
            "--signing-key-file", folder.path("signing.pem"), "--clients-file", folder.path("clients.json"),
            "--outbox-file", folder.path("outbox"), "--node-id", "i1", "--rotation-grace", "0s",
        ]
        issuer = try Self.start("issuer", ["issuer"] + common + issuerSettings, isOpen: isOpen)
        for number in 1...count { try addValidator("v\(number)", isSecure: secure && number == count) }
    }

    private let common: [String]
    private let issuerSettings: [String]

    /// Kills the issuer.
    func killIssuer() {
        issuer.process.kill()
        stopped.append(issuer)
    }

    /// Starts it again, at the same addresses.
    func startIssuer() throws {
        issuer = try Self.start(
            "issuer", ["issuer"] + common + issuerSettings, listen: issuer.address, adminListen: issuer.adminAddress)
    }

    /// Starts one more, or one again that was ended.
    func addValidator(_ name: String, isSecure: Bool = false) throws {
        let keys = ["--jwks-url", "http://\(issuer.address)/.well-known/jwks.json", "--loops", "1", "--node-id", name]
        let tls = ["--tls-cert-file", folder.path("server.pem"), "--tls-key-file", folder.path("server.key")]
        validators.append(
            try Self.start(name, ["validator"] + common + keys + (isSecure ? tls : []), isSecure: isSecure))
    }

    private static func start(
        _ name: String, _ arguments: [String], listen: String = "127.0.0.1:0", adminListen: String = "127.0.0.1:0",
        isSecure: Bool = false, isOpen: Bool = false
    ) throws -> Role {
        let process = try ChildProcess(
            // The program knows each setting that begins with QUASH_.
            ["env", "-u", "QUASH_OPERATIONS", "-u", "QUASH_AXE", Program.path] + arguments
                + ["--listen", listen, "--admin-listen", adminListen],
            environment: ["QUASH_REDIS_PASSWORD": redisPassword]
                .merging(isOpen ? [:] : ["QUASH_ADMIN_TOKEN": adminToken]) { $1 })
        var started: JSONValue?
        poll(within: .seconds(20)) {
            started = process.events.first { $0["event"]?.string?.hasSuffix(".started") == true }
            return started != nil || !process.isRunning
        }
        guard let address = started?["listen"]?.string, let admin = started?["admin"]?.string else {
            throw TestSupportError("\(name) does not start: \(process.output)")
        }
        return Role(name: name, process: process, address: address, adminAddress: admin, isSecure: isSecure)
    }

    /// Kills a validator, so that it gives nothing back.
    func kill(_ name: String) {
        for role in validators where role.name == name {
            role.process.kill()
            stopped.append(role)
        }
        validators.removeAll { $0.name == name }
    }

    /// A canary that asks a validator in the place of a gateway, and serves its metrics.
    func canary(metricsAt address: String) throws -> ChildProcess {
        try ChildProcess(
            [
                Program.path, "canary", "--server", "http://\(issuer.adminAddress)", "--interval", "500ms",
                "--metrics-listen", address, "--gateway", "http://\(validators[0].address)/authz/auth-request",
            ], environment: ["QUASH_ADMIN_TOKEN": Self.adminToken])
    }

    /// Everything that any of them wrote, by name.
    var logs: [(name: String, text: String)] {
        ([issuer] + validators + stopped).map { ($0.name, $0.process.output) }
    }

    func waitUntilReady() throws {
        let isReady = poll(within: .seconds(30)) {
            ([issuer] + validators).allSatisfy { role in
                (try? web.call(.get, "\(role.isSecure ? "https" : "http")://\(role.adminAddress)/readyz").status) == .ok
            }
        }
        guard isReady else { throw TestSupportError("not ready: \(logs)") }
    }

    // MARK: What clients and administrators do

    func admin(_ method: HTTPMethod, _ path: String, _ body: String = "") throws -> HTTPResponse {
        try web.call(
            method, "http://\(issuer.adminAddress)\(path)", fields: ["Authorization": "Bearer \(Self.adminToken)"],
            body: body)
    }

    struct Pair {
        let access: String
        let refresh: String
        let session: String
    }

    func signIn(_ subject: String) throws -> Pair {
        let response = try admin(.post, "/admin/v1/sessions", #"{"sub":"\#(subject)"}"#)
        guard let json = response.json, let access = json["access_token"]?.string,
            let refresh = json["refresh_token"]?.string, let session = json["session"]?.string
        else { throw TestSupportError("sign-in: \(response.status) \(response.text)") }
        return Pair(access: access, refresh: refresh, session: session)
    }

    func refresh(_ token: String) throws -> HTTPResponse {
        try form("/oauth2/token", "grant_type=refresh_token&refresh_token=\(token)")
    }

    func form(_ path: String, _ body: String, fields: FieldLines = [:]) throws -> HTTPResponse {
        var fields = fields
        fields.append("Content-Type", "application/x-www-form-urlencoded")
        return try web.call(.post, "http://\(issuer.address)\(path)", fields: fields, body: body)
    }

    func decide(_ token: String, at role: Role) throws -> HTTPStatus {
        try web.call(
            .get, "\(role.isSecure ? "https" : "http")://\(role.address)/authz/auth-request",
            fields: ["Authorization": "Bearer \(token)"]
        ).status
    }

    /// Revokes a session, and waits until that is confirmed.
    func revokeAndConfirm(_ session: String) throws {
        let response = try admin(
            .post, "/admin/v1/revocations", #"{"session":"\#(session)","wait":"confirmed","timeout":"20s"}"#)
        guard response.json?["status"]?.string == "confirmed" else {
            throw TestSupportError("not confirmed: \(response.status) \(response.text)")
        }
    }
}

extension ChildProcess {
    /// The lines of its log.
    var events: [JSONValue] {
        output.split(separator: "\n").compactMap { line in
            let bytes = Array(line.utf8)
            return try? JSONValue(parsing: bytes.span)
        }
    }
}

/// The built `quash`, which lies beside the program that runs the tests.
enum Program {
    static let path: String = {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            // SAFETY: readlink(2) writes at most the given count of bytes, and says how many.
            unsafe readlink("/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        let own = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        return own.lastIndex(of: "/").map { own[...$0] + "quash" } ?? "quash"
    }()
}
