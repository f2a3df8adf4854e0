import QuashLoop
import Testing

@testable import QuashRedis

/// `milliseconds` after an arbitrary beginning.
func at(_ milliseconds: Int) -> LoopInstant {
    LoopInstant(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds)
}

let ok = RESPValue.simple(Array("OK".utf8))
let pong = RESPValue.simple(Array("PONG".utf8))
let gone = RedisError(.unavailable, "the connection is gone")

@Suite struct HandshakeTests {
    private func options(_ url: String, name: String? = nil) throws -> RedisOptions {
        var options = try RedisOptions(url: RedisURL(url))
        options.clientName = name
        return options
    }

    @Test func asksOnlyForWhatIsNeeded() throws {
        let plain = Handshake(try options("redis://h"))
        #expect(plain.commands == [RedisCommand("PING")])
        let full = Handshake(try options("redis://quash:secret@h/4", name: "issuer"))
        #expect(
            full.commands == [
                RedisCommand("AUTH", "quash", "secret"), RedisCommand("SELECT", "4"),
                RedisCommand("CLIENT", "SETNAME", "issuer"), RedisCommand("PING"),
            ])
        let password = Handshake(try options("redis://:secret@h"))
        #expect(password.commands == [RedisCommand("AUTH", "secret"), RedisCommand("PING")])
        let user = Handshake(try options("redis://quash@h"))
        #expect(user.commands.first == RedisCommand("AUTH", "quash", ""))
    }

    @Test func isOverWithTheLastReply() throws {
        var handshake = Handshake(try options("redis://quash:secret@h/4", name: "issuer"))
        #expect(try !handshake.received(ok))
        #expect(try !handshake.received(ok))
        // A user who may not name itself is welcome all the same.
        #expect(try !handshake.received(.error("NOPERM this user has no permissions to run 'client|setname'")))
        #expect(try handshake.received(pong))
    }

    @Test(arguments: [
        ("redis://quash:secret@h", "WRONGPASS invalid username-password pair or user is disabled.", "WRONGPASS"),
        ("redis://h/99", "ERR DB index is out of range", "ERR"),
        ("redis://h", "NOAUTH Authentication required.", "NOAUTH"),
        ("redis://h", "LOADING Redis is loading the dataset in memory", "LOADING"),
        ("redis://h", "BUSY Redis is busy running a script", "BUSY"),
    ])
    func failsByTheServersWord(_ url: String, _ text: String, _ prefix: String) throws {
        var handshake = Handshake(try options(url))
        let error = #expect(throws: RedisError.self) { try handshake.received(.error(text)) }
        #expect(error?.serverPrefix == prefix)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func acceptsAUserWhoMayNotPing() throws {
        var handshake = Handshake(try options("redis://h"))
        #expect(try handshake.received(.error("NOPERM this user has no permissions to run the 'ping' command")))
    }

    @Test func asksForTheRoleOfAServerThatSentinelsName() throws {
        let server = Endpoint.tcp(host: "h", port: 1)
        let master = RESPValue.array([.bulk(Array("master".utf8)), .integer(0), .array([])])
        var handshake = Handshake(try options("redis-sentinel://h/m"), expectedMaster: server)
        #expect(handshake.commands == [RedisCommand("ROLE"), RedisCommand("PING")])
        #expect(try !handshake.received(master))
        #expect(try handshake.received(pong))
        for (role, word) in [("slave", "a replica"), ("sentinel", "no master")] {
            var handshake = Handshake(try options("redis-sentinel://h/m"), expectedMaster: server)
            let error = #expect(throws: RedisError.self) {
                try handshake.received(.array([.bulk(Array(role.utf8))]))
            }
            #expect(error?.code == .unavailable && error?.description.hasSuffix(word) == true)
        }
        for reply in [ok, .array([]), .array([.null]), .null] {
            var handshake = Handshake(try options("redis-sentinel://h/m"), expectedMaster: server)
            let error = #expect(throws: RedisError.self) { try handshake.received(reply) }
            #expect(error?.code == .protocolViolation)
        }
        // Who may not ask cannot be sure.
        var forbidden = Handshake(try options("redis-sentinel://h/m"), expectedMaster: server)
        let error = #expect(throws: RedisError.self) {
            try forbidden.received(.error("NOPERM this user has no permissions to run the 'role' command"))
        }
        #expect(error?.serverPrefix == "NOPERM" && error?.description.contains("ROLE") == true)
    }

    @Test func refusesWhatIsNotRedis() throws {
        for reply in [ok, .integer(1), .array([]), .null, .bulk(Array("PONG".utf8))] {
            var handshake = Handshake(try options("redis://h"))
            let error = #expect(throws: RedisError.self) { try handshake.received(reply) }
            #expect(error?.code == .protocolViolation)
        }
    }
}

