import FleetParts
import Foundation

/// An issuer and validators, each a process of the `quash` binary, on unix sockets, at one private Redis.
final class QuashProcesses {
    private static let adminToken = "0123456789abcdef0123456789abcdef"

    let redis: PrivateRedis
    private let folder: Folder
    private let quash: String
    private(set) var issuer: Child!
    private(set) var validators: [ValidatorProcess] = []
    private(set) var admin: HTTPConnection!
    private var started = 0

    init(quash: String, in folder: Folder) throws {
        self.quash = quash
        self.folder = folder
        redis = try PrivateRedis(in: folder)
        guard Child.output(of: [quash, "keys", "generate", "--file", folder.path("signing.pem")]) != nil else {
            throw FleetFailure("\(quash) makes no signing key")
        }
        issuer = try Child(
            [
                quash, "issuer", "--signing-key-file", folder.path("signing.pem"), "--outbox-file",
                folder.path("outbox"), "--node-id", "issuer", "--listen", "unix:\(folder.path("issuer.sock"))",
                "--admin-listen", "unix:\(adminPath)", "--access-ttl", "2h", "--max-revocations", "40000000",
                "--log-level", "error",
            ] + common,
            environment: ["QUASH_ADMIN_TOKEN": Self.adminToken], outputPath: folder.path("issuer.log"))
        try Self.waitUntilReady(adminPath, issuer, atMost: 20)
        admin = try HTTPConnection(path: adminPath)
        let keys = try HTTPConnection(path: folder.path("issuer.sock"))
            .call(httpRequest("GET", "/.well-known/jwks.json"))
        guard keys.status == 200 else { throw FleetFailure("the issuer's keys: \(keys.status)") }
        try Data(keys.body).write(to: URL(fileURLWithPath: folder.path("jwks.json")))
        // From now on the script is in Redis.
        _ = try revoke(jti: ["of-nobody"])
    }

    private var common: [String] { ["--redis-url", "unix://\(redis.socket)"] }

    var adminPath: String { folder.path("admin.sock") }

    /// Everything ends, the validators first.
    func end() {
        validators = []
        issuer.end()
        redis.child.end()
    }

    static func waitUntilReady(_ path: String, _ child: Child, atMost limit: Double) throws {
        let isReady = wait(atMost: limit) {
            guard child.isRunning else { return true }
            guard let connection = try? HTTPConnection(path: path) else { return false }
            return (try? connection.call(httpRequest("GET", "/readyz")))?.status == 200
        }
        guard isReady, child.isRunning else {
            throw FleetFailure("\(child.name) does not become ready: \(child.output)")
        }
    }

    /// Starts a validator without waiting for it.
    func startValidator() throws -> ValidatorProcess {
        started += 1
        let paths = (gate: folder.path("v\(started).sock"), admin: folder.path("v\(started)a.sock"))
        let child = try Child(
            [
                quash, "validator", "--jwks-file", folder.path("jwks.json"), "--loops", "1", "--node-id",
                "validator-\(started)", "--listen", "unix:\(paths.gate)", "--admin-listen", "unix:\(paths.admin)",
                "--max-revocations", "40000000", "--log-level", "error",
            ] + common, outputPath: folder.path("v\(started).log"))
        return ValidatorProcess(child: child, gatePath: paths.gate, adminPath: paths.admin)
    }

    /// Starts validators until there are `count`, and waits for all of them.
    func grow(to count: Int) throws {
        var new: [ValidatorProcess] = []
        while validators.count + new.count < count { new.append(try startValidator()) }
        for validator in new { try validator.connect(atMost: 60) }
        validators += new
    }

    func shrink(to count: Int) {
        while validators.count > count { validators.removeLast().child.end() }
    }

    // MARK: The issuer

    static func adminRequest(_ method: String, _ path: String, body: String? = nil) -> [UInt8] {
        httpRequest(method, path, fields: [("Authorization", "Bearer \(adminToken)")], body: body)
    }

