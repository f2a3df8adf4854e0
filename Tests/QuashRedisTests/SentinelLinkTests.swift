import QuashLoop
import Testing

@testable import QuashRedis

/// What a sentinel answers when it is asked for the address of a master.
private func named(_ host: String, _ port: Int) -> RESPValue {
    .array([.bulk(Array(host.utf8)), .bulk(Array("\(port)".utf8))])
}

private func role(_ name: String) -> RESPValue {
    .array([.bulk(Array(name.utf8)), .integer(0), .array([])])
}

private let question = RedisCommand("SENTINEL", "get-master-addr-by-name", "mymaster")
private let master = Endpoint.tcp(host: "10.0.0.1", port: 7_001)

private func sentinel(_ host: String) -> Endpoint {
    .tcp(host: host, port: 26_379)
}

@Suite struct DiscoveryTests {
    private func discovery() throws -> Discovery {
        Discovery(try RedisURL("redis-sentinel://a,b,c/mymaster").location)
    }

    /// Whom an attempt asks, in order, when nobody answers.
    private func order(_ discovery: Discovery) -> [Endpoint] {
        var discovery = discovery
        var order = [discovery.begin().endpoint]
        while let next = discovery.failed(gone) { order.append(next.endpoint) }
        return order
    }

    @Test func goesToAFixedAddressAtOnce() throws {
        var discovery = Discovery(try RedisURL("redis://h").location)
        #expect(discovery.begin() == .server(.tcp(host: "h", port: 6_379)))
        discovery.misled()
        #expect(discovery.begin() == .server(.tcp(host: "h", port: 6_379)))
    }

    @Test func asksOneAfterTheOther() throws {
        var discovery = try discovery()
        #expect(discovery.begin() == .sentinel(sentinel("a")))
        #expect(discovery.question == question)
        #expect(discovery.failed(RedisError(.unavailable, "a is away")) == .sentinel(sentinel("b")))
        #expect(discovery.failed(RedisError(.timedOut, "b is mute")) == .sentinel(sentinel("c")))
        #expect(discovery.failed(RedisError(.unavailable, "c is away")) == nil)
        #expect(discovery.failure.code == .unavailable)
        #expect(
            discovery.failure.description == "no sentinel names the master mymaster: a is away; b is mute; c is away")
        #expect(order(discovery) == [sentinel("a"), sentinel("b"), sentinel("c")], "the next attempt is a new one")
    }

    @Test func asksFirstWhoAnswered() throws {
        var discovery = try discovery()
        _ = discovery.begin()
        _ = discovery.failed(gone)
        #expect(try discovery.received(named("10.0.0.1", 7_001)) == .server(master))
        #expect(order(discovery) == [sentinel("b"), sentinel("c"), sentinel("a")])
    }

    @Test func asksLastWhoNamedTheWrongServer() throws {
        var discovery = try discovery()
        _ = discovery.begin()
        _ = try discovery.received(named("10.0.0.1", 7_001))
        discovery.misled()
        #expect(order(discovery) == [sentinel("b"), sentinel("c"), sentinel("a")])
    }

    @Test func takesNamesAndAddressesOfBothKinds() throws {
        for host in ["redis-1.example", "127.0.0.1", "2001:db8::1"] {
            var discovery = try discovery()
            _ = discovery.begin()
            #expect(try discovery.received(named(host, 6_379)) == .server(.tcp(host: host, port: 6_379)))
        }
    }

    @Test func saysThatASentinelDoesNotKnowTheMaster() throws {
        var discovery = try discovery()
        _ = discovery.begin()
        let unknown = #expect(throws: RedisError.self) { try discovery.received(.null) }
        #expect(unknown?.description == "the sentinel at a:26379 watches no master called mymaster")
        let refused = #expect(throws: RedisError.self) {
            try discovery.received(.error("ERR unknown command 'SENTINEL', with args beginning with: 'get-master"))
        }
        #expect(
            refused?.description
                == "Redis refused to name the master mymaster, at a:26379: ERR unknown command 'SENTINEL'")
    }

    @Test(
        arguments: [
            .array([]), .array([.bulk(Array("h".utf8))]), named("h", 0), named("h", 65_536), named("h", -1),
            named("", 1),
            named("h h", 1), named("h\r\nx", 1), named(String(repeating: "h", count: 256), 1), ok, .integer(1),
            .array([.bulk(Array("h".utf8)), .bulk(Array("port".utf8))]), .array([.null, .null]),
            .array([.bulk(Array("h".utf8)), .bulk(Array("1".utf8)), .bulk(Array("x".utf8))]),
        ] as [RESPValue])
    func refusesWhatNamesNobody(_ reply: RESPValue) throws {
        var discovery = try discovery()
        _ = discovery.begin()
        let error = #expect(throws: RedisError.self) { try discovery.received(reply) }
        #expect(error?.code == .protocolViolation && error?.description.contains("a:26379") == true)
    }
}

