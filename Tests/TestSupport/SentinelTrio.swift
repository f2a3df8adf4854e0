import Glibc

/// Three real sentinels over a master and its replicas, on loopback ports of a test's own, and quick to fail over:
/// about two seconds after a master was killed, another is promoted.
package final class SentinelTrio {
    /// How the trio is to be. The default: two replicas, and a master that takes no write without one.
    package struct Options {
        package var replicas: Int
        /// Directives for the redis.conf of every server.
        package var settings: [String: String]
        /// Lines of an ACL file, as `RedisServer.Options` has them.
        package var users: [String]
        /// Everybody listens and connects with TLS. The sentinels still listen without it as well.
        package var usesTLS: Bool

        package init(
            replicas: Int = 2, settings: [String: String] = ["min-replicas-to-write": "1"], users: [String] = [],
            usesTLS: Bool = false
        ) {
            self.replicas = replicas
            self.settings = settings
            self.users = users
            self.usesTLS = usesTLS
        }
    }

    /// One of the three.
    package final class Sentinel {
        /// The port of its commands, without TLS.
        package let port: UInt16
        /// The port that clients are given.
        fileprivate let clientPort: UInt16
        fileprivate let identifier: String
        fileprivate let folder: TemporaryFolder
        private var process: ChildProcess?

        fileprivate init(usesTLS: Bool) throws {
            port = try freePort()
            clientPort = usesTLS ? try freePort() : port
            identifier = String(repeating: "0", count: 40 - "\(port)".count) + "\(port)"
            folder = try TemporaryFolder()
        }

        /// `host:port`, as a URL has it.
        package var address: String { "127.0.0.1:\(clientPort)" }

        /// Whether it has not been killed.
        package var isRunning: Bool { process?.isRunning ?? false }

        /// Runs `redis-cli` with these arguments and gives what it printed.
        @discardableResult
        package func cli(_ arguments: String...) throws -> String {
            let output = try ChildProcess.run(["redis-cli", "-p", "\(port)"] + arguments)
            return output.hasSuffix("\n") ? String(output.dropLast()) : output
        }

        /// Kills it as `kill -9` does.
        package func kill9() {
            process?.kill()
        }

        fileprivate func launch(_ configuration: [String]) throws {
            let file = try folder.write("sentinel.conf", configuration.joined(separator: "\n") + "\n")
            process = try ChildProcess(
                ["redis-server", file, "--sentinel"], workingFolder: folder.path, outputPath: folder.path("log"))
        }

        fileprivate var log: String { process?.output ?? "" }
    }

    /// The name by which the sentinels know the master.
    package static let masterName = "mymaster"
    /// The first of them is the master at the beginning.
    package let servers: [RedisServer]
    /// In the order of the URL.
    package let sentinels: [Sentinel]
    private let options: Options

    /// `redis-sentinel://…`, as `QUASH_REDIS_URL` takes it; with credentials where these are given.
    ///
    /// - Parameter credentials: `user:password`.
    package func url(credentials: String? = nil) -> String {
        let scheme = options.usesTLS ? "rediss-sentinel" : "redis-sentinel"
        let addresses = sentinels.map(\.address).joined(separator: ",")
        return "\(scheme)://\(credentials.map { "\($0)@" } ?? "")\(addresses)/\(Self.masterName)"
    }

    /// What the sentinels wrote to their logs, one after the other.
    package var log: String {
        sentinels.map(\.log).joined(separator: "\n")
    }

    /// Starts everything, and waits until the sentinels know each other and every replica.
    package static func start(_ options: Options = Options()) throws -> SentinelTrio {
        let trio = try SentinelTrio(options)
        try trio.waitUntilWatched()
        return trio
    }

    private init(_ options: Options) throws {
        self.options = options
        let master = try Self.startServer(options, replicaOf: nil)
        servers = try [master] + (0..<options.replicas).map { _ in try Self.startServer(options, replicaOf: master) }
        sentinels = try (0..<3).map { _ in try Sentinel(usesTLS: options.usesTLS) }
        // A sentinel reads at once which replicas there are, and then every ten seconds.
        let isComplete = try poll {
            try master.cli("INFO", "replication").contains("connected_slaves:\(options.replicas)")
        }
        guard isComplete else { throw TestSupportError("the replicas do not come:\n\(master.log)") }
        for sentinel in sentinels { try sentinel.launch(configuration(of: sentinel)) }
    }

    /// The port of `server` that clients and sentinels are given.
    package func port(of server: RedisServer) -> UInt16 {
        guard let port = options.usesTLS ? server.tlsPort : server.port else {
            preconditionFailure("a server of the trio has no port")
        }
        return port
    }

    /// Waits until every sentinel that runs names another master than `old`, and gives that one.
    package func waitForMaster(otherThan old: RedisServer) throws -> RedisServer {
        var named: Set<String> = []
        let candidates = servers.filter { $0 !== old }
        let isAgreed = try poll {
            named = Set(
                try sentinels.filter(\.isRunning).map {
                    try $0.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self.masterName)
                })
            return named.count == 1 && named.first != "127.0.0.1\n\(port(of: old))"
        }
        let master = candidates.first { named == ["127.0.0.1\n\(port(of: $0))"] }
        guard isAgreed, let master else {
            throw TestSupportError("the sentinels name \(named):\n\(log)")
        }
        return master
    }

    /// Makes the sentinels promote a replica although the master is well, as for its maintenance.
    package func failOver() throws {
        // Refused (NOGOODSLAVE) until the sentinel has heard of a replica lately.
        let isBegun = try poll { try sentinels[0].cli("SENTINEL", "FAILOVER", Self.masterName) == "OK" }
        guard isBegun else { throw TestSupportError("no failover begins:\n\(sentinels[0].log)") }
    }

    private func waitUntilWatched() throws {
        // Shorter periods than sentinel.conf can say: how often a sentinel looks at servers, asks the others and is
        // heard by them. And a busy machine is no reason to do nothing for half a minute (TILT).
        // Two of them cannot be much shorter, because during a failover a replica is asked every second in any case. It
        // is promoted only if it was heard of within five periods of PING; and a sentinel that has not been told of the
        // promotion undoes it after four periods of publishing.
        let periods = [
            "info-period": 200, "ping-period": 300, "ask-period": 100, "publish-period": 600,
            "slave-reconf-timeout": 1_000, "tilt-trigger": 20_000,
        ]
        let words = periods.flatMap { [$0.key, "\($0.value)"] }
        for sentinel in sentinels {
            let isQuick = poll {
                (try? ChildProcess.run(["redis-cli", "-p", "\(sentinel.port)", "SENTINEL", "DEBUG"] + words)) == "OK\n"
            }
            let isReady = poll {
                guard let quorum = try? sentinel.cli("SENTINEL", "CKQUORUM", Self.masterName),
                    let replicas = try? sentinel.cli("SENTINEL", "REPLICAS", Self.masterName)
                else { return false }
                let linked = replicas.split(separator: "\n").count { $0 == "ok" }
                return quorum.hasPrefix("OK 3 usable") && linked == options.replicas
            }
            guard isQuick, isReady else { throw TestSupportError("a sentinel is not ready:\n\(sentinel.log)") }
        }
    }

    private static func startServer(_ options: Options, replicaOf master: RedisServer?) throws -> RedisServer {
        // The default waits five seconds for further replicas before it sends the first one its data.
        var settings = [
            "repl-diskless-sync-delay": "0", "masteruser": RedisServer.cliUser, "masterauth": "any",
            "tls-replication": options.usesTLS ? "yes" : "no",
        ]
        if let port = options.usesTLS ? master?.tlsPort : master?.port { settings["replicaof"] = "127.0.0.1 \(port)" }
        settings.merge(options.settings) { _, given in given }
        return try RedisServer.start(
            .init(
                settings: settings, users: options.users, listensOnTCP: true, listensWithTLS: options.usesTLS))
    }

    /// The lines of its sentinel.conf. They name the other sentinels and the replicas, so that nobody has to be heard
    /// of first.
    private func configuration(of sentinel: Sentinel) throws -> [String] {
        let name = Self.masterName
        var lines = [
            "port \(sentinel.port)", "bind 127.0.0.1", "dir \(sentinel.folder.path)",
            "sentinel myid \(sentinel.identifier)",
            "sentinel monitor \(name) 127.0.0.1 \(port(of: servers[0])) 2",
            "sentinel auth-user \(name) \(RedisServer.cliUser)", "sentinel auth-pass \(name) any",
            "sentinel down-after-milliseconds \(name) 1000", "sentinel failover-timeout \(name) 2000",
        ]
        lines += servers.dropFirst().map { "sentinel known-replica \(name) 127.0.0.1 \(port(of: $0))" }
        lines += sentinels.filter { $0 !== sentinel }.map {
            "sentinel known-sentinel \(name) 127.0.0.1 \($0.clientPort) \($0.identifier)"
        }
        guard options.usesTLS else { return lines }
        let folder = sentinel.folder
        return lines + [
            "tls-port \(sentinel.clientPort)", "tls-replication yes",
            "tls-ca-cert-file \(try folder.write("ca.pem", TestCertificates.authority))",
            "tls-cert-file \(try folder.write("server.pem", TestCertificates.server))",
            "tls-key-file \(try folder.write("server.key", TestCertificates.serverKey))",
            "tls-client-cert-file \(try folder.write("client.pem", TestCertificates.client))",
            "tls-client-key-file \(try folder.write("client.key", TestCertificates.clientKey))",
        ]
    }
}
