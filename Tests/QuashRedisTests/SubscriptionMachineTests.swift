import Testing

@testable import QuashRedis

@Suite struct SubscriptionMachineTests {
    private let timing = SubscriptionTiming(silence: .seconds(1), answer: .seconds(2))

    private func array(_ elements: RESPValue...) -> RESPValue { .array(elements) }
    private func bulk(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }

    private func confirmation(_ channel: String, _ count: Int64) -> RESPValue {
        array(bulk("subscribe"), bulk(channel), .integer(count))
    }

    private func subscribed() -> SubscriptionMachine {
        var machine = SubscriptionMachine(channels: ["a"], timing: timing, now: at(0))
        #expect(machine.received(confirmation("a", 1), now: at(0)) == .subscribed)
        return machine
    }

    @Test func isSubscribedWhenEveryChannelIs() {
        var machine = SubscriptionMachine(channels: ["a", "b"], timing: timing, now: at(0))
        #expect(machine.start == RedisCommand("SUBSCRIBE", "a", "b"))
        #expect(machine.received(confirmation("a", 1), now: at(1)) == .nothing)
        #expect(
            machine.received(array(bulk("message"), bulk("a"), bulk("early")), now: at(2))
                == .message(channel: Array("a".utf8), payload: Array("early".utf8)))
        #expect(machine.received(confirmation("b", 2), now: at(3)) == .subscribed)
        #expect(machine.deadline == at(1_003))
    }

    @Test func givesUpWithoutConfirmation() {
        var machine = SubscriptionMachine(channels: ["a", "b"], timing: timing, now: at(0))
        #expect(machine.received(confirmation("a", 1), now: at(1_000)) == .nothing)
        #expect(machine.deadlineReached(now: at(1_999)) == .nothing)
        guard case .drop(let error) = machine.deadlineReached(now: at(2_000)) else {
            Issue.record("it went on")
            return
        }
        #expect(error.code == .timedOut)
    }

    @Test func deliversBytes() {
        var machine = subscribed()
        #expect(
            machine.received(array(bulk("message"), bulk("a"), .bulk([0, 255])), now: at(1))
                == .message(channel: Array("a".utf8), payload: [0, 255]))
    }

    @Test func asksAfterASilence() {
        var machine = subscribed()
        #expect(machine.deadlineReached(now: at(999)) == .nothing)
        #expect(machine.deadlineReached(now: at(1_000)) == .send(RedisCommand("PING")))
        #expect(machine.deadline == at(3_000))
        #expect(machine.received(array(bulk("pong"), bulk("")), now: at(1_500)) == .nothing)
        #expect(machine.deadline == at(2_500))
        #expect(machine.deadlineReached(now: at(2_500)) == .send(RedisCommand("PING")))
    }

    @Test func asksNothingWhileMessagesCome() {
        var machine = subscribed()
        for second in 1...10 {
            let now = at(second * 900)
            #expect(machine.deadlineReached(now: now) == .nothing)
            _ = machine.received(array(bulk("message"), bulk("a"), bulk("x")), now: now)
        }
    }

    @Test func givesUpWhenNothingAnswers() {
        var machine = subscribed()
        #expect(machine.deadlineReached(now: at(1_000)) == .send(RedisCommand("PING")))
        guard case .drop(let error) = machine.deadlineReached(now: at(3_000)) else {
            Issue.record("it went on")
            return
        }
        #expect(error.code == .timedOut)
    }

    @Test func tellsWhyItMayNotSubscribe() {
        var machine = SubscriptionMachine(channels: ["a"], timing: timing, now: at(0))
        let action = machine.received(.error("NOPERM No permissions to access a channel"), now: at(1))
        guard case .drop(let error) = action else {
            Issue.record("it went on")
            return
        }
        #expect(error.serverPrefix == "NOPERM")
    }

    @Test func refusesWhatNobodyExpects() {
        let replies: [RESPValue] = [
            ok, .integer(1), .null, array(), array(bulk("message"), bulk("a")), array(bulk("message"), .null, .null),
            array(bulk("unsubscribe"), .null, .integer(0)), confirmation("a", 1), array(.integer(1), bulk("a"), .null),
        ]
        for reply in replies {
            var machine = subscribed()
            guard case .drop(let error) = machine.received(reply, now: at(1)) else {
                Issue.record("it took \(reply)")
                continue
            }
            #expect(error.code == .protocolViolation)
        }
    }
}

