import Quash
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// The contract of each script: what it answers, and what it leaves in Redis.
@Suite struct FeedScriptTests {
    private let expiry = expiryInOnePeriod()

    private func position(_ sequence: UInt64, _ epoch: Epoch = ScriptCaller.first) -> FeedPosition {
        FeedPosition(epoch: epoch, sequence: sequence)
    }

    private func record(_ numbers: Int...) -> [UInt8] {
        RevocationCodec.encode(numbers.map { Revocation.token($0, expiresAtSeconds: expiry) })
    }

    private func revoke(_ number: Int, _ script: ScriptCaller, request: String = "") throws -> RevokeReply {
        try script.revoke([.token(number, expiresAtSeconds: expiry)], request: request)
    }

    @Test func withoutAnEpochNothingIsGrantedOrStored() throws {
        let script = try ScriptCaller()
        #expect(try script.renew(at: nil) == .recovering)
        #expect(try script.renew(at: position(0)) == .recovering)
        #expect(try revoke(1, script) == .recovering)
        #expect(try script.nodes() == nil)
        #expect(try script.redis.cli("DBSIZE") == "0")
    }

    @Test func anEpochIsOpenedOnceAndAgainAfterAnotherProcessServes() throws {
        let script = try ScriptCaller(Fleet.durableRedis)
        #expect(try script.open(ScriptCaller.first) == (ScriptCaller.first, true))
        #expect(try script.open(ScriptCaller.second) == (ScriptCaller.first, false))
        #expect(try revoke(1, script) == .stored(position(1)))
        try script.redis.restart()
        // The data is all there, and still it is another epoch.
        let again = try ScriptCaller(of: script.redis)
        #expect(try again.renew(at: position(1)) == .recovering)
        #expect(try again.open(ScriptCaller.second) == (ScriptCaller.second, true))
        #expect(try again.renew(at: position(1)) == .elsewhere(position(0, ScriptCaller.second)))
    }

