import QuashCrypto
import QuashRedis
import TestSupport
import Testing

/// `rediss://` against a real redis-server that wants a certificate of its clients.
@Suite struct RedisTLSTests {
    private let folder: TemporaryFolder
    private let server: RedisServer
    private let authoritiesFile: String
    private let identity: TLSContext.Identity

    init() throws {
        folder = try TemporaryFolder()
        server = try RedisServer.start(.init(users: ["user quash on >secret ~* &* +@all"], listensWithTLS: true))
        authoritiesFile = try folder.write("ca.pem", TestCertificates.authority)
        identity = TLSContext.Identity(
            certificateChainPath: try folder.write("client.pem", TestCertificates.client),
            privateKeyPath: try folder.write("client.key", TestCertificates.clientKey))
    }

    private func url(host: String = "localhost") throws -> RedisURL {
        try RedisURL("rediss://quash:secret@\(host):\(#require(server.tlsPort))")
    }

    @Test(arguments: ["localhost", "127.0.0.1"])
    func talksToAServerThatItTrusts(_ host: String) throws {
        let options = try RedisOptions(url: url(host: host), authoritiesFile: authoritiesFile, identity: identity)
        let client = try LiveClient(options)
        try client.waitUntilUp()
        #expect(try client.call("ACL", "WHOAMI").text == "quash")
        #expect(try client.call("SETRANGE", "large", "999999", "x").integer == 1_000_000)
        #expect(try client.call("GET", "large").bytes?.count == 1_000_000)
        let megabyte = String(repeating: "y", count: 1_000_000)
        #expect(try client.call("SET", "large", megabyte).text == "OK")
        #expect(try client.call("STRLEN", "large").integer == 1_000_000)
    }

    @Test func subscribes() throws {
        let options = try RedisOptions(url: url(), authoritiesFile: authoritiesFile, identity: identity)
        let subscriber = try LiveSubscriber(options, channels: ["a"])
        try subscriber.waitUntilSubscribed()
        #expect(try server.cli("PUBLISH", "a", "hello") == "1")
        #expect(poll { subscriber.payloads == ["hello"] })
    }

    @Test func refusesAServerThatItDoesNotTrust() throws {
        let other = try folder.write("other.pem", TestCertificates.otherAuthority)
        let client = try LiveClient(RedisOptions(url: url(), authoritiesFile: other, identity: identity))
        #expect(try client.waitUntilDown()?.description.contains("certificate") == true)
        #expect(client.states.all.allSatisfy { if case .up = $0 { false } else { true } })
    }

    @Test func isRefusedWithoutACertificate() throws {
        let client = try LiveClient(RedisOptions(url: url(), authoritiesFile: authoritiesFile))
        #expect(try client.waitUntilDown() != nil)
        #expect(client.states.all.allSatisfy { if case .up = $0 { false } else { true } })
    }

    @Test func connectsAgainAfterTheServerWasKilled() throws {
        let options = try RedisOptions(url: url(), authoritiesFile: authoritiesFile, identity: identity)
        let client = try LiveClient(options)
        try client.waitUntilUp()
        server.kill9()
        #expect(try client.waitUntilDown()?.code == .unavailable)
        try server.restart()
        try client.waitUntilUp(generation: 2)
    }
}
