import QuashCrypto
import QuashLoop
import QuashRedis
import TestSupport
import Testing

extension LiveClient {
    /// The TCP port of the server that the client is up with.
    func serverPort(setting: String = "port") throws -> UInt16? {
        try call("CONFIG", "GET", setting).elements?.last?.integer.map { UInt16($0) }
    }
}

private func options(_ url: String) throws -> RedisOptions {
    var options = try RedisOptions(url: RedisURL(url))
    options.clientName = "quash-test"
    options.backoff = .milliseconds(20) ... .milliseconds(200)
    return options
}

/// Against three real sentinels, a master and its replicas, which each test starts for itself.
@Suite struct SentinelTests {
    /// The command client and the subscriber of one process, both up with the master.
    private struct Pair {
        let client: LiveClient
        let subscriber: LiveSubscriber
        private let trio: SentinelTrio

        init(_ trio: SentinelTrio) throws {
            self.trio = trio
            client = try LiveClient(options(trio.url()))
            subscriber = try LiveSubscriber(options(trio.url()), channels: ["feed"])
            try client.waitUntilUp()
            try subscriber.waitUntilSubscribed()
        }

        func expect(at server: RedisServer) throws {
            #expect(try client.serverPort() == server.port, "\(client.states.all)\n\(trio.log)")
            #expect(try server.cli("PUBLISH", "feed", "to \(server.port ?? 0)") == "1")
            #expect(poll { subscriber.payloads.last == "to \(server.port ?? 0)" })
        }
    }

    @Test func bothMoveToThePromotedServerWhenTheMasterIsKilled() throws {
        let trio = try SentinelTrio.start()
        let old = trio.servers[0]
        let pair = try Pair(trio)
        try pair.expect(at: old)

        old.kill9()
        let promoted = try trio.waitForMaster(otherThan: old)
        try pair.client.waitUntilUp(generation: 2)
        try pair.subscriber.waitUntilSubscribed(generation: 2)
        try pair.expect(at: promoted)

        // It believes itself to be the master until the sentinels tell it otherwise.
        try old.restart()
        let isReplica = poll {
            let facts = (try? old.cli("INFO", "replication")) ?? ""
            return facts.contains("role:slave") && facts.contains("master_port:\(promoted.port ?? 0)")
        }
        #expect(isReplica)
        try promoted.cli("CLIENT", "KILL", "TYPE", "normal")
        try promoted.cli("CLIENT", "KILL", "TYPE", "pubsub")
        try pair.client.waitUntilUp(generation: 3)
        try pair.subscriber.waitUntilSubscribed(generation: 3)
        try pair.expect(at: promoted)
        // Every connection through sentinels asks for the role; nobody else here does.
        #expect(try promoted.cli("INFO", "commandstats").contains("cmdstat_role:"))
        #expect(try !old.cli("INFO", "commandstats").contains("cmdstat_role:"), "it was never used again")
        #expect(trio.sentinels.allSatisfy { $0.isRunning })
    }

    @Test func bothLeaveAMasterThatIsDemotedWhileTheyAreIdle() throws {
        let trio = try SentinelTrio.start()
        let old = trio.servers[0]
        let pair = try Pair(trio)
        try trio.failOver()
        let promoted = try trio.waitForMaster(otherThan: old)
        // Sentinels end the connections of what they demote (CLIENT KILL TYPE normal, and pubsub).
        #expect(try pair.client.waitUntilDown()?.code == .unavailable)
        #expect(try pair.subscriber.waitUntilLost()?.code == .unavailable)
        try pair.client.waitUntilUp(generation: 2)
        try pair.subscriber.waitUntilSubscribed(generation: 2)
        try pair.expect(at: promoted)
        #expect(try old.cli("INFO", "replication").contains("role:slave"))
    }