    static func revocation(jti: [String], wait: String? = nil) -> [UInt8] {
        let list = jti.map { "\"\($0)\"" }.joined(separator: ",")
        let more = wait.map { ",\"wait\":\"\($0)\",\"timeout\":\"60s\"" } ?? ""
        return adminRequest("POST", "/admin/v1/revocations", body: "{\"jti\":[\(list)]\(more)}")
    }

    struct Receipt: Decodable {
        let epoch: String
        let seq: Int
        let status: String
        var position: String { "\(epoch):\(seq)" }
    }

    func revoke(jti: [String], wait: String? = nil) throws -> (status: Int, receipt: Receipt) {
        let reply = try admin.call(Self.revocation(jti: jti, wait: wait))
        guard (200..<300).contains(reply.status) else {
            throw FleetFailure("a revocation was answered \(reply.status) \(reply.text)")
        }
        return (reply.status, try JSONDecoder().decode(Receipt.self, from: Data(reply.body)))
    }

    struct Token {
        let access: String
        let jti: String
    }

    func signIn(_ subject: String) throws -> Token {
        struct Pair: Decodable { let access_token: String }
        struct Claims: Decodable { let jti: String }
        let reply = try admin.call(
            Self.adminRequest("POST", "/admin/v1/sessions", body: "{\"sub\":\"\(subject)\"}"))
        guard reply.status == 200 else { throw FleetFailure("a sign-in was answered \(reply.status) \(reply.text)") }
        let access = try JSONDecoder().decode(Pair.self, from: Data(reply.body)).access_token
        let parts = access.split(separator: ".")
        var payload = String(parts[1]).replacingOccurrences(of: "-", with: "+")
            .replacingOccurrences(of: "_", with: "/")
        payload += String(repeating: "=", count: (4 - payload.utf8.count % 4) % 4)
        guard let json = Data(base64Encoded: payload) else { throw FleetFailure("a token cannot be read") }
        return Token(access: access, jti: try JSONDecoder().decode(Claims.self, from: json).jti)
    }

    /// Confirmations begin a lease after the issuer first saw the epoch.
    func waitUntilConfirming() throws {
        for _ in 0..<3
        where try revoke(jti: ["of-nobody-\(UInt64.random(in: 0 ... .max))"], wait: "confirmed").status
            == 201
        { return }
        throw FleetFailure("nothing is confirmed")
    }
}

/// One validator, with kept connections to both of its listeners.
final class ValidatorProcess {
    let child: Child
    let gatePath: String
    let adminPath: String
    private var gate: HTTPConnection!
    private var admin: HTTPConnection!

    init(child: Child, gatePath: String, adminPath: String) {
        self.child = child
        self.gatePath = gatePath
        self.adminPath = adminPath
    }

    func connect(atMost limit: Double) throws {
        try QuashProcesses.waitUntilReady(adminPath, child, atMost: limit)
        gate = try HTTPConnection(path: gatePath)
        admin = try HTTPConnection(path: adminPath)
    }

    static func question(_ token: String, minimum: String? = nil) -> [UInt8] {
        httpRequest(
            "GET", "/authz/auth-request",
            fields: [("Authorization", "Bearer \(token)")] + (minimum.map { [("X-Quash-Min", $0)] } ?? []))
    }

    func ask(_ question: [UInt8]) throws -> Int { try gate.call(question).status }

    /// Sums and counts of its metrics by the name of the sample.
    func metrics() throws -> [String: Double] {
        let reply = try admin.call(httpRequest("GET", "/metrics"))
        guard reply.status == 200 else { throw FleetFailure("metrics: \(reply.status)") }
        var values: [String: Double] = [:]
        for line in reply.text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: " ")
            if parts.count == 2, let value = Double(parts[1]) { values[String(parts[0]), default: 0] += value }
        }
        return values
    }

    /// How long what was heard last took from its commit until it was applied, all of it added up; and how much that
    /// is.
    func propagation() throws -> (nanoseconds: Double, count: Int) {
        let values = try metrics()
        guard let sum = values["quash_revocation_propagation_seconds_sum"],
            let count = values["quash_revocation_propagation_seconds_count"]
        else { throw FleetFailure("a validator does not tell how long propagation takes") }
        return (sum * 1e9, Int(count))
    }
}
