import Glibc
import Logging
import QuashCrypto
import QuashHTTP
import QuashLoop
import QuashProcess
import QuashServer

/// Everything that the demo runs: a private Redis, an issuer, three validators and, where nginx is installed, nginx in
/// front of the first with a small application behind it. All of it on loopback and in a temporary folder, for this
/// process's time.
final class DemoFleet {
    static let validatorCount = 3

    let redis: DemoRedis
    let issuer: Issuer
    private(set) var validators: [ValidatorNode] = []
    /// The address of nginx; nil when it is not installed.
    let nginxAddress: String?
    let adminToken: String
    private let folder: TemporaryFolder
    private let nginx: ChildProcess?
    private let validatorArguments: [String]
    private let log: Logger
    private let application: DemoApplication

    init(log: Logger) throws {
        folder = try TemporaryFolder()
        redis = try DemoRedis(folder: folder)
        adminToken = Random.bytes(24).reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
        try SecretFile.create(path: folder.path("signing.pem"), contents: try RSAPrivateKey.generate().pem)
        let common = [
            "--redis-url", redis.url, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain", "1s",
            // Short enough to see a lease end.
            "--lease", "2s", "--renew-interval", "400ms",
        ]
        issuer = try Issuer(
            IssuerConfiguration(
                arguments: common + [
                    "--signing-key-file", folder.path("signing.pem"), "--outbox-file", folder.path("outbox"),
                    "--node-id", "issuer",
                ],
                environment: ["QUASH_ADMIN_TOKEN": adminToken]),
            log: log)
        let keys = "http://\(issuer.addresses[0])/.well-known/jwks.json"
        validatorArguments = common + ["--jwks-url", keys, "--loops", "1"]
        self.log = log
        let first = try Self.validator(1, validatorArguments, log)
        validators = [first]
        application = try DemoApplication()
        (nginx, nginxAddress) = try Self.startNginx(
            in: folder, validator: first.addresses[0], application: application.address)
        while validators.count < Self.validatorCount { try addValidator() }
    }

    /// Starts one more validator.
    func addValidator() throws {
        validators.append(try Self.validator(validators.count + 1, validatorArguments, log))
    }

    private static func validator(_ number: Int, _ arguments: [String], _ log: Logger) throws -> ValidatorNode {
        try ValidatorNode(
            ValidatorConfiguration(arguments: arguments + ["--node-id", "validator-\(number)"], environment: [:]),
            log: log)
    }

    /// Ends everything, the processes included.
    func stop() {
        nginx?.kill()
        for validator in validators { validator.stop() }
        issuer.stop()
        redis.kill()
    }

    /// Waits until everything can do its work.
    func waitUntilReady() throws {
        guard poll(within: .seconds(20), { issuer.isReady && validators.allSatisfy(\.isReady) }) else {
            throw ProcessFailure("the issuer and the validators do not become ready")
        }
    }

    /// Starts nginx with the configuration that is shipped for gateways, its addresses replaced.
    private static func startNginx(
        in folder: TemporaryFolder, validator: String, application: String
    ) throws -> (ChildProcess?, String?) {
        let places: [String] = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        let program = places.first { path in unsafe access(path, X_OK) == 0 }
        guard let program else { return (nil, nil) }
        let address = folder.path("nginx.sock")
        var text = String(decoding: PackageResources.nginx_conf, as: UTF8.self)
        for (shipped, here) in [
            ("server validator-1:8081 max_fails=1 fail_timeout=1s;", "server \(validator);"),
            ("server validator-1:8081 max_fails=0 backup;", "server \(validator) backup;"),
            ("server application:8090;", "server \(application);"),
            ("listen 8000;", "listen unix:\(address);"),
        ] {
            guard text.contains(shipped) else { throw ProcessFailure("the nginx configuration has no «\(shipped)»") }
            text = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                line.hasSuffix(shipped) ? line.dropLast(shipped.count) + here : line
            }.joined(separator: "\n")
        }
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(folder.path($0));" }
        text = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line == "http {" ? "http {\n\(paths.joined(separator: "\n"))" : String(line)
        }.joined(separator: "\n")
        let file = try folder.write("nginx.conf", text)
        let child = try ChildProcess([
            program, "-p", folder.path, "-e", folder.path("nginx.log"), "-c", file, "-g",
            "daemon off; master_process off; pid \(folder.path("nginx.pid"));",
        ])
        guard poll(within: .seconds(10), { unsafe access(address, F_OK) == 0 }) else {
            throw ProcessFailure(
                "nginx does not start: \(child.output)\(TemporaryFolder.read(folder.path("nginx.log")))")
        }
        return (child, address)
    }
}

/// A redis-server of the demo's own, on a unix socket, with an append-only file.
final class DemoRedis {
    private let folder: TemporaryFolder
    private let socket: String
    private var process: ChildProcess

    var url: String { "unix://\(socket)" }

    init(folder: TemporaryFolder) throws {
        self.folder = folder
        socket = folder.path("redis.sock")
        process = try Self.start(folder, socket)
    }

    /// SIGKILL: no time to say goodbye, nor to write anything down.
    func kill() { process.kill() }

    /// Starts it again on the data that it had, or without.
    func start(withoutData: Bool = false) throws {
        if withoutData { TemporaryFolder.remove(folder.path("appendonlydir")) }
        process = try Self.start(folder, socket)
    }

    private static func start(_ folder: TemporaryFolder, _ socket: String) throws -> ChildProcess {
        TemporaryFolder.remove(socket)
        let process = try ChildProcess([
            "redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder.path, "--appendonly", "yes",
            "--save", "", "--maxmemory-policy", "noeviction",
        ])
        guard poll(within: .seconds(10), { unsafe access(socket, F_OK) == 0 || !process.isRunning }), process.isRunning
        else { throw ProcessFailure("redis-server does not start: \(process.output)") }
        return process
    }
}

/// What stands behind nginx: it answers who it was told is asking.
final class DemoApplication {
    private let server: HTTPServerThread
    var address: String { server.address }

    init() throws {
        server = try HTTPServerThread(name: "demo-app", at: .tcp(host: "127.0.0.1", port: 0)) { Greeting() }
    }

    private final class Greeting: HTTPResponder {
        func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int { 0 }

        func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
            exchange.send(.ok, text: "hello \(request.firstValue(of: "x-auth-subject")?.text ?? "stranger")\n")
        }
    }
}
