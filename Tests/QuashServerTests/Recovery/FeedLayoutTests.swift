import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// Versions that run next to each other: a layout begins when everybody reads it, and whoever does not read what is
/// there refuses, without taking it for damage.
@Suite struct FeedLayoutTests {
    private func layout(_ script: ScriptCaller) throws -> Int? {
        let value = try script.caller.eval(FeedScript.layout, [FeedScript.text(2)])
        return try LayoutReply(value).layout?.rawValue
    }

    private func register(_ script: ScriptCaller, newest: Int, known: Int = 1) throws -> RegisterReply {
        var arguments = FeedScript.registerArguments(ScriptCaller.issuer, count: 0, replacing: nil)
        arguments[6] = FeedScript.text(newest)
        arguments[7] = FeedScript.text(known)
        return try RegisterReply(script.caller.eval(FeedScript.register, arguments))
    }

    @Test func aLayoutBeginsWhenEveryNodeOfTheRegistryReadsIt() throws {
        let script = try ScriptCaller()
        #expect(try layout(script) == nil, "no epoch is open")
        try script.open()
        let position = FeedPosition(epoch: ScriptCaller.first, sequence: 0)
        _ = try script.renew("new/1", at: position)
        // The first version says its version, and what it has.
        for line in ["0 100 5000 0.1.0", "0 100 5000 0.1.0,1200", "0 100 5000 0.1.0,1200,350", "broken"] {
            try script.caller.call("HSET", "{quash}:nodes", "old/1", line)
            #expect(try layout(script) == 1, "\(line)")
        }
        try script.caller.call("HDEL", "{quash}:nodes", "old/1")
        #expect(try layout(script) == 2)
        #expect(try register(script, newest: 2) == .registered(.second))
    }

    @Test func whoDoesNotReadTheLayoutGetsNoLeaseAndEndsNoEpoch() throws {
        let script = try ScriptCaller()
        try script.open()
        try script.caller.call("SET", "{quash}:layout", "3")
        let newer = FeedLayout(rawValue: 3)
        let position = FeedPosition(epoch: ScriptCaller.first, sequence: 0)
        #expect(try script.renew(at: position) == .newer(newer))
        // What it could not read it reports as damage.
        #expect(try script.renew(at: nil, damagedEpoch: ScriptCaller.first, damage: .unreadable) == .newer(newer))
        #expect(try script.nodes()?.head == position)
        #expect(try register(script, newest: 2) == .newer(newer))
    }

    /// Redis lost its data, and the layout with it.
    @Test func anIssuerThatKnowsTheLayoutSaysSoWhenRedisHasForgotten() throws {
        let script = try ScriptCaller()
        #expect(try register(script, newest: 2, known: 2) == .registered(.second))
        #expect(try script.redis.cli("GET", "{quash}:layout") == "2")
    }

    @Test func aFleetOfThisVersionBeginsItsLayoutAndKeepsItThroughALoss() throws {
        let log = LogRecorder()
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease, log: log.logger)
        try fleet.waitUntilReady()
        func layout() throws -> String { try fleet.redis.cli("GET", "{quash}:layout") }
        #expect(try poll(within: .seconds(20)) { try layout() == "2" })
        #expect(poll { log.lines.all.contains { $0.message == LoggedEvent.layoutBegun.text } })
        let pair = try fleet.signIn()
        #expect(try fleet.logout(pair.access, body: "wait=confirmed").status == .ok)
        try fleet.redis.cli("FLUSHALL")
        #expect(try poll(within: .seconds(20)) { try layout() == "2" })
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: pair.access) == [401])
    }

    /// A later version has written what this one does not read.
    @Test func aNodeThatIsTooOldSaysSoAndServesAgainOnceTheLayoutIsGone() throws {
        let log = LogRecorder()
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease, log: log.logger)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let epoch = try fleet.epoch()
        try fleet.redis.cli("SET", "{quash}:layout", "3")
        #expect(try fleet.allAnswer(503, for: pair.access))
        #expect(try fleet.readiness(at: 0).contains("[-] feed: the feed has layout 3: upgrade this node"))
        #expect(log.lines.all.contains { $0.message == LoggedEvent.layoutNewer.text })
        try fleet.redis.cli("SET", "{quash}:layout", "2")
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: pair.access) == [204])
        #expect(try fleet.epoch() == epoch)
    }

}