@Suite struct LinkMachineTests {
    private let host = Endpoint.tcp(host: "h", port: 6_379)

    private func machine(_ url: String = "redis://h") throws -> LinkMachine {
        LinkMachine(try RedisOptions(url: RedisURL(url)))
    }

    /// A machine that is up since `moment`.
    private func up(at moment: LoopInstant) throws -> LinkMachine {
        var machine = try machine()
        _ = machine.start(now: moment)
        _ = machine.opened()
        #expect(machine.received(pong, now: moment) == .becameUp)
        return machine
    }

    @Test func connectsGreetsAndIsUp() throws {
        var machine = try machine("redis://:secret@h")
        #expect(machine.deadline == nil && !machine.isUp)
        #expect(machine.start(now: at(0)) == host)
        #expect(machine.deadline == at(2_000))
        #expect(machine.opened() == [RedisCommand("AUTH", "secret"), RedisCommand("PING")])
        #expect(machine.deadline == at(2_000), "one deadline for all of it")
        #expect(machine.received(ok, now: at(1)) == .nothing)
        #expect(!machine.isUp && machine.generation == 0)
        #expect(machine.received(pong, now: at(2)) == .becameUp)
        #expect(machine.isUp && machine.generation == 1 && machine.deadline == nil)
        #expect(machine.received(ok, now: at(3)) == .deliver)
    }

    @Test func givesUpAConnectionThatTakesTooLong() throws {
        for isOpened in [false, true] {
            var machine = try machine()
            #expect(machine.start(now: at(0)) == host)
            if isOpened { _ = machine.opened() }
            #expect(machine.deadlineReached(now: at(1_999)) == .nothing)
            guard case .drop(let error) = machine.deadlineReached(now: at(2_000)) else {
                Issue.record("the connection was not dropped")
                continue
            }
            #expect(error.code == .timedOut)
            #expect(machine.lost(gone, now: at(2_000), random: .max) == .tell(gone))
            #expect(machine.deadline == at(2_050))
        }
    }

    @Test func dropsAConnectionThatIsRefused() throws {
        var machine = try machine("redis://:secret@h")
        #expect(machine.start(now: at(0)) == host)
        _ = machine.opened()
        guard case .drop(let error) = machine.received(.error("WRONGPASS no"), now: at(1)) else {
            Issue.record("the connection was not dropped")
            return
        }
        #expect(error.serverPrefix == "WRONGPASS")
        #expect(!machine.isUp && machine.generation == 0)
    }

    @Test func triesAgainAfterAWait() throws {
        var machine = try machine()
        #expect(machine.start(now: at(0)) == host)
        #expect(machine.lost(gone, now: at(10), random: .max) == .tell(gone))
        #expect(machine.deadline == at(60))
        #expect(machine.deadlineReached(now: at(59)) == .nothing)
        #expect(machine.deadlineReached(now: at(60)) == .connect(host))
        #expect(machine.deadline == at(2_060))
        #expect(machine.lost(gone, now: at(70), random: .max) == .tell(gone))
        #expect(machine.deadline == at(170), "the second wait is twice the first")
        #expect(machine.deadlineReached(now: at(200)) == .connect(host))
        #expect(machine.opened() == [RedisCommand("PING")])
        #expect(machine.received(pong, now: at(201)) == .becameUp)
        #expect(machine.generation == 1, "failed attempts are no connections")
    }

    @Test func countsConnections() throws {
        var machine = try up(at: at(0))
        #expect(machine.lost(gone, now: at(1), random: 0) == .tell(gone))
        #expect(!machine.isUp && machine.generation == 1)
        #expect(machine.deadlineReached(now: at(100)) == .connect(host))
        _ = machine.opened()
        #expect(machine.received(pong, now: at(101)) == .becameUp)
        #expect(machine.generation == 2)
    }

