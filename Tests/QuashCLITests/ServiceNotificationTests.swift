import Glibc
import TestSupport
import Testing

@testable import QuashCLI

/// What systemd is told (sd_notify(3)), heard on a socket that stands for its own.
@Suite struct ServiceNotificationTests {
    private let folder: TemporaryFolder
    private let systemd: NotificationSocket

    init() throws {
        folder = try TemporaryFolder()
        systemd = try NotificationSocket(folder.path("notify"))
    }

    private func start(
        _ role: String, redis: String, _ settings: [String], environment: [String: String]
    ) throws -> ChildProcess {
        try ChildProcess(
            [
                BuiltProgram.path("quash"), role, "--redis-url", redis, "--listen", "unix:\(folder.path(role))",
                "--admin-listen", "unix:\(folder.path("\(role)-admin"))",
            ] + settings, environment: environment)
    }

    private func startIssuer(redis: String, environment: [String: String] = [:]) throws -> ChildProcess {
        try start(
            "issuer", redis: redis,
            [
                "--signing-key-file", try folder.write("signing.pem", TestKeys.privateKey), "--outbox-file",
                folder.path("outbox"), "--admin-token-file",
                try folder.write("token", String(repeating: "a", count: 32)),
            ], environment: environment)
    }

    @Test func aValidatorHasStartedWhenItCanDecide() throws {
        let redis = try RedisServer.start()
        redis.kill9()
        let keys = try KeySetFile.write(to: folder)
        let validator = try start(
            "validator", redis: redis.url, ["--jwks-file", keys, "--loops", "1"],
            environment: ["NOTIFY_SOCKET": systemd.path])
        #expect(systemd.hears { $0.hasPrefix("STATUS=not ready: ") && $0.contains("redis: not connected") })
        try redis.restart()
        // Redis is there, and nobody has opened the feed yet.
        #expect(systemd.hears { $0.contains("feed: not caught up") && !$0.contains("redis: ") })
        #expect(!systemd.heard.contains("READY=1"))
        // A reload before the start is over must not look like its end.
        validator.signal(SIGHUP)
        #expect(systemd.hears { $0.contains("lease: ") })
        let issuer = try startIssuer(redis: redis.url)
        #expect(systemd.hears { $0 == "READY=1" }, "\(validator.output)\(issuer.output)")
        #expect(systemd.heard.last { $0.hasPrefix("STATUS=") } == "STATUS=ready")
        #expect(!systemd.heard.contains { $0.hasPrefix("RELOADING=1") })

        systemd.forget()
        validator.signal(SIGHUP)
        #expect(systemd.hears { $0 == "READY=1" })
        let reload = try #require(systemd.heard.first { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") })
        #expect(try #require(Int64(reload.split(separator: "=")[2])) > 0)

        redis.kill9()
        #expect(systemd.hears { $0.hasPrefix("STATUS=not ready: ") && $0.contains("redis: ") })
        validator.signal(SIGTERM)
        #expect(try validator.waitForExit() == .code(0))
        #expect(systemd.hears { $0 == "STOPPING=1" })
        #expect(systemd.heard.last == "STOPPING=1")
        #expect(!systemd.heard.contains { $0.hasPrefix("WATCHDOG") })
    }

    /// It serves what needs no Redis, and whoever waits for it need not wait for Redis.
    @Test func anIssuerHasStartedWhenItServes() throws {
        let redis = try RedisServer.start()
        redis.kill9()
        let issuer = try startIssuer(
            redis: redis.url, environment: ["NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "90000"])
        #expect(systemd.hears { $0 == "READY=1" }, "\(issuer.output)")
        #expect(systemd.heard.first?.contains("redis: not connected") == true)
        // All loops turn, so it is heard again and again.
        for _ in 0..<3 {
            systemd.forget()
            #expect(systemd.hears { $0 == "WATCHDOG=1" })
        }
    }

    @Test func theWatchdogIsForTheProcessThatItNames() {
        let interval = { ServiceReport.watchdogInterval($0, process: 7) }
        #expect(interval(["WATCHDOG_USEC": "30000000"]) == .seconds(10))
        #expect(interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"]) == .seconds(10))
        #expect(interval(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"]) == nil)
        #expect(interval(["WATCHDOG_USEC": "0"]) == nil)
        #expect(interval(["WATCHDOG_USEC": "soon"]) == nil)
        #expect(interval([:]) == nil)
    }
}

/// A datagram socket on which notifications arrive.
private final class NotificationSocket {
    let path: String
    private let descriptor: Int32
    private(set) var heard: [String] = []

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw TestSupportError.lastCall("socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        precondition(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path), "a path too long for a socket")
        // SAFETY: the path is shorter than the field; bind(2) reads as many bytes as it is told.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe bind(
                descriptor, UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        guard result == 0 else { throw TestSupportError.lastCall("bind \(path)") }
    }

    deinit { close(descriptor) }

    func forget() { heard = [] }

    /// Waits until a notification that fits has been heard.
    func hears(_ fits: (String) -> Bool) -> Bool {
        poll {
            var bytes = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
                guard count >= 0 else { break }
                heard.append(String(decoding: bytes[..<count], as: UTF8.self))
            }
            return heard.contains(where: fits)
        }
    }
}
