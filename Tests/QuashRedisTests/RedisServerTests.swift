import QuashLoop
import QuashRedis
import TestSupport
import Testing

/// Signing in, databases, large replies and the facts of a server, against a real redis-server.
@Suite struct RedisServerTests {
    private static let users = ["user quash on >se@cret ~* &* +@all", "user default on >other ~* &* +@all"]

    @Test func signsInByUser() throws {
        let server = try RedisServer.start(.init(users: Self.users))
        let client = try LiveClient(upAt: "unix://quash:se%40cret@\(server.socketPath)")
        #expect(try client.call("ACL", "WHOAMI").text == "quash")
    }

    @Test func signsInAsTheDefaultUser() throws {
        let server = try RedisServer.start(.init(users: Self.users))
        let client = try LiveClient(upAt: "unix://:other@\(server.socketPath)")
        #expect(try client.call("ACL", "WHOAMI").text == "default")
    }

    @Test(arguments: [("quash:WRONG@", "WRONGPASS"), ("nobody:WRONG@", "WRONGPASS"), ("", "NOAUTH")])
    func saysThatItCannotSignIn(_ credentials: String, _ prefix: String) throws {
        let server = try RedisServer.start(.init(users: Self.users))
        let client = try LiveClient(try RedisOptions(url: RedisURL("unix://\(credentials)\(server.socketPath)")))
        let error = try client.waitUntilDown()
        #expect(error?.serverPrefix == prefix)
        #expect(error?.description.contains("WRONG@") == false)
    }

    @Test func selectsItsDatabase() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: "\(server.url)?db=5")
        #expect(try client.call("SET", "a", "1").text == "OK")
        #expect(try server.cli("-n", "5", "GET", "a") == "1")
        #expect(try server.cli("GET", "a") == "")
        let other = try LiveClient(try RedisOptions(url: RedisURL("\(server.url)?db=99")))
        #expect(try other.waitUntilDown()?.serverPrefix == "ERR")
    }

    @Test func namesItsConnection() throws {
        let server = try RedisServer.start()
        var options = try RedisOptions(url: RedisURL(server.url))
        options.clientName = "quash-issuer"
        let client = try LiveClient(options)
        try client.waitUntilUp()
        #expect(try client.call("CLIENT", "GETNAME").text == "quash-issuer")
    }

    @Test func connectsOverTCP() throws {
        let server = try RedisServer.start(.init(listensOnTCP: true))
        let client = try LiveClient(upAt: "redis://localhost:\(try #require(server.port))/2")
        #expect(try client.call("PING").text == "PONG")
    }

    @Test func saysThatNobodyListens() throws {
        let client = try LiveClient(try RedisOptions(url: RedisURL("redis://127.0.0.1:\(try freePort())")))
        #expect(try client.waitUntilDown()?.description.contains("refused") == true)
    }

    @Test func takesAReplyAtTheLimitAndNoneOverIt() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        #expect(try client.call("SETRANGE", "large", "1048575", "x").integer == 1_048_576)
        #expect(try client.call("GET", "large").bytes?.count == 1_048_576)
        #expect(try client.call("SETRANGE", "large", "1048576", "x").integer == 1_048_577)
        let error = #expect(throws: RedisError.self) { try client.call("GET", "large") }
        #expect(error?.code == .lost)
        #expect(try client.waitUntilDown()?.code == .protocolViolation)
        try client.waitUntilUp(generation: 2)
    }

    @Test func takesAnArrayAtTheLimitAndNoneOverIt() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        let fill = RedisScript(
            name: "fill", source: "for i = 1, ARGV[1] do redis.call('RPUSH', 'list', i) end return 'filled'")
        #expect(try client.eval(fill, arguments: ["4096"]).text == "filled")
        #expect(try client.call("LRANGE", "list", "0", "-1").elements?.last?.integer == 4_096)
        #expect(try client.eval(fill, arguments: ["1"]).text == "filled")
        #expect(throws: RedisError.self) { try client.call("LRANGE", "list", "0", "-1") }
        #expect(try client.waitUntilDown()?.code == .protocolViolation)
    }

    @Test func passesOnThatTheServerIsAReplica() throws {
        let server = try RedisServer.start()
        let client = try LiveClient(upAt: server.url)
        try server.cli("REPLICAOF", "127.0.0.1", "\(try freePort())")
        let error = #expect(throws: RedisError.self) { try client.call("SET", "a", "1") }
        #expect(error?.serverPrefix == "READONLY")
        try server.cli("CONFIG", "SET", "replica-serve-stale-data", "no")
        let stale = #expect(throws: RedisError.self) { try client.call("GET", "a") }
        #expect(stale?.serverPrefix == "MASTERDOWN")
    }

    @Test func tellsTheFactsOfAServer() throws {
        let server = try RedisServer.start(.init(settings: ["maxmemory-policy": "allkeys-lru", "appendonly": "yes"]))
        let client = try LiveClient(upAt: server.url)
        let evicting = try client.facts()
        #expect(evicting.refusals.count == 1 && evicting.refusals[0].contains("allkeys-lru"))
        #expect(evicting.warnings.isEmpty && evicting.hasAppendOnlyFile)
        let lead = try #require(evicting.clockLead)
        #expect(lead > .seconds(-60) && lead < .seconds(60), "INFO tells the server's clock")
        try server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
        try server.cli("CONFIG", "SET", "appendonly", "no")
        let forgetful = try client.facts()
        #expect(forgetful.refusals.isEmpty)
        #expect(forgetful.warnings.count == 1 && forgetful.warnings[0].contains("appendonly"))
    }

    @Test func keepsItsDataOverARestartOnlyWhenAsked() throws {
        let server = try RedisServer.start(.init(settings: ["appendonly": "yes", "appendfsync": "always"]))
        try server.cli("SET", "a", "1")
        try server.restart()
        #expect(try server.cli("GET", "a") == "1")
        try server.restart(withoutData: true)
        #expect(try server.cli("GET", "a") == "")
    }
}