/// A link that finds its master through sentinels.
@Suite struct SentinelLinkTests {
    private func machine(_ url: String = "redis-sentinel://a,b/mymaster") throws -> LinkMachine {
        LinkMachine(try RedisOptions(url: RedisURL(url)))
    }

    /// A machine that is up with `master`, which a has named.
    private func up() throws -> LinkMachine {
        var machine = try machine()
        _ = machine.start(now: at(0))
        _ = machine.opened()
        _ = machine.received(named("10.0.0.1", 7_001), now: at(0))
        _ = machine.opened()
        _ = machine.received(role("master"), now: at(0))
        #expect(machine.received(pong, now: at(0)) == .becameUp)
        return machine
    }

    @Test func asksASentinelThenGreetsTheMaster() throws {
        var machine = try machine("redis-sentinel://quash:secret@a,b/mymaster/2")
        #expect(machine.start(now: at(0)) == sentinel("a"))
        #expect(machine.deadline == at(2_000) && machine.peer == "the sentinel at a:26379")
        #expect(machine.opened() == [question], "a sentinel gets no password of the Redis")
        #expect(machine.deadline == at(2_000))
        #expect(machine.received(named("10.0.0.1", 7_001), now: at(500)) == .connect(master))
        #expect(machine.deadline == at(2_500), "the master has a time of its own")
        #expect(machine.peer == "Redis at 10.0.0.1:7001")
        #expect(
            machine.opened() == [
                RedisCommand("AUTH", "quash", "secret"), RedisCommand("SELECT", "2"), RedisCommand("ROLE"),
                RedisCommand("PING"),
            ])
        #expect(machine.received(ok, now: at(501)) == .nothing)
        #expect(machine.received(ok, now: at(501)) == .nothing)
        #expect(machine.received(role("master"), now: at(501)) == .nothing)
        #expect(!machine.isUp && machine.server == nil)
        #expect(machine.received(pong, now: at(502)) == .becameUp)
        #expect(machine.isUp && machine.server == master && machine.generation == 1 && machine.deadline == nil)
        #expect(machine.received(ok, now: at(503)) == .deliver)
    }

    @Test func goesOnToTheNextSentinelWithoutAWait() throws {
        var machine = try machine()
        #expect(machine.start(now: at(0)) == sentinel("a"))
        #expect(machine.lost(gone, now: at(1), random: .max) == .connect(sentinel("b")))
        #expect(machine.deadline == at(2_001))
        #expect(machine.opened() == [question])
        #expect(machine.received(named("10.0.0.1", 7_001), now: at(2)) == .connect(master))
    }

    @Test func passesOverASentinelThatTakesTooLong() throws {
        for isOpened in [false, true] {
            var machine = try machine()
            _ = machine.start(now: at(0))
            if isOpened { _ = machine.opened() }
            #expect(machine.deadlineReached(now: at(1_999)) == .nothing)
            let late = RedisError(.timedOut, "the sentinel at a:26379 did not answer within 2.0 seconds")
            #expect(machine.deadlineReached(now: at(2_000)) == .drop(late))
            #expect(machine.lost(late, now: at(2_000), random: .max) == .connect(sentinel("b")))
        }
    }

    @Test func passesOverASentinelThatDoesNotKnow() throws {
        var machine = try machine()
        _ = machine.start(now: at(0))
        _ = machine.opened()
        let unknown = RedisError(.unavailable, "the sentinel at a:26379 watches no master called mymaster")
        #expect(machine.received(.null, now: at(1)) == .drop(unknown))
        #expect(machine.lost(unknown, now: at(1), random: .max) == .connect(sentinel("b")))
    }

    @Test func waitsWhenNoSentinelAnswers() throws {
        var machine = try machine()
        _ = machine.start(now: at(0))
        #expect(machine.lost(gone, now: at(0), random: .max) == .connect(sentinel("b")))
        guard case .tell(let error) = machine.lost(gone, now: at(10), random: .max) else {
            Issue.record("the user was not told")
            return
        }
        #expect(error.description.hasPrefix("no sentinel names the master mymaster: "))
        #expect(machine.deadline == at(60) && machine.peer == "the Redis master mymaster")
        #expect(machine.deadlineReached(now: at(60)) == .connect(sentinel("a")))
    }

    @Test func refusesAReplicaAndAsksAnotherSentinelFirst() throws {
        var machine = try machine()
        _ = machine.start(now: at(0))
        _ = machine.opened()
        _ = machine.received(named("10.0.0.1", 7_001), now: at(0))
        _ = machine.opened()
        let error = RedisError(
            .unavailable, "Redis at 10.0.0.1:7001, which a sentinel calls the master, says that it is a replica")
        #expect(machine.received(role("slave"), now: at(1)) == .drop(error))
        #expect(machine.lost(error, now: at(1), random: .max) == .tell(error))
        #expect(machine.deadline == at(51) && machine.generation == 0)
        #expect(machine.deadlineReached(now: at(51)) == .connect(sentinel("b")))
        _ = machine.opened()
        #expect(
            machine.received(named("10.0.0.2", 7_001), now: at(52)) == .connect(.tcp(host: "10.0.0.2", port: 7_001)))
    }

    @Test func asksAnotherSentinelFirstWhenTheServerCannotBeReached() throws {
        var machine = try machine()
        _ = machine.start(now: at(0))
        _ = machine.opened()
        _ = machine.received(named("10.0.0.1", 7_001), now: at(0))
        #expect(machine.lost(gone, now: at(1), random: .max) == .tell(gone))
        #expect(machine.deadlineReached(now: at(51)) == .connect(sentinel("b")))
    }

    @Test func discoversAnewAfterALoss() throws {
        var machine = try up()
        #expect(machine.lost(gone, now: at(10), random: .max) == .tell(gone))
        #expect(machine.deadlineReached(now: at(60)) == .connect(sentinel("a")), "who answered is asked first")
        _ = machine.opened()
        let other = Endpoint.tcp(host: "10.0.0.2", port: 7_002)
        #expect(machine.received(named("10.0.0.2", 7_002), now: at(61)) == .connect(other))
        _ = machine.opened()
        _ = machine.received(role("master"), now: at(62))
        #expect(machine.received(pong, now: at(62)) == .becameUp)
        #expect(machine.server == other && machine.generation == 2)
    }

    @Test(arguments: [
        "READONLY You can't write against a read only replica.", "NOREPLICAS Not enough good replicas to write.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    ])
    func leavesAServerThatTakesNoWrites(_ text: String) throws {
        var machine = try up()
        guard case .deliverAndDrop(let error) = machine.received(.error(text), now: at(1)) else {
            Issue.record("the connection stays")
            return
        }
        #expect(error.description.contains("10.0.0.1:7001") && error.description.contains(text))
        #expect(machine.lost(error, now: at(1), random: .max) == .tell(error))
        #expect(machine.deadlineReached(now: at(51)) == .connect(sentinel("b")))

        var plain = LinkMachine(try RedisOptions(url: RedisURL("redis://h")))
        _ = plain.start(now: at(0))
        _ = plain.opened()
        _ = plain.received(pong, now: at(0))
        #expect(plain.received(.error(text), now: at(1)) == .deliver, "there is no other server to go to")
    }

    @Test func keepsAServerThatRefusesForOtherReasons() throws {
        for text in ["ERR no such command", "NOSCRIPT No matching script.", "OOM command not allowed", "BUSY"] {
            var machine = try up()
            #expect(machine.received(.error(text), now: at(1)) == .deliver)
        }
    }

    @Test func staysClosedWhileItAsks() throws {
        var machine = try machine()
        _ = machine.start(now: at(0))
        machine.close()
        #expect(machine.deadline == nil)
        #expect(machine.lost(gone, now: at(1), random: 0) == .nothing)
        #expect(machine.deadlineReached(now: at(10_000)) == .nothing)
    }
}
