import Glibc
import QuashHTTP
import QuashJSON
import QuashLoop
import TestSupport

/// An issuer and validators as real processes, whose way to the issuer's keys is counted.
final class KeyFleet {
    let quash: QuashProgram
    let keys: CountedKeys
    let issuer: ChildProcess
    let validators: [ChildProcess]
    let client: BlockingHTTPClient
    let redis: RedisServer
    private let environment: [String: String]

    init(validators count: Int, accessTTL: String = "15m") throws {
        quash = try QuashProgram()
        redis = try RedisServer.start()
        client = try BlockingHTTPClient()
        let folder = quash.folder
        environment = [
            "QUASH_SIGNING_KEY_FILE": folder.path("signing.pem"), "QUASH_SERVER": "unix:\(folder.path("admin"))",
            "QUASH_ADMIN_TOKEN_FILE": try folder.write("token", "0123456789abcdef0123456789abcdef"),
        ]
        guard try quash(["keys", "generate"], environment: environment).exit == .code(0) else {
            throw TestSupportError("no key is generated")
        }
        issuer = try ChildProcess(
            [
                QuashProgram.path, "issuer", "--redis-url", redis.url, "--listen", "unix:\(folder.path("issuer"))",
                "--admin-listen", "unix:\(folder.path("admin"))", "--outbox-file", folder.path("outbox"),
                "--access-ttl", accessTTL, "--log-format", "text",
            ], environment: environment)
        keys = try CountedKeys(of: folder.path("issuer"))
        let (url, redisURL) = (keys.url, redis.url)
        validators = try (0..<count).map { number in
            try ChildProcess([
                QuashProgram.path, "validator", "--redis-url", redisURL, "--jwks-url", url, "--node-id", "v\(number)",
                "--loops", "1", "--listen", "unix:\(folder.path("gateway-\(number)"))", "--admin-listen",
                "unix:\(folder.path("health-\(number)"))", "--log-format", "text",
            ])
        }
        let health = ["admin"] + (0..<count).map { "health-\($0)" }
        let isReady = try poll(within: .seconds(20)) {
            try health.allSatisfy { try quash("healthcheck", "--server", "unix:\(folder.path($0))").exit == .code(0) }
        }
        guard isReady else { throw TestSupportError("not ready: \(issuer.output)\(validators.map(\.output))") }
    }

    /// Runs a command that must succeed.
    @discardableResult
    func run(_ arguments: String...) throws -> QuashProgram.Result {
        let result = try quash(arguments + ["-o", "json"], environment: environment)
        guard result.exit == .code(0) else { throw TestSupportError("\(arguments): \(result.errors)") }
        return result
    }

    /// The names of the keys in the issuer's file; the first signs.
    var keyIDs: [String] {
        get throws { try (run("keys", "list").json?["keys"]?.array ?? []).compactMap { $0["kid"]?.string } }
    }

    /// A new pair of tokens of a subject.
    func signIn(_ subject: String) throws -> (access: String, refresh: String) {
        let answer = try post(
            "admin", "/admin/v1/sessions", body: "{\"sub\":\"\(subject)\"}",
            fields: [
                "Authorization": "Bearer 0123456789abcdef0123456789abcdef", "Content-Type": "application/json",
            ])
        guard let json = try? JSONValue(parsing: answer.body.span), let access = json["access_token"]?.string,
            let refresh = json["refresh_token"]?.string
        else { throw TestSupportError("no tokens: \(answer.status)") }
        return (access, refresh)
    }

    /// Sends to one of the issuer's sockets.
    func post(_ socket: String, _ target: String, body: String, fields: FieldLines) throws -> HTTPResponse {
        let url = HTTPURL(endpoint: .unix(path: quash.folder.path(socket)), target: target)
        return try client.send(HTTPClient.Request(.post, url, fields: fields, body: Array(body.utf8)))
    }

    /// What each validator says to a token, asked once.
    func decisions(_ token: String) throws -> [Int] {
        try validators.indices.map { number in
            let url = HTTPURL(
                endpoint: .unix(path: quash.folder.path("gateway-\(number)")), target: "/authz/auth-request")
            let request = HTTPClient.Request(.get, url, fields: ["Authorization": "Bearer \(token)"])
            return try client.send(request).status.code
        }
    }

    /// Whether every validator's latest key set is of exactly these keys.
    func allHave(_ keyIDs: [String]) -> Bool {
        validators.allSatisfy { validator in
            let line = validator.output.split(separator: "\n").last { $0.contains("keys loaded") } ?? ""
            // Nothing comes after the names.
            let names = line.split(separator: "kids=").dropFirst().first?.split(separator: " ") ?? []
            return Set(names.map(String.init)) == Set(keyIDs)
        }
    }
}

/// Stands between validators and the issuer's key set, and counts who comes.
final class CountedKeys {
    let fetches = Recorder<Void>()
    private let server: HTTPServerThread

    var url: String { "http://\(server.address)/.well-known/jwks.json" }

    init(of socket: String) throws {
        let client = try BlockingHTTPClient()
        server = try HTTPServerThread(name: "keys", at: .tcp(host: "127.0.0.1", port: 0)) { [fetches] in
            Responder(socket: socket, client, fetches)
        }
    }

    private final class Responder: HTTPResponder {
        private let socket: String
        private let client: BlockingHTTPClient
        private let fetches: Recorder<Void>

        init(socket: String, _ client: BlockingHTTPClient, _ fetches: Recorder<Void>) {
            self.socket = socket
            self.client = client
            self.fetches = fetches
        }

        func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int { 0 }

        func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
            fetches.record(())
            let url = HTTPURL(endpoint: .unix(path: socket), target: "/.well-known/jwks.json")
            guard let answer = try? client.send(HTTPClient.Request(.get, url)) else {
                return exchange.send(.serviceUnavailable)
            }
            exchange.send(answer.status, body: answer.body)
        }
    }
}
