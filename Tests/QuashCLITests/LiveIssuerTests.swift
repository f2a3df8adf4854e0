import Glibc
import QuashJSON
import TestSupport
import Testing

/// The commands against `quash issuer` and `quash validator` as they are started in earnest, with a redis-server.
@Suite("Commands against running roles")
struct LiveIssuerTests {
    private let quash: QuashProgram
    private let redis: RedisServer
    private let issuer: ChildProcess
    private let validator: ChildProcess
    private let environment: [String: String]

    init() throws {
        quash = try QuashProgram()
        redis = try RedisServer.start()
        let folder = quash.folder
        let token = try folder.write("token", "0123456789abcdef0123456789abcdef\n")
        let config = try folder.write(
            "quash.yaml",
            """
            redis-url: '\(redis.url)'
            signing-key-file: \(try folder.write("signing.pem", TestKeys.privateKey))
            outbox-file: \(folder.path("outbox"))
            log-format: text
            """)
        issuer = try ChildProcess(
            [QuashProgram.path, "issuer", "--listen", "unix:\(folder.path("issuer"))"],
            environment: [
                "QUASH_CONFIG": config, "QUASH_ADMIN_LISTEN": "unix:\(folder.path("admin"))",
                "QUASH_ADMIN_TOKEN_FILE": token,
            ])
        let keys = try KeySetFile.write(to: folder)
        validator = try ChildProcess([
            QuashProgram.path, "validator", "--config", config, "--jwks-file", keys, "--node-id", "v1", "--loops", "1",
            "--listen", "unix:\(folder.path("gateway"))", "--admin-listen", "unix:\(folder.path("health"))",
        ])
        environment = ["QUASH_SERVER": "unix:\(folder.path("admin"))", "QUASH_ADMIN_TOKEN_FILE": token]
        let isReady = try poll(within: .seconds(20)) {
            try ["admin", "health"].allSatisfy {
                try quash("healthcheck", "--server", "unix:\(folder.path($0))").exit == .code(0)
            }
        }
        try #require(isReady, "\(issuer.output)\(validator.output)")
    }

    private func run(_ arguments: String..., input: String = "") throws -> QuashProgram.Result {
        try quash(arguments, input: input, environment: environment)
    }

    @Test func theWalkInTheContainersReadmeTakesTheTokenOut() throws {
        let readme = String(decoding: try Repository.read("docker/README.md"), as: UTF8.self)
        let line = try #require(readme.split(separator: "\n").first { $0.hasPrefix("TOKEN=$(quash ") })
        let script = "quash() { \(QuashProgram.path) \"$@\"; }\n\(line)\nprintf '%s' \"$TOKEN\""
        let token = try ChildProcess.run(["bash", "-c", script], environment: environment)
        #expect(token.wholeMatch(of: /[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+/) != nil, "\(token.count) bytes")
    }

    @Test func fromTheFirstTokenToItsRevocation() throws {
        let watcher = try ChildProcess(
            [QuashProgram.path, "feed", "tail", "--count", "1", "-o", "json"],
            environment: ["QUASH_REDIS_URL": redis.url])
        #expect(poll { watcher.output.contains("listening") })

        let minted = try run("token", "mint", "--sub", "alice", "-o", "json")
        #expect(minted.exit == .code(0), "\(minted.errors)")
        let access = try #require(minted.json?["access_token"]?.string)
        let session = try #require(minted.json?["session"]?.string)
        let verified = try run("token", "verify", "--jwks-file", quash.folder.path("jwks.json"), input: access)
        #expect(verified.exit == .code(0), "\(verified.errors)")
        #expect(try run("token", "inspect", input: access).output.contains(session))

        let revoked = try run("revoke", "--session", session, "--reason", "test")
        #expect(revoked.exit == .code(0), "\(revoked.errors)")
        #expect(revoked.output.hasPrefix("stored at ") && revoked.output.hasSuffix(":1\n"))

        #expect(try watcher.waitForExit() == .code(0))
        let line = try #require(watcher.output.split(separator: "\n").last { $0.hasPrefix("{") })
        let commit = try JSONValue(parsing: Array(line.utf8).span)
        #expect(commit["seq"]?.integer == 1)
        #expect(commit["revocations"]?.array?.first?["kind"] == "session")
        #expect(commit["revocations"]?.array?.first?["id"]?.string == session)

        let status = try run("status")
        #expect(status.exit == .code(0), "\(status.errors)")
        #expect(status.output.contains("head 1"))
        #expect(
            poll { (try? run("nodes", "-o", "json").json?["nodes"]?.array)??.contains { $0["applied"] == 1 } == true })
    }

    @Test func aWrongCredentialIsRefused() throws {
        let other = try quash.folder.write("other", "another-credential-altogether")
        let result = try run("nodes", "--token-file", other)
        #expect(result.exit == .code(4))
        #expect(result.problems.count == 1)
        #expect(result.errors.contains("401") && result.errors.contains("--token-file"))
    }

    @Test func aReloadTakesOverWhatItCanAndTellsTheRest() throws {
        let config = quash.folder.path("quash.yaml")
        let text = TemporaryFolder.read(config)
        try quash.folder.write("quash.yaml", text + "\nlog-level: loud")
        issuer.signal(SIGHUP)
        #expect(
            poll { issuer.output.contains("nothing is reloaded error=log-level \"loud\" (\(config):5) is none of") })

        try quash.folder.write("quash.yaml", text + "\ndrain: 7s")
        issuer.signal(SIGHUP)
        #expect(poll { issuer.output.contains("a changed setting counts from the next start setting=drain") })
        #expect(issuer.isRunning)
    }

    @Test func withoutRedisNothingIsStored() throws {
        redis.kill9()
        let result = try run("revoke", "--jti", "a")
        #expect(result.exit == .code(5), "\(result.errors)\(result.output)")
        #expect(result.problems.count == 1)
    }

    @Test func noSecretIsLogged() throws {
        let minted = try run("token", "mint", "--sub", "alice", "-o", "json")
        let access = try #require(minted.json?["access_token"]?.string)
        _ = try run("revoke", "--sub", "alice")
        for log in [issuer.output, validator.output] {
            #expect(!log.isEmpty)
            #expect(!log.contains("0123456789abcdef") && !log.contains(access) && !log.contains("eyJ"))
        }
    }
}
