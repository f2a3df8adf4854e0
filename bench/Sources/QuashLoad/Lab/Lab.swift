import Foundation

/// What a run has: a folder, the tokens, a Redis and an issuer of its own, and the peers' files.
///
/// Servers that are measured run on `serverCore`; the load, and what is not on a request's way (the issuer and its
/// Redis), on `loadCore`.
final class Lab {
    static let serverCore = 0
    static let loadCore = 1
    /// Revocations that everyone knows before anything is measured, beside those of tokens that are presented.
    static let otherRevocations = 10_000

    let folder: WorkFolder
    let tokens: TokenStock
    let quash: String
    /// Where the peers' configurations are.
    let peers: String
    /// What the benchmarks built for themselves, such as Python's packages.
    let builds: String
    let adminToken = UUID().uuidString
    /// The identifiers of all tokens that are revoked.
    let revokedIDs: [String]
    private var redis: ServerProcess?
    private var issuer: ServerProcess?
    private(set) var issuerAdmin: Exchange
    let issuerAdminTarget: Target
    private let issuerPort: UInt16

    init(
        quash: String, bench: String, coldCount: Int, folder: WorkFolder, issuerSettings: [String] = []
    ) throws {
        self.folder = folder
        self.quash = quash
        peers = "\(bench)/peers"
        builds = bench
        tokens = try TokenStock(folder: "\(bench)/.build-tokens", coldCount: coldCount, quash: quash)
        revokedIDs = tokens.revoked.map(\.id) + (0..<Self.otherRevocations).map { _ in Self.randomID() }
        issuerPort = try Target.freePort()
        issuerAdminTarget = .tcp(port: try Target.freePort())
        issuerAdmin = Exchange(issuerAdminTarget)
        try startIssuer(issuerSettings)
    }

    private static func randomID() -> String { UUID().uuidString.lowercased() }

    /// A redis-server on a unix socket, nothing kept on disk.
    func startRedis(_ name: String, core: Int) throws -> (process: ServerProcess, socket: String) {
        let socket = folder.path("\(name).sock")
        let process = try ServerProcess(
            name,
            [
                "redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder.path, "--save", "",
                "--appendonly", "no", "--maxmemory-policy", "noeviction",
            ],
            core: core, log: folder.path("\(name).log"))
        try waitUntil(process) { FileManager.default.fileExists(atPath: socket) }
        return (process, socket)
    }

    private func startIssuer(_ settings: [String]) throws {
        let (process, socket) = try startRedis("redis", core: Self.loadCore)
        redis = process
        let adminTokenFile = try folder.write("admin-token", adminToken)
        guard case .tcp(let adminPort) = issuerAdminTarget else { return }
        let issuer = try ServerProcess(
            "issuer",
            [
                quash, "issuer", "--redis-url", "unix://\(socket)", "--listen", "127.0.0.1:\(issuerPort)",
                "--admin-listen", "127.0.0.1:\(adminPort)", "--admin-token-file", adminTokenFile,
                "--signing-key-file", tokens.keyFile, "--outbox-file", folder.path("outbox"), "--node-id", "issuer",
                "--log-level", "warning", "--drain", "0s",
            ] + settings,
            core: Self.loadCore, log: folder.path("issuer.log"))
        self.issuer = issuer
        try waitUntil(issuer) { (try? self.issuerAdmin.get("/readyz").status) == 200 }
    }

    /// A validator of the issuer's feed, with one loop.
    ///
    /// - Returns: the process, and where it listens.
    func startValidator(
        _ name: String, _ settings: [String] = []
    ) throws -> (process: ServerProcess, tcp: Target, unix: Target, admin: Target) {
        let tcp = try Target.freePort()
        let admin = try Target.freePort()
        let unix = folder.path("\(name).sock")
        let process = try ServerProcess(
            name,
            [
                quash, "validator", "--redis-url", "unix://\(folder.path("redis.sock"))",
                "--jwks-url", "http://127.0.0.1:\(issuerPort)/.well-known/jwks.json",
                "--listen", "127.0.0.1:\(tcp)", "--listen", "unix:\(unix)", "--admin-listen", "127.0.0.1:\(admin)",
                "--loops", "1", "--node-id", name, "--log-level", "warning", "--drain", "0s",
            ] + settings,
            core: Self.serverCore, log: folder.path("\(name).log"))
        let health = Exchange(.tcp(port: admin))
        try waitUntil(process) { (try? health.get("/readyz").status) == 200 }
        return (process, .tcp(port: tcp), .unix(path: unix), .tcp(port: admin))
    }

    /// Revokes what everyone is to know, and waits until every validator confirms it.
    func revokeAll() throws {
        let size = 1000
        for start in stride(from: 0, to: revokedIDs.count, by: size) {
            let chunk = revokedIDs[start..<min(start + size, revokedIDs.count)]
            let isLast = start + size >= revokedIDs.count
            let answer = try issuerAdmin.post(
                "/admin/v1/revocations", json: Self.revocations(chunk, wait: isLast ? "confirmed" : "stored"),
                bearer: adminToken)
            guard answer.status == 201 else { throw Failure("revoking: \(answer.status) \(answer.text)") }
        }
    }

    /// Revokes this many tokens that nobody has.
    func revoke(_ count: Int) throws {
        let size = 1000
        for _ in 0..<count / size {
            let answer = try issuerAdmin.post(
                "/admin/v1/revocations", json: Self.revocations((0..<size).map { _ in Self.randomID() }),
                bearer: adminToken)
            guard answer.status == 201 else { throw Failure("revoking: \(answer.status) \(answer.text)") }
        }
    }

    /// The body that revokes tokens by their identifiers.
    static func revocations(_ ids: some Sequence<String>, wait: String = "stored") -> String {
        let list = ids.map { "\"\($0)\"" }.joined(separator: ",")
        return #"{"jti":[\#(list)],"wait":"\#(wait)"}"#
    }

    /// The identifiers of all revoked tokens, a line each.
    func revokedFile(suffix: String = "") throws -> String {
        try folder.write(
            "revoked\(suffix.isEmpty ? "" : ".map")", revokedIDs.map { "\($0)\(suffix)\n" }.joined())
    }

    /// A configuration of a peer's with what is written `@NAME@` replaced, in a folder of the run.
    ///
    /// - Returns: its path.
    func configuration(_ peer: String, _ file: String, _ values: [String: String]) throws -> String {
        let path = "\(peers)/\(peer)/\(file)"
        guard var text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw Failure("\(path) cannot be read")
        }
        for (name, value) in values { text = text.replacingOccurrences(of: "@\(name)@", with: value) }
        return try folder.write("\(peer)-\(file)", text)
    }

    func waitUntil(_ process: ServerProcess, seconds: Double = 20, _ isReady: () -> Bool) throws {
        guard poll(seconds: seconds, { isReady() || !process.isRunning }), process.isRunning else {
            throw Failure("\(process.name) does not start: \(process.lastWords)")
        }
    }

    func stop() {
        issuer?.kill()
        redis?.kill()
    }
}