    @Test func keepsDoublingWhileConnectionsAreShort() throws {
        var machine = try up(at: at(0))
        var now = 0
        for wait in [50, 100, 200, 400, 800, 1_600, 2_000] {
            #expect(machine.lost(gone, now: at(now), random: .max) == .tell(gone))
            #expect(machine.deadline == at(now + wait))
            now += wait
            #expect(machine.deadlineReached(now: at(now)) == .connect(host))
            _ = machine.opened()
            #expect(machine.received(pong, now: at(now)) == .becameUp)
        }
        now += 2_000
        #expect(machine.lost(gone, now: at(now), random: .max) == .tell(gone))
        #expect(machine.deadline == at(now + 50), "a connection that held makes it forget")
    }

    @Test func staysClosed() throws {
        var machine = try up(at: at(0))
        machine.close()
        #expect(machine.deadline == nil && !machine.isUp && machine.server == nil)
        #expect(machine.lost(gone, now: at(1), random: 0) == .nothing)
        #expect(machine.deadline == nil)
        #expect(machine.deadlineReached(now: at(10_000)) == .nothing)
    }
}

@Suite struct CommandPipelineTests {
    @Test func answersInOrder() {
        var pipeline = CommandPipeline<Int>()
        #expect(pipeline.received() == nil)
        for number in 1...3 { pipeline.sent(number, deadline: at(number)) }
        #expect(pipeline.count == 3)
        #expect([pipeline.received(), pipeline.received(), pipeline.received()] == [1, 2, 3])
        #expect(pipeline.received() == nil)
        #expect(pipeline.earliestDeadline == nil)
    }

    @Test func staysInOrderAcrossManyReplies() {
        var pipeline = CommandPipeline<Int>()
        var sent = 0
        var answered = 0
        for round in 0..<2_000 {
            for _ in 0..<(round % 7) where !pipeline.isFull {
                pipeline.sent(sent, deadline: at(0))
                sent += 1
            }
            for _ in 0..<(round % 5) where pipeline.count > 1 {
                #expect(pipeline.received() == answered)
                answered += 1
            }
        }
        while let request = pipeline.received() {
            #expect(request == answered)
            answered += 1
        }
        #expect(answered == sent && sent > 3_000)
    }

    @Test func isFullAtItsLimit() {
        var pipeline = CommandPipeline<Int>()
        for number in 0..<RedisLimits.maxPendingReplies {
            #expect(!pipeline.isFull)
            pipeline.sent(number, deadline: at(0))
        }
        #expect(pipeline.isFull)
        _ = pipeline.received()
        #expect(!pipeline.isFull)
    }

    @Test func oneLateCommandFailsAll() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(500))
        pipeline.sent(2, deadline: at(100))
        pipeline.sent(3, deadline: at(900))
        #expect(pipeline.earliestDeadline == at(100))
        #expect(pipeline.deadlineReached(now: at(99)).isEmpty)
        let failures = pipeline.deadlineReached(now: at(100))
        #expect(failures.map(\.request) == [1, 2, 3])
        #expect(failures.map(\.error.code) == [.lost, .timedOut, .lost])
        #expect(pipeline.count == 0 && pipeline.earliestDeadline == nil && pipeline.received() == nil)
    }

    @Test func anAnsweredCommandIsNeverLate() {
        var pipeline = CommandPipeline<Int>()
        pipeline.sent(1, deadline: at(100))
        pipeline.sent(2, deadline: at(500))
        #expect(pipeline.received() == 1)
        #expect(pipeline.deadlineReached(now: at(100)).isEmpty)
        #expect(pipeline.earliestDeadline == at(500))
        #expect(pipeline.deadlineReached(now: at(500)).map(\.request) == [2])
    }

    @Test func losesEverythingWithTheConnection() {
        var pipeline = CommandPipeline<Int>()
        for number in 1...3 { pipeline.sent(number, deadline: at(100)) }
        _ = pipeline.received()
        let failures = pipeline.lost(because: "the peer closed the connection")
        #expect(failures.map(\.request) == [2, 3])
        #expect(failures.allSatisfy { $0.error.code == .lost && $0.error.description.contains("peer closed") })
        #expect(pipeline.lost(because: "again").isEmpty)
    }
}
