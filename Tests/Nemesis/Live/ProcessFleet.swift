import Glibc
import NemesisHistory
import QuashCrypto
import QuashHTTP
import QuashJWT
import QuashLoop
import TestSupport

/// Two issuers, three validators and a Redis, each a process of its own, and a relay between each of them and Redis. Or
/// three servers that sentinels watch in place of the one, and no relays, since clients go where a sentinel says.
final class ProcessFleet {
    static let adminToken = "0123456789abcdef0123456789abcdef"
    /// Of the Debian package faketime. It leaves CLOCK_MONOTONIC and CLOCK_BOOTTIME alone when it is told to.
    private static let clockLibraries = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ]

    let folder: TemporaryFolder
    private let server: RedisProcess?
    private let sentinels: SentinelTrio?
    let issuers: [Node]
    let validators: [Node]
    /// Has the name of the first validator in the feed; not started with the others.
    let twin: Node
    /// By the name of the process.
    let relays: [String: Relay]
    /// Whose civil clock can be set; none when faketime is not installed.
    let clockFiles: [String: String]
    private let web: BlockingHTTPClient
    private let relayThread: LoopThread
    private let controlThread: LoopThread

    var nodes: [Node] { issuers + validators }

    /// Of a fleet with one Redis.
    var redis: RedisProcess {
        guard let server else { preconditionFailure("a fault that needs the one Redis") }
        return server
    }

    /// Of a fleet behind sentinels.
    var trio: SentinelTrio {
        guard let sentinels else { preconditionFailure("a fault that needs sentinels") }
        return sentinels
    }

    /// - Parameter hasSentinels: whether three servers that sentinels watch take the place of the one.
    init(program: String, timing: Timing, hasSentinels: Bool) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        web = try BlockingHTTPClient()
        relayThread = try LoopThread(name: "relays")
        controlThread = try LoopThread(name: "control")
        server =
            hasSentinels ? nil : try RedisProcess(in: folder, persistence: .always, control: controlThread)
        // What `fence` is made of: a master that heard no replica for a second takes no more writes.
        sentinels =
            hasSentinels
            ? try SentinelTrio.start(
                SentinelTrio.Options(settings: [
                    "min-replicas-to-write": "1", "min-replicas-max-lag": "1", "repl-ping-replica-period": "1",
                    "appendonly": "yes", "appendfsync": "everysec",
                ])) : nil
        try SecretFile.create(path: folder.path("signing.pem"), contents: Array(TestKeys.privateKey.utf8))
        let key = try RSAPublicKey(pem: TestKeys.publicKey)
        try folder.write("keys.json", bytes: KeySet([JSONWebKey(key)]).serialized())
        let names = ["a", "b", "v1", "v2", "v3", "twin"]
        var relays: [String: Relay] = [:]
        if let server {
            for name in names {
                relays[name] = try Relay(at: folder.path("\(name)-redis.sock"), to: server.socketPath, on: relayThread)
            }
        }
        self.relays = relays
        let library = Self.clockLibraries.first { path in unsafe access(path, R_OK) == 0 }
        var clockFiles: [String: String] = [:]
        if library != nil {
            for name in ["b", "v3"] { clockFiles[name] = try folder.write("\(name)-clock", "+0") }
        }
        self.clockFiles = clockFiles
        let sentinelURL = sentinels?.url()
        func node(_ role: Node.Role, _ name: String, nodeID: String? = nil, _ arguments: [String]) -> Node {
            var environment = ["QUASH_ADMIN_TOKEN": Self.adminToken]
            if let library, let file = clockFiles[name] {
                environment["LD_PRELOAD"] = library
                environment["FAKETIME_TIMESTAMP_FILE"] = file
                environment["FAKETIME_NO_CACHE"] = "1"
                environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
            }
            let common = [
                "--redis-url", sentinelURL ?? "unix://\(folder.path("\(name)-redis.sock"))", "--drain", "1s",
                "--log-format", "json",
                "--lease", Self.text(timing.lease), "--renew-interval", Self.text(timing.renewInterval),
            ]
            return Node(
                role, name, nodeID: nodeID ?? name, in: folder, program: program, arguments: common + arguments,
                environment: environment)
        }
        issuers = ["a", "b"].map { name in
            node(
                .issuer, name,
                [
                    "--issuers", "a,b", "--signing-key-file", folder.path("signing.pem"), "--outbox-file",
                    folder.path("outbox-\(name)"), "--access-ttl", "1d", "--fence",
                    "\(Int64(timing.fence / .seconds(1)))s",
                ])
        }
        let keys = ["--jwks-file", folder.path("keys.json"), "--loops", "2"]
        validators = ["v1", "v2", "v3"].map { node(.validator, $0, keys) }
        twin = node(.validator, "twin", nodeID: "v1", keys)
        for node in issuers + validators { try node.start() }
    }

    private static func text(_ duration: Duration) -> String { "\(Int64(duration / .milliseconds(1)))ms" }

    /// Sets the civil clock of a process so many seconds off.
    func setClock(of name: String, seconds: Double) throws {
        guard let file = clockFiles[name] else { return }
        let next = try folder.write("\(name)-clock-next", seconds < 0 ? "\(seconds)" : "+\(seconds)")
        guard unsafe rename(next, file) == 0 else { throw TestSupportError.lastCall("rename \(file)") }
    }

    /// Whether it says of itself that it can do its work.
    func isReady(_ node: Node) -> Bool {
        let request = HTTPClient.Request(
            .get, HTTPURL(endpoint: node.adminEndpoint, target: "/readyz"), timeout: .seconds(1))
        return (try? web.send(request).status) == .ok
    }

    /// What those say that are not ready.
    func complaints() -> String {
        nodes.map { node in
            let request = HTTPClient.Request(
                .get, HTTPURL(endpoint: node.adminEndpoint, target: "/readyz?verbose"), timeout: .seconds(1))
            let text = (try? web.send(request).body).map { String(decoding: $0, as: UTF8.self) } ?? "no answer"
            return "\(node.name): \(text)"
        }.joined(separator: "\n")
    }

    /// Ends every process.
    func stop() {
        for node in nodes + [twin] { node.kill() }
        server?.kill()
    }
}