    @Test func passesOverSentinelsThatAreDown() throws {
        let trio = try SentinelTrio.start(.init(replicas: 0, users: ["user quash on >secret ~* &* +@all"]))
        for sentinel in trio.sentinels.dropLast() { sentinel.kill9() }
        let client = try LiveClient(options(trio.url(credentials: "quash:secret")))
        try client.waitUntilUp()
        #expect(try client.call("ACL", "WHOAMI").text == "quash", "the sentinel is asked without credentials")

        trio.sentinels.last?.kill9()
        try trio.servers[0].cli("CLIENT", "KILL", "TYPE", "normal")
        let error = try client.states.wait { state in
            if case .down(let error) = state { error.description.hasPrefix("no sentinel") } else { false }
        }
        for sentinel in trio.sentinels { #expect("\(error)".contains(sentinel.address)) }
    }

    @Test func talksTLSToSentinelsAndMaster() throws {
        let trio = try SentinelTrio.start(.init(replicas: 1, usesTLS: true))
        let folder = try TemporaryFolder()
        let client = try LiveClient(
            RedisOptions(
                url: RedisURL(trio.url()), authoritiesFile: folder.write("ca.pem", TestCertificates.authority),
                identity: TLSContext.Identity(
                    certificateChainPath: folder.write("client.pem", TestCertificates.client),
                    privateKeyPath: folder.write("client.key", TestCertificates.clientKey))))
        try client.waitUntilUp()
        #expect(try client.serverPort(setting: "tls-port") == trio.servers[0].tlsPort)
        #expect(try client.call("SET", "a", "1").text == "OK", "its replica came over TLS too")
    }
}

/// Real servers, and sentinels that say what a test wants.
@Suite struct SentinelAnswerTests {
    @Test func waitsForAServerThatIsCalledTheMasterToSayItToo() throws {
        let server = try RedisServer.start(.init(listensOnTCP: true))
        try server.cli("REPLICAOF", "127.0.0.1", "\(try freePort())")
        let sentinel = try ScriptedSentinel(naming: try #require(server.port))
        let client = try LiveClient(options(ScriptedSentinel.url(sentinel)))
        #expect(try client.waitUntilDown()?.description.hasSuffix("says that it is a replica") == true)
        #expect(client.states.all.allSatisfy { if case .up = $0 { false } else { true } })
        try server.cli("REPLICAOF", "NO", "ONE")
        try client.waitUntilUp()
        #expect(sentinel.questions.all.count > 1)
    }

    @Test func passesOverASentinelThatIsMuteOrKnowsNothing() throws {
        let server = try RedisServer.start(.init(listensOnTCP: true))
        let mute = try ScriptedSentinel(nil)
        let ignorant = try ScriptedSentinel("*-1\r\n")
        let locked = try ScriptedSentinel("-NOAUTH Authentication required.\r\n")
        let right = try ScriptedSentinel(naming: try #require(server.port))
        var options = try options(ScriptedSentinel.url(mute, ignorant, locked, right))
        options.connectTimeout = .milliseconds(200)
        let client = try LiveClient(options)
        try client.waitUntilUp()
        #expect(client.states.all == [.up(generation: 1)])
        for sentinel in [mute, ignorant, locked, right] {
            let question = "*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n$8\r\nmymaster\r\n"
            #expect(sentinel.questions.all == [question])
        }
        // Who answered is asked first.
        try server.cli("CLIENT", "KILL", "TYPE", "normal")
        try client.waitUntilUp(generation: 2)
        #expect([mute, ignorant, locked, right].map { $0.questions.all.count } == [1, 1, 1, 2])
    }

    @Test func leavesAServerWithoutReplicasForTheOneThatAnotherSentinelNames() throws {
        // The first was the master once, and is cut off with one of the sentinels.
        let alone = try RedisServer.start(.init(settings: ["min-replicas-to-write": "1"], listensOnTCP: true))
        let master = try RedisServer.start(.init(listensOnTCP: true))
        let late = try ScriptedSentinel(naming: try #require(alone.port))
        let right = try ScriptedSentinel(naming: try #require(master.port))
        let client = try LiveClient(options(ScriptedSentinel.url(late, right)))
        try client.waitUntilUp()
        #expect(try client.serverPort() == alone.port)
        let failure = #expect(throws: RedisError.self) { try client.call("SET", "a", "1") }
        #expect(failure?.serverPrefix == "NOREPLICAS")
        try client.waitUntilUp(generation: 2)
        #expect(try client.serverPort() == master.port)
        #expect(try client.call("SET", "a", "1").text == "OK")
        #expect([late, right].map { $0.questions.all.count } == [1, 1])
    }

    @Test func refusesAMasterThatGoesOnWithoutReplicas() throws {
        let server = try RedisServer.start(.init(listensOnTCP: true))
        let sentinel = try ScriptedSentinel(naming: try #require(server.port))
        let client = try LiveClient(options(ScriptedSentinel.url(sentinel)))
        try client.waitUntilUp()
        let refusals = try client.facts().refusals
        #expect(refusals.count == 1 && refusals[0].contains("set min-replicas-to-write 1 and min-replicas-max-lag 10"))
        let plain = try LiveClient(upAt: server.url)
        #expect(try plain.facts().refusals.isEmpty, "nobody promotes another one")

        try server.cli("CONFIG", "SET", "min-replicas-to-write", "1")
        #expect(try client.facts().refusals.isEmpty)
        try server.cli("CONFIG", "SET", "min-replicas-max-lag", "0")
        #expect(try client.facts().refusals.count == 1, "without a greatest lag it does nothing")
        #expect(!sentinel.questions.all.isEmpty)
    }

    @Test func saysThatAUserMayNotAskForTheRole() throws {
        let server = try RedisServer.start(
            .init(users: ["user node on >pw resetchannels -@all +ping"], listensOnTCP: true))
        let sentinel = try ScriptedSentinel(naming: try #require(server.port))
        let url = ScriptedSentinel.url(sentinel).replacing("://", with: "://node:pw@")
        let error = try LiveClient(options(url)).waitUntilDown()
        #expect(error?.serverPrefix == "NOPERM" && error?.description.contains("ROLE") == true)
        #expect(!sentinel.questions.all.isEmpty)
    }
}
