import Glibc

/// A real `redis-server` of a test's own, in a temporary folder of its own, on a unix socket.
///
/// It keeps its addresses over `restart`, so a client's reconnecting can be watched. The value's end kills it.
package final class RedisServer {
    /// How the server is to be. The default: no persistence, no limits, no password, no TCP port.
    package struct Options {
        /// Directives of redis.conf, for example `["appendonly": "yes", "maxmemory": "10mb"]`.
        package var settings: [String: String]
        /// Directives that the server is not given, so that its own default holds, for example `["save"]`.
        package var omitted: Set<String>
        /// Lines of an ACL file, for example `"user quash on >secret ~* &* +@all"`. A line for `default` replaces the
        /// one that allows everything without a password; `cli` works in any case, by a user of its own.
        package var users: [String]
        /// Listens on a free TCP port of the loopback interface too.
        package var listensOnTCP: Bool
        /// Listens with TLS on a free TCP port too, as `TestCertificates.server`, and wants a certificate of
        /// `TestCertificates.authority` from its clients.
        package var listensWithTLS: Bool

        package init(
            settings: [String: String] = [:], omitted: Set<String> = [], users: [String] = [],
            listensOnTCP: Bool = false, listensWithTLS: Bool = false
        ) {
            self.settings = settings
            self.omitted = omitted
            self.users = users
            self.listensOnTCP = listensOnTCP
            self.listensWithTLS = listensWithTLS
        }
    }

    private let folder: TemporaryFolder
    private let arguments: [String]
    private var process: ChildProcess
    /// The path of the unix socket.
    package let socketPath: String
    /// The plain TCP port, when asked for.
    package let port: UInt16?
    /// The TLS port, when asked for.
    package let tlsPort: UInt16?

    /// `unix:///…`, as `QUASH_REDIS_URL` takes it.
    package var url: String { "unix://\(socketPath)" }
    /// What the server wrote to its log.
    package var log: String { process.output }

    /// The path of a file in its data folder, for example `dump.rdb`.
    package func path(_ name: String) -> String { folder.path(name) }

    /// Starts a server and waits until it answers.
    package static func start(_ options: Options = Options()) throws -> RedisServer {
        let server = try RedisServer(options)
        try server.waitUntilAnswering()
        return server
    }

    private init(_ options: Options) throws {
        folder = try TemporaryFolder()
        socketPath = folder.path("redis.sock")
        port = options.listensOnTCP ? try freePort() : nil
        tlsPort = options.listensWithTLS ? try freePort() : nil

        let isDefaultGiven = options.users.contains { $0.hasPrefix("user default ") }
        let defaultUser = isDefaultGiven ? [] : ["user default on nopass ~* &* +@all"]
        let userLines = options.users + defaultUser + ["user \(Self.cliUser) on nopass ~* &* +@all"]
        let aclFile = try folder.write("users.acl", userLines.joined(separator: "\n") + "\n")
        var settings = [
            "port": "\(port ?? 0)", "bind": "127.0.0.1", "unixsocket": socketPath, "unixsocketperm": "700",
            "dir": folder.path, "save": "", "aclfile": aclFile, "enable-debug-command": "local",
        ]
        if let tlsPort {
            settings["tls-port"] = "\(tlsPort)"
            settings["tls-cert-file"] = try folder.write("server.pem", TestCertificates.server)
            settings["tls-key-file"] = try folder.write("server.key", TestCertificates.serverKey)
            settings["tls-ca-cert-file"] = try folder.write("ca.pem", TestCertificates.authority)
            // As a replica it is a client itself.
            settings["tls-client-cert-file"] = try folder.write("client.pem", TestCertificates.client)
            settings["tls-client-key-file"] = try folder.write("client.key", TestCertificates.clientKey)
        }
        settings.merge(options.settings) { _, given in given }
        settings = settings.filter { !options.omitted.contains($0.key) }
        arguments = ["redis-server"] + settings.sorted { $0.key < $1.key }.flatMap { ["--\($0.key)", $0.value] }
        process = try Self.launch(arguments, in: folder)
    }

    deinit {
        // A stopped process is killed as well as a running one: SIGKILL needs no SIGCONT.
        process.kill()
    }

    /// Runs `redis-cli` with these arguments, as a user who may do everything, and gives what it printed.
    @discardableResult
    package func cli(_ arguments: String...) throws -> String {
        // A user without a password takes any, so the word is only there to make redis-cli send AUTH.
        let output = try ChildProcess.run(
            ["redis-cli", "-s", socketPath, "--user", Self.cliUser, "--pass", "any", "--no-auth-warning"] + arguments)
        return output.hasSuffix("\n") ? String(output.dropLast()) : output
    }

    /// Kills the server as `kill -9` does, and waits until it is gone.
    package func kill9() {
        process.kill()
    }

    /// Starts it again at the same addresses and waits until it answers; kills it before where it still runs.
    ///
    /// - Parameter withoutData: removes its snapshot and its append-only files first.
    package func restart(withoutData: Bool = false) throws {
        process.kill()
        if withoutData {
            TemporaryFolder.remove(folder.path("dump.rdb"))
            TemporaryFolder.remove(folder.path("appendonlydir"))
        }
        process = try Self.launch(arguments, in: folder)
        try waitUntilAnswering()
    }

    /// Stops the process in its tracks (SIGSTOP): its sockets stay open, and nothing is answered.
    package func pause() {
        process.signal(SIGSTOP)
        // Stopped is state T, after the closing parenthesis of the name: proc(5), /proc/pid/stat.
        let isStopped = poll { TemporaryFolder.read("/proc/\(process.processID)/stat").contains(") T ") }
        precondition(isStopped, "SIGSTOP did not stop redis-server")
    }

    /// Lets it go on after `pause`.
    package func resume() {
        process.signal(SIGCONT)
    }

    /// A user of every such server who may do everything, with any password.
    package static let cliUser = "quash-test-cli"

    private static func launch(_ arguments: [String], in folder: TemporaryFolder) throws -> ChildProcess {
        try ChildProcess(arguments, workingFolder: folder.path, outputPath: folder.path("redis.log"))
    }

    private func waitUntilAnswering() throws {
        let isUp = poll { process.isRunning && (try? cli("PING")) == "PONG" || !process.isRunning }
        guard isUp, process.isRunning else { throw TestSupportError("redis-server does not answer:\n\(log)") }
    }
}

/// A TCP port of the loopback interface that was free a moment ago.
package func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw TestSupportError.lastCall("socket") }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // SAFETY: bind(2) and getsockname(2) take a sockaddr_in as a sockaddr for AF_INET, with its length beside it.
    let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            guard unsafe bind(descriptor, generic, length) == 0 else { return Int32(-1) }
            return unsafe getsockname(descriptor, generic, &length)
        }
    }
    guard result == 0 else { throw TestSupportError.lastCall("bind to a free port") }
    return UInt16(bigEndian: address.sin_port)
}
