import Quash
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// Values of the feed that no script wrote: each ends the epoch as an absent key does, and the next begins over it.
@Suite struct DamagedValueTests {
    private let expiry = expiryInOnePeriod()
    private var period: UInt32 { LivePage.period(ofExpiry: expiry) }
    private let second = ScriptCaller.second

    private func position(_ sequence: UInt64, _ epoch: Epoch = ScriptCaller.first) -> FeedPosition {
        FeedPosition(epoch: epoch, sequence: sequence)
    }

    private func revoke(_ number: Int, _ script: ScriptCaller, epoch: Epoch = ScriptCaller.first) throws -> RevokeReply
    {
        try script.revoke([.token(number, expiresAtSeconds: expiry)], epoch: epoch)
    }

    /// An open epoch in which one revocation is stored.
    private func makeFeed() throws -> ScriptCaller {
        let script = try ScriptCaller()
        try script.open()
        #expect(try revoke(1, script) == .stored(position(1)))
        return script
    }

    /// The epoch is over for everyone, and the next is as good as any.
    private func expectTheNextEpochIsSound(_ script: ScriptCaller) throws {
        #expect(try script.renew(at: position(1)) == .recovering)
        #expect(try revoke(2, script) == .recovering)
        #expect(try script.nodes() == nil)
        #expect(try script.open(second) == (second, true))
        #expect(try revoke(2, script, epoch: second) == .stored(position(1, second)))
        #expect(
            try script.renew(at: position(0, second))
                == .entries(
                    records: [RevocationCodec.encode([.token(2, expiresAtSeconds: expiry)])], head: 1,
                    lease: .seconds(5)))
    }

    @Test(arguments: ["epoch", "seq", "live", "nodes"])
    func aKeyOfAnotherTypeEndsTheEpoch(name: String) throws {
        let script = try makeFeed()
        try script.caller.call("DEL", "{quash}:\(name)")
        try script.caller.call("XADD", "{quash}:\(name)", "1-0", "a", "b")
        try expectTheNextEpochIsSound(script)
    }

    @Test(arguments: [
        "", "x", "-1", "1.5", "1e3", "0x10", "9007199254740992", "18446744073709551616", "00000000000000001",
    ])
    func aSequenceThatNoScriptWritesEndsTheEpoch(value: String) throws {
        let script = try makeFeed()
        try script.caller.call("SET", "{quash}:seq", value)
        try expectTheNextEpochIsSound(script)
    }

    @Test(arguments: [
        "NONCE TERM open 5000", "NONCE TERM ajar 5000 0", "NONCE TERM open 99999999999 0", "NONCE TERM open 5000 99999",
        "00000000000000AA TERM open 5000 0", "aa TERM open 5000 0", "NONCE TERM open x 0",
    ])
    func anEpochThatNoScriptWritesIsNone(value: String) throws {
        let script = try makeFeed()
        let parts = try #require(try script.caller.call("GET", "{quash}:epoch").text).split(separator: " ")
        let forged = value.replacing("NONCE", with: parts[0]).replacing("TERM", with: parts[1])
        try script.caller.call("SET", "{quash}:epoch", forged)
        let nonce = String(try #require(forged.split(separator: " ").first))
        try script.caller.call("HSET", "{quash}:live", "epoch", nonce)
        try script.caller.call("HSET", "{quash}:nodes", "epoch", nonce)
        try expectTheNextEpochIsSound(script)
    }

    /// The log is written first, since nothing else can fail once all is checked.
    @Test func aCommitThatTheLogRefusesEndsTheEpochAndWritesNothing() throws {
        let script = try makeFeed()
        try script.caller.call("XADD", "{quash}:log", "999-0", "r", "later")
        let before = try script.liveSet(period: period)
        #expect(try revoke(2, script) == .recovering)
        #expect(try script.caller.call("GET", "{quash}:seq").text == "1")
        #expect(try script.liveSet(period: period).bytes == before.bytes)
        #expect(try script.liveSet(period: period).directoryBytes == before.directoryBytes)
        try expectTheNextEpochIsSound(script)
    }

    @Test func aLogOfAnotherTypeEndsTheEpochWhoeverMeetsIt() throws {
        for isRenewed in [true, false] {
            let script = try makeFeed()
            try script.caller.call("DEL", "{quash}:log")
            try script.caller.call("SET", "{quash}:log", "a string")
            #expect(try isRenewed ? script.renew(at: position(0)) == .recovering : revoke(2, script) == .recovering)
            try expectTheNextEpochIsSound(script)
        }
    }

    /// Longer than any commit: of these an answer would be made that no node takes.
    @Test func aRecordLongerThanAnyEndsTheEpoch() throws {
        let script = try makeFeed()
        let long = String(repeating: "x", count: 9000)
        try script.caller.call("XADD", "{quash}:log", "2-0", "r", long)
        try script.caller.call("SET", "{quash}:seq", "2")
        #expect(try script.renew(at: position(1)) == .recovering)
        try expectTheNextEpochIsSound(script)
    }

    @Test(arguments: ["", "x", "-20", "20.5", "2e1", "9007199254740991", "9007199254740992", "68719476736"])
    func aNumberOfBytesThatNoScriptWritesEndsTheEpoch(value: String) throws {
        let script = try makeFeed()
        try script.caller.call("HSET", "{quash}:live", "\(period)", value)
        let before = try script.liveSet(period: period).bytes
        #expect(try revoke(2, script) == .recovering)
        #expect(try script.liveSet(period: period).bytes == before)
        try expectTheNextEpochIsSound(script)
        // What was there is still there, and counted.
        let after = try script.liveSet(period: period)
        #expect(after.bytes.starts(with: before) && after.directoryBytes == after.bytes.count)
    }

    @Test func aChunkOfAnotherTypeEndsTheEpochAndIsDeleted() throws {
        let script = try makeFeed()
        try script.caller.call("DEL", "{quash}:live:\(period):0")
        try script.caller.call("HSET", "{quash}:live:\(period):0", "a", "b")
        #expect(try revoke(2, script) == .recovering)
        try expectTheNextEpochIsSound(script)
        #expect(try script.liveSet(period: period).directoryBytes == 20)
    }

    /// More names than a directory has periods: no node could read it.
    @Test func aDirectoryOfTooManyPeriodsEndsTheEpoch() throws {
        let script = try makeFeed()
        let fill = "for i = 1, 3000 do redis.call('HSET', KEYS[1], 'name' .. i, 0) end"
        try script.caller.call("EVAL", fill, "1", "{quash}:live")
        #expect(try script.nodes() == nil)
        try expectTheNextEpochIsSound(script)
        #expect(try script.caller.call("HLEN", "{quash}:live").integer == 2)
    }

    /// What says who has replayed its outbox is said again.
    @Test func statementsOfAnotherTypeAreMadeAgain() throws {
        let script = try ScriptCaller()
        try script.begin()
        #expect(try script.restored("a", of: ["a", "b"]) == .waiting(["b"]))
        try script.caller.call("DEL", "{quash}:restored")
        try script.caller.call("SET", "{quash}:restored", "x")
        #expect(try script.restored("b", of: ["a", "b"]) == .waiting(["a"]))
        #expect(try script.restored("a", of: ["a", "b"]) == .open)
    }

    /// The place of a request's commit is believed only as far as the feed reaches.
    @Test(arguments: ["FIRST 99999999999999999999", "FIRST 2", "x"])
    func aRequestThatNoScriptAnsweredIsStored(value: String) throws {
        let script = try makeFeed()
        let forged = value.replacing("FIRST", with: ScriptCaller.first.description)
        try script.caller.call("SET", "{quash}:request:one", forged)
        let reply = try script.revoke([.token(2, expiresAtSeconds: expiry)], request: "one")
        #expect(reply == .stored(position(2)))
        try script.caller.call("DEL", "{quash}:request:one")
        try script.caller.call("HSET", "{quash}:request:one", "a", "b")
        let again = try script.revoke([.token(3, expiresAtSeconds: expiry)], request: "one")
        #expect(again == .stored(position(3)))
    }

    /// A grant is told from the one before also where that line was forged.
    @Test func aForgedGrantDoesNotStay() throws {
        let script = try makeFeed()
        try script.caller.call("HSET", "{quash}:nodes", "node/1", "1 99999999999999999999 5000 test")
        _ = try script.renew(at: position(1))
        #expect(try script.nodes()?.registry.entries.map(\.node) == ["node/1"])
    }

    /// Validators may write there.
    @Test func whyTheEpochEndedIsAWordWhateverIsWrittenThere() throws {
        let script = try makeFeed()
        let long = "redis.call('HDEL', KEYS[1], 'epoch') redis.call('HSET', KEYS[1], 'damaged', ('x'):rep(2000000))"
        try script.caller.call("EVAL", long, "1", "{quash}:nodes")
        let arguments = FeedScript.beginArguments(nonce: second, lease: .seconds(5), followsDamage: false)
        #expect(try BeginAnswer(script.caller.eval(FeedScript.begin, arguments)) == .damaged(.unreadable))
        #expect(try script.begin(second).damage == .unreadable)
    }

    /// A line of the registry that no answer could hold stops nobody.
    @Test func aLineOfTheRegistryThatIsTooLongIsCutOff() throws {
        let script = try makeFeed()
        let long = "return redis.call('HSET', KEYS[1], 'long/1', string.rep('x', 2000000))"
        try script.caller.call("EVAL", long, "1", "{quash}:nodes")
        #expect(try script.nodes()?.registry.entries.count == 1)
        #expect(try script.nodes()?.registry.entries.first?.isReadable == false)
    }

    /// A right that is missing says nothing about the data: it is reported, and ends nothing.
    @Test func aMissingRightEndsNoEpoch() throws {
        let script = try makeFeed()
        try script.caller.call(
            "ACL", "SETUSER", "poor", "on", ">secret", "~*", "&*", "+@all", "-xrange", "-xadd", "-strlen")
        try script.caller.call("AUTH", "poor", "secret")
        #expect(throws: (any Error).self) { try script.renew(at: position(0)) }
        #expect(throws: (any Error).self) { try revoke(2, script) }
        try script.caller.call("AUTH", "default", "")
        #expect(try script.renew(at: position(1)) == .entries(records: [], head: 1, lease: .seconds(5)))
        #expect(try revoke(2, script) == .stored(position(2)))
    }
}
