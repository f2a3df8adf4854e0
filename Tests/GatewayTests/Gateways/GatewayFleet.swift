import Glibc
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT
import QuashLoop
import TestSupport

/// A Redis, an issuer and validators, each a process of its own, as they stand behind a gateway.
final class GatewayFleet {
    private static let adminToken = "0123456789abcdef0123456789abcdef"

    let redis: RedisServer
    let validators: [ValidatorProcess]
    private let folder: TemporaryFolder
    private let issuer: ChildProcess
    private let admin: Endpoint
    private let client: BlockingHTTPClient

    /// - Parameters:
    ///   - settings: more flags for the validators.
    ///   - isUnix: whether they listen on unix sockets.
    init(validators count: Int = 1, settings: [String] = [], isUnix: Bool = false) throws {
        folder = try TemporaryFolder()
        client = try BlockingHTTPClient()
        redis = try RedisServer.start()
        try SecretFile.create(path: folder.path("signing.pem"), contents: Array(TestKeys.privateKey.utf8))
        let keys = try KeySet([JSONWebKey(RSAPublicKey(pem: TestKeys.publicKey))]).serialized()
        let keyFile = try folder.write("keys.json", bytes: keys)
        admin = .unix(path: folder.path("admin.sock"))
        issuer = try Self.quash(
            [
                "issuer", "--redis-url", redis.url, "--listen", "unix:\(folder.path("issuer.sock"))", "--admin-listen",
                "\(admin)", "--signing-key-file", folder.path("signing.pem"), "--outbox-file", folder.path("outbox"),
                "--node-id", "issuer",
            ], environment: ["QUASH_ADMIN_TOKEN": Self.adminToken])
        var validators: [ValidatorProcess] = []
        for number in 1...count {
            let endpoint: Endpoint =
                isUnix
                ? .unix(path: folder.path("validator-\(number).sock")) : .tcp(host: "127.0.0.1", port: try freePort())
            validators.append(
                try ValidatorProcess(
                    at: endpoint, admin: folder.path("validator-\(number)-admin.sock"),
                    arguments: [
                        "--redis-url", redis.url, "--jwks-file", keyFile, "--node-id", "validator-\(number)", "--loops",
                        "1",
                    ] + settings, client: client))
        }
        self.validators = validators
        for validator in validators { try validator.waitUntilReady() }
        // What can be published to is also signed for; the answer comes when the issuer is ready.
        guard poll(within: .seconds(20), { (try? signIn("nobody")) != nil }) else {
            throw TestSupportError("the issuer does not become ready: \(issuer.output)")
        }
    }

    /// The program; what asks for these tests is no setting of it.
    static func quash(_ arguments: [String], environment: [String: String] = [:]) throws -> ChildProcess {
        let program = Environment.program ?? BuiltProgram.path("quash")
        return try ChildProcess(
            ["env"] + Environment.variables.flatMap { ["-u", $0] } + [program] + arguments, environment: environment)
    }

    var endpoints: [Endpoint] { validators.map(\.endpoint) }

    struct Session {
        let access: String
        let name: String
        let subject: String
    }

    func signIn(_ subject: String, scope: String? = nil) throws -> Session {
        let scope = scope.map { #","scope":"\#($0)""# } ?? ""
        let response = try administer("/admin/v1/sessions", #"{"sub":"\#(subject)"\#(scope)}"#)
        guard response.status == .ok, let json = try? JSONValue(parsing: response.body.span),
            let access = json["access_token"]?.string, let session = json["session"]?.string
        else { throw TestSupportError("sign-in: \(response.status)") }
        return Session(access: access, name: session, subject: subject)
    }

    /// Ends a session; returns when that is stored.
    func revoke(_ session: Session) throws {
        let response = try administer("/admin/v1/revocations", #"{"session":"\#(session.name)"}"#)
        guard response.status == .created else { throw TestSupportError("revoke: \(response.status)") }
    }

    /// `quash canary`, with a line of JSON for each round.
    func canary(through port: UInt16, _ arguments: [String]) throws -> ChildProcess {
        try Self.quash(
            ["canary", "--server", "\(admin)", "--gateway", "http://127.0.0.1:\(port)/", "-o", "json"] + arguments,
            environment: ["QUASH_ADMIN_TOKEN": Self.adminToken])
    }

    private func administer(_ path: String, _ body: String) throws -> HTTPResponse {
        try client.send(
            HTTPClient.Request(
                .post, HTTPURL(endpoint: admin, target: path), fields: ["Authorization": "Bearer \(Self.adminToken)"],
                body: Array(body.utf8), timeout: .seconds(5)))
    }
}

/// One validator, at one address over all its lives.
final class ValidatorProcess {
    let endpoint: Endpoint
    private let admin: Endpoint
    private let arguments: [String]
    private let client: BlockingHTTPClient
    private var process: ChildProcess

    init(at endpoint: Endpoint, admin: String, arguments: [String], client: BlockingHTTPClient) throws {
        self.endpoint = endpoint
        self.admin = .unix(path: admin)
        self.arguments =
            ["validator", "--listen", "\(endpoint)", "--admin-listen", "unix:\(admin)"] + arguments
        self.client = client
        process = try GatewayFleet.quash(self.arguments)
    }

    var isReady: Bool {
        let request = HTTPClient.Request(.get, HTTPURL(endpoint: admin, target: "/readyz"), timeout: .seconds(1))
        return (try? client.send(request).status) == .ok
    }

    func waitUntilReady() throws {
        guard poll(within: .seconds(20), { isReady }) else {
            throw TestSupportError("a validator does not become ready: \(process.output)")
        }
    }

    /// SIGTERM, and waits for its end, which must be an orderly one.
    func end() throws {
        process.signal(SIGTERM)
        let exit = try process.waitForExit(within: .seconds(20))
        guard exit == .code(0) else { throw TestSupportError("a validator ended with \(exit): \(process.output)") }
    }

    func kill() { process.kill() }

    func start() throws { process = try GatewayFleet.quash(arguments) }

    /// SIGSTOP: its sockets take connections, and nothing is answered.
    func pause() {
        process.signal(SIGSTOP)
        // Stopped is state T, after the closing parenthesis of the name: proc(5), /proc/pid/stat.
        poll { TemporaryFolder.read("/proc/\(process.processID)/stat").contains(") T ") }
    }

    func resume() { process.signal(SIGCONT) }
}