@Suite struct ServerFactsTests {
    private func info(
        version: String = "7.0.15", policy: String = "noeviction", evicted: String = "0", appendOnly: String = "1",
        role: String = "master", clock: Int64? = 1_800_000_000_000_000
    ) -> String {
        "# Server\r\nredis_version:\(version)\r\nos:Linux 6.1:x86\r\n\r\n# Memory\r\nmaxmemory_policy:\(policy)\r\n"
            + "# Persistence\r\naof_enabled:\(appendOnly)\r\n# Stats\r\nevicted_keys:\(evicted)\r\nrole:\(role)\r\n"
            + (clock.map { "server_time_usec:\($0)\r\n" } ?? "")
    }

    private func facts(_ info: String) throws -> ServerFacts {
        try ServerFacts(info: info, wallMicroseconds: 1_800_000_000_000_000)
    }

    @Test func findsNothingWrongWithAGoodServer() throws {
        let facts = try facts(info())
        #expect(facts.version == "7.0.15" && facts.evictionPolicy == "noeviction" && facts.hasAppendOnlyFile)
        #expect(facts.refusals.isEmpty && facts.warnings.isEmpty)
    }

    @Test(arguments: ["allkeys-lru", "volatile-ttl", "volatile-lfu", "allkeys-random"])
    func refusesEviction(_ policy: String) throws {
        let refusals = try facts(info(policy: policy)).refusals
        #expect(refusals.count == 1 && refusals[0].contains(policy) && refusals[0].contains("noeviction"))
    }

    @Test(arguments: ["6.2.14", "2.8", "x", ""])
    func refusesAnOldServer(_ version: String) throws {
        #expect(try facts(info(version: version)).refusals.count == 1)
    }

    @Test(arguments: ["7.0.0", "7.2.4", "8", "10.1"])
    func takesANewServer(_ version: String) throws {
        #expect(try facts(info(version: version)).refusals.isEmpty)
    }

    /// Its keys expire by its own clock.
    @Test func refusesAServerWhoseClockIsFarAhead() throws {
        let minutes: Int64 = 60_000_000
        let ahead = try facts(info(clock: 1_800_000_000_000_000 + 6 * minutes)).refusals
        #expect(ahead.count == 1 && ahead[0].contains("360 s ahead"))
        for offset in [-600 * minutes, 0, 4 * minutes] {
            #expect(try facts(info(clock: 1_800_000_000_000_000 + offset)).refusals.isEmpty)
        }
        #expect(try facts(info(clock: nil)).refusals.isEmpty)
    }

    /// Redis looked at its clock at some time between the question and the answer.
    @Test(arguments: [(700, 700), (0, 0), (-300, 0), (-500, 0), (-800, -300)] as [(Int64, Int64)])
    func whatTheRoundTripExplainsIsNoDifference(milliseconds: Int64, certain: Int64) throws {
        let clock = 1_800_000_000_000_000 + milliseconds * 1000
        let facts = try ServerFacts(
            info: info(clock: clock), wallMicroseconds: 1_800_000_000_000_000, roundTrip: .milliseconds(500))
        #expect(facts.clockLead == .milliseconds(certain))
    }

    @Test func warnsOfWhatMayBeLost() throws {
        let persistence = try facts(info(appendOnly: "0"))
        #expect(persistence.refusals.isEmpty && persistence.warnings.count == 1)
        #expect(persistence.warnings[0].contains("appendonly"))
        #expect(try facts(info(evicted: "12")).warnings[0].contains("12"))
        #expect(try facts(info(role: "slave")).warnings[0].contains("replica"))
    }

    @Test func saysWhichFactIsMissing() {
        let error = #expect(throws: RedisError.self) { try facts("redis_version:7.0.0\r\n") }
        #expect(error?.description.contains("maxmemory_policy") == true)
    }
}