    @Test func aRenewalBringsWhatIsMissingAndOnlyThenALease() throws {
        let script = try ScriptCaller()
        try script.open()
        #expect(try script.renew(at: nil) == .elsewhere(position(0)))
        #expect(try script.renew(at: position(0)) == .entries(records: [], head: 0, lease: .seconds(5)))
        for number in 1...3 { #expect(try revoke(number, script) == .stored(position(UInt64(number)))) }
        #expect(
            try script.renew(at: position(1)) == .entries(records: [record(2), record(3)], head: 3, lease: .seconds(5)))
        // Not all of it fits: no lease, and no entry in the registry.
        #expect(
            try script.renew("late/1", at: position(0), most: 2)
                == .entries(records: [record(1), record(2)], head: 3, lease: nil))
        #expect(try script.nodes()?.registry.entries.map(\.node) == ["node/1"])
    }

    @Test func aPositionThatIsNotOfThisLogIsTold() throws {
        let script = try ScriptCaller()
        try script.open()
        for number in 1...3 { _ = try revoke(number, script) }
        #expect(try script.renew(at: position(2, ScriptCaller.second)) == .elsewhere(position(3)))
        // Ahead of the head: of a feed that lost its end.
        #expect(try script.renew(at: position(4)) == .elsewhere(position(3)))
        try script.caller.call("XTRIM", "{quash}:log", "MAXLEN", "1")
        #expect(try script.renew(at: position(1)) == .gap(head: position(3)))
        #expect(try script.renew(at: position(2)) == .entries(records: [record(3)], head: 3, lease: .seconds(5)))
        // A hole in the middle is no better than a missing start, nor is a log that is gone.
        _ = try revoke(4, script)
        _ = try revoke(5, script)
        try script.caller.call("XDEL", "{quash}:log", "4-0")
        #expect(try script.renew(at: position(2)) == .gap(head: position(5)))
        try script.caller.call("DEL", "{quash}:log")
        #expect(try script.renew(at: position(2)) == .gap(head: position(5)))
        #expect(try script.renew(at: position(5)) == .entries(records: [], head: 5, lease: .seconds(5)))
    }

    @Test func aCommitForAnotherEpochIsNotStored() throws {
        let script = try ScriptCaller()
        try script.open()
        let reply = try script.revoke([.token(1, expiresAtSeconds: expiry)], epoch: ScriptCaller.second)
        #expect(reply == .elsewhere(ScriptCaller.first))
        #expect(try script.caller.call("GET", "{quash}:seq").integer == 0)
    }

    @Test func theSameRequestIsStoredOnce() throws {
        let script = try ScriptCaller()
        try script.open()
        #expect(try revoke(1, script, request: "one") == .stored(position(1)))
        #expect(try revoke(2, script, request: "two") == .stored(position(2)))
        #expect(try revoke(1, script, request: "one") == .stored(position(1)))
        #expect(try revoke(3, script) == .stored(position(3)))
        #expect(try revoke(3, script) == .stored(position(4)), "without a request id each is its own")
        #expect(try script.caller.call("XLEN", "{quash}:log").integer == 4)
        let period = LivePage.period(ofExpiry: expiry)
        #expect(try script.liveSet(period: period).bytes == record(1, 2, 3, 3))

        // What another epoch stored may be gone: stored anew.
        try script.caller.call("DEL", "{quash}:epoch")
        try script.open(ScriptCaller.second)
        let reply = try script.revoke([.token(1, expiresAtSeconds: expiry)], epoch: ScriptCaller.second, request: "one")
        #expect(reply == .stored(position(1, ScriptCaller.second)))
    }

    @Test func theRegistryKnowsWhoRenewedAndForgetsWhoLeft() throws {
        let script = try ScriptCaller()
        try script.open()
        _ = try script.renew("a/1", at: position(0))
        _ = try revoke(1, script)
        _ = try script.renew("b/1", at: position(1))
        let reply = try #require(try script.nodes())
        #expect(reply.head == position(1))
        let applied = Dictionary(uniqueKeysWithValues: reply.registry.entries.map { ($0.node, $0.applied) })
        #expect(applied == ["a/1": 0, "b/1": 1])
        #expect(reply.registry.entries.allSatisfy { $0.lease == .seconds(5) })
        try script.caller.eval(FeedScript.leave, [FeedScript.text("a/1")])
        #expect(try script.nodes()?.registry.entries.map(\.node) == ["b/1"])
    }

    /// More nodes than one reply of Redis may have elements.
    @Test func aRegistryOfThousandsIsRead() throws {
        let script = try ScriptCaller()
        try script.open()
        let names = (0..<5000).map { "node-\($0)/0123456789abcdef" }
        for name in names { _ = try script.renew(name, at: position(0)) }
        #expect(Set(try #require(try script.nodes()).registry.entries.map(\.node)) == Set(names))
    }

    /// Between two grants in one millisecond, or when the clock was set back, an issuer still sees that it is another.
    @Test func everyGrantIsToldFromTheOneBefore() throws {
        let script = try ScriptCaller()
        try script.open()
        let inAnHour = ClockReading.now().wall.milliseconds + 3_600_000
        try script.caller.call("HSET", "{quash}:nodes", "a/1", "0 \(inAnHour) 5000 test")
        for number in 1...3 {
            _ = try script.renew("a/1", at: position(0))
            let entry = try script.nodes()?.registry.entries.first
            #expect(entry?.grantedMilliseconds == inAnHour + Int64(number))
        }
    }

    @Test func anEpochThatIsOverGivesWayToTheNext() throws {
        let script = try ScriptCaller()
        try script.open()
        func begin(over: Epoch?) throws -> BeginReply {
            let arguments = FeedScript.beginArguments(nonce: ScriptCaller.second, lease: .seconds(5), over: over)
            return try BeginReply(script.caller.eval(FeedScript.begin, arguments))
        }
        #expect(try begin(over: ScriptCaller.second).epoch == ScriptCaller.first)
        #expect(try begin(over: ScriptCaller.first).isNew)
        #expect(try script.renew(at: position(0)) == .recovering)
        #expect(try begin(over: ScriptCaller.first).epoch == ScriptCaller.second)
    }

    @Test func noLeaseIsLongerThanTheEpochAllows() throws {
        let script = try ScriptCaller()
        try script.open()
        #expect(
            try script.renew(at: position(0), lease: .seconds(3600))
                == .entries(records: [], head: 0, lease: .seconds(5)))
        #expect(
            try script.renew(at: position(0), lease: .seconds(1))
                == .entries(records: [], head: 0, lease: .seconds(1)))
    }

    @Test func S5_noLeaseIsGrantedWhileTheEpochIsRestored() throws {
        let script = try ScriptCaller()
        #expect(
            try script.begin()
                == BeginReply(epoch: ScriptCaller.first, isOpen: false, lease: .seconds(5), fence: .zero, isNew: true))
        #expect(try script.renew(at: nil) == .recovering)
        #expect(try script.renew(at: position(0)) == .recovering)
        #expect(try script.nodes() == nil)
        // What is committed meanwhile is in the live set, and followed by nobody.
        #expect(try revoke(1, script, request: "one") == .stored(position(1)))
        #expect(try revoke(1, script, request: "one") == .stored(position(1)))
        #expect(try script.caller.call("EXISTS", "{quash}:log").integer == 0)
        #expect(try script.liveSet(period: LivePage.period(ofExpiry: expiry)).bytes == record(1))
        #expect(try script.restored("a", of: ["a"], epoch: ScriptCaller.second) == .elsewhere(ScriptCaller.first))

        #expect(try script.restored("a", of: ["a", "b", "c"]) == .waiting(["b", "c"]))
        #expect(try script.restored("a", of: ["a", "b", "c"]) == .waiting(["b", "c"]), "said twice counts once")
        // Who is needed by any of them is waited for, though this one does not know of it.
        #expect(try script.restored("b", of: ["b"]) == .waiting(["c"]))
        #expect(try script.renew(at: nil) == .recovering)
        #expect(try script.begin(ScriptCaller.second).epoch == ScriptCaller.first)
        #expect(try script.restored("c", of: ["c", "a"]) == .open)
        #expect(try script.begin(ScriptCaller.second).isOpen)
        #expect(try script.renew(at: nil) == .elsewhere(position(1)))
        #expect(try script.renew(at: position(1)) == .entries(records: [], head: 1, lease: .seconds(5)))
        #expect(try script.restored("a", of: ["a", "z"]) == .open, "it stays open")
        #expect(try script.caller.call("EXISTS", "{quash}:restored").integer == 0)
    }

    @Test func anExcusedIssuerIsNotWaitedForInThisEpochAlone() throws {
        let script = try ScriptCaller()
        try script.begin()
        #expect(try script.restored("a", of: ["a", "b", "c"], without: ["b"]) == .waiting(["c"]))
        #expect(try script.restored("a", of: ["a", "b", "c"], without: ["c"]) == .open)
        try script.caller.call("DEL", "{quash}:epoch")
        try script.begin(ScriptCaller.second)
        #expect(try script.restored("a", of: ["a", "b"], epoch: ScriptCaller.second) == .waiting(["b"]))
    }

    @Test func anAcknowledgementIsPublishedWithWhatTheRegistrySays() throws {
        let script = try ScriptCaller()
        try script.open()
        let heard = try script.caller.messages(on: FeedScript.acknowledgementsChannel)
        _ = try script.renew("a/1", at: position(0), acknowledges: true)
        #expect(
            Acknowledgement(try heard.wait(count: 1)[0])
                == Acknowledgement(node: "a/1", position: position(0)))
        _ = try script.renew("a/1", at: position(0))
        _ = try script.renew("b/1", at: position(0), acknowledges: true)
        #expect(Acknowledgement(try heard.wait(count: 2)[1])?.node == "b/1")
        guard
            case .stored(position(1), let registry) = try script.revoke(
                [.token(1, expiresAtSeconds: expiry)], isAwaited: true)
        else { throw TestSupportError("not stored") }
        #expect(Set(registry.entries.map(\.node)) == ["a/1", "b/1"])
    }

    /// No clock of Redis lets a node go, because anybody may set that: an issuer does, naming what it saw.
    @Test func aNodeIsForgottenOnlyAsItWasSeen() throws {
        let script = try ScriptCaller()
        try script.open()
        let longAgo = ClockReading.now().wall.milliseconds - 3_600_000
        try script.caller.call("HSET", "{quash}:nodes", "dead/1", "0 \(longAgo) 5000 test")
        _ = try script.renew("living/1", at: position(0))
        let seen = try #require(try script.nodes()).registry.entries
        #expect(Set(seen.map(\.node)) == ["dead/1", "living/1"])
        // The living one renews after it was seen.
        try script.caller.call("HSET", "{quash}:nodes", "living/1", "0 \(longAgo) 5000 test")
        let reply = try script.caller.eval(FeedScript.forget, FeedScript.forgetArguments(seen))
        #expect(reply.elements?.last?.integer == 1)
        #expect(try script.nodes()?.registry.entries.map(\.node) == ["living/1"])
    }

    /// Of many that find the same damage only the first ends the epoch; the others' reports are about one that is over.
    @Test func aReportOfDamageEndsTheEpochThatItIsAbout() throws {
        let script = try ScriptCaller()
        try script.open()
        #expect(try script.renew(at: nil, damagedEpoch: ScriptCaller.second) == .elsewhere(position(0)))
        #expect(try script.renew(at: nil, damagedEpoch: ScriptCaller.first) == .recovering)
        #expect(try script.renew(at: nil) == .recovering)
        try script.open(ScriptCaller.second)
        let reply = try script.renew(at: nil, damagedEpoch: ScriptCaller.first)
        #expect(reply == .elsewhere(position(0, ScriptCaller.second)))
    }

    /// Clocks disagree, so what expired a moment ago is still looked up: a new epoch must not lose it with its period.
    @Test func whereBytesWereLostNoneAreAdded() throws {
        let script = try ScriptCaller()
        try script.open()
        let both = [1, 2].map { Revocation.token($0, expiresAtSeconds: expiry) }
        #expect(try revoke(1, script) == .stored(position(1)))
        try script.caller.call("DEL", "{quash}:live:\(LivePage.period(ofExpiry: expiry)):0")
        // Stored, the second would stand where the first was: as many bytes as the directory tells of.
        #expect(try revoke(2, script) == .recovering)
        #expect(try script.renew(at: position(1)) == .recovering)
        let second = ScriptCaller.second
        try script.open(second)
        #expect(try script.revoke(both, epoch: second) == .stored(position(1, second)))
    }

    @Test func aPeriodThatJustEndedIsInTheNewEpochsDirectory() throws {
        let script = try ScriptCaller()
        let (periodSeconds, now) = (10, Int(ClockReading.now().wall.seconds))
        func open(_ nonce: Epoch) throws {
            var arguments = FeedScript.beginArguments(nonce: nonce, lease: .seconds(5))
            arguments[1] = FeedScript.text(periodSeconds)
            try script.register()
            try script.caller.eval(FeedScript.begin, arguments)
        }
        try open(ScriptCaller.first)
        let period = now / periodSeconds - 3
        let bytes = RevocationCodec.encode([.token(1, expiresAtSeconds: UInt32(period * periodSeconds))])
        var arguments = ScriptCaller.revokeArguments(FeedWriter.Commit(revocations: []), to: ScriptCaller.first)
        arguments[5] = FeedScript.text(periodSeconds)
        arguments[8] = bytes
        try script.caller.eval(FeedScript.revoke, arguments + [FeedScript.text(period), bytes])
        try script.caller.call("DEL", "{quash}:epoch")
        try open(ScriptCaller.second)
        #expect(try script.liveSet(period: UInt32(period)).directoryBytes == bytes.count)
    }

    /// A name that goes too soon hides what has not expired from whoever reads the live set.
    @Test func onlyAPeriodThatHasEndedLeavesTheDirectory() throws {
        let script = try ScriptCaller()
        try script.open()
        // The first has ended, the second began longer ago than anything is retained, the third is to come.
        let periodSeconds = Int(ClockReading.now().wall.seconds) - FeedScript.retainSeconds - 400
        for period in 0...2 {
            let bytes = record(period)
            var arguments = ScriptCaller.revokeArguments(FeedWriter.Commit(revocations: []), to: ScriptCaller.first)
            arguments[5] = FeedScript.text(periodSeconds)
            arguments[8] = bytes
            try script.caller.eval(FeedScript.revoke, arguments + [FeedScript.text(period), bytes])
        }
        let names = try script.caller.call("HKEYS", FeedScript.directoryKey).elements?.compactMap(\.text)
        #expect(Set(names ?? []) == ["epoch", "1", "2"])
    }

    @Test func everyKeyOfTheLiveSetExpires() throws {
        let script = try ScriptCaller()
        try script.open()
        _ = try revoke(1, script, request: "one")
        let key = try script.redis.cli("KEYS", "{quash}:live:*")
        let end = Int64(LivePage.period(ofExpiry: expiry) + 1) * LivePage.periodSeconds
        #expect(try script.redis.cli("EXPIRETIME", key) == "\(end + Int64(FeedScript.retainSeconds))")
        let lifetime = try #require(Int(try script.redis.cli("TTL", "{quash}:request:one")))
        #expect((1...FeedScript.retainSeconds).contains(lifetime))
    }

    @Test(
        arguments: [
            [], [.bulk(Array("other".utf8))], [.bulk(Array("entries".utf8))],
            [.bulk(Array("entries".utf8)), .bulk(Array("00000000000000aa".utf8)), .integer(-1), .integer(5000)],
            [.bulk(Array("entries".utf8)), .bulk(Array("epoch".utf8)), .integer(1), .integer(5000)],
            [
                .bulk(Array("entries".utf8)), .bulk(Array("00000000000000aa".utf8)), .integer(1), .integer(5000),
                .integer(1),
            ],
            [.bulk(Array("stored".utf8)), .bulk(Array("00000000000000aa".utf8))], [.bulk(Array("open".utf8)), .null],
            [.bulk(Array("elsewhere".utf8)), .integer(7)],
            [
                .bulk(Array("nodes".utf8)), .bulk(Array("00000000000000aa".utf8)), .integer(1), .integer(1),
                .bulk(Array("1 2 3 version".utf8)),
            ],
        ] as [[RESPValue]])
    func anAnswerThatIsNotOneIsAnError(parts: [RESPValue]) {
        #expect(throws: FeedAnswerError.self) { try RenewReply(.array(parts)) }
        #expect(throws: FeedAnswerError.self) { try RevokeReply(.array(parts)) }
        #expect(throws: FeedAnswerError.self) { try BeginReply(.array(parts)) }
        #expect(throws: FeedAnswerError.self) { try NodesReply(.array(parts)) }
        #expect(throws: FeedAnswerError.self) { try RenewReply(.null) }
    }

    /// Validators write these lines. A broken one stops nobody, and is taken for a node that may hold a lease.
    @Test(arguments: ["x 100 5000 v b/1", "1 -1 5000 v b/1", "1 2 99999999999999 v b/1", "1 2 3 v b c/1", "b"])
    func S1_aLineOfTheRegistryThatCannotBeReadIsWaitedForLikeANode(line: String) throws {
        let text = Array("7 100 5000 v a/1\n\(line)\n7 100 5000 v issuer:c/1".utf8)
        let answer =
            [
                .bulk(Array("nodes".utf8)), .bulk(Array("00000000000000aa".utf8)), .integer(7), .bulk(text),
                .bulk([]),
            ] as [RESPValue]
        let reply = try #require(try NodesReply(.array(answer)))
        #expect(reply.registry.entries.map(\.isReadable) == [true, false, true])
        let now = ClockReading(boot: BootInstant(nanoseconds: 1_000_000_000_000), wallNanoseconds: 0)
        var fleet = Quash.Fleet(lease: .seconds(5), fence: .zero)
        fleet.entered(reply.head.epoch, lease: .seconds(5), fence: .zero, now: BootInstant(nanoseconds: 0))
        var confirmation = fleet.confirmation(of: reply.head, among: reply.registry, now: now)
        // The others have applied it.
        guard case .pending = fleet.progress(of: &confirmation, now: now.boot + .seconds(5)) else {
            Issue.record("not waited for")
            return
        }
        #expect(fleet.progress(of: &confirmation, now: now.boot + .seconds(7)) == .confirmed)
        #expect(fleet.forgettable(now: now.boot + .seconds(100)).map(\.node).sorted() == ["a/1", "issuer:c/1"])
        #expect(FleetListing(fleet, head: 7, now: now.boot).nodes.count == 3)
    }
}
