import Quash
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// The live set: what a node reads that starts, or was away for too long.
@Suite struct LiveSetTests {
    private static let epoch = ScriptCaller.first

    /// A feed's own thread, as a role has one. What recovery needs is done by `recover`.
    private func follow(
        _ script: ScriptCaller, url: String? = nil, maxRevocations: Int = 1_000_000, outbox: Outbox? = nil,
        recover: @escaping @Sendable () -> Void = {}
    ) throws -> FeedThread {
        let settings = FeedFollower.Settings(
            redis: try RedisOptions(url: RedisURL(url ?? script.redis.url)), node: "node",
            feed: Feed.Settings(lease: .seconds(5), renewInterval: .milliseconds(100)),
            maxRevocations: maxRevocations, clockSkew: .zero)
        guard let outbox else { return try FeedThread(settings: settings, log: Fleet.silent, recoveryNeeded: recover) }
        let mirror = FeedMirror.Settings(sessionRetention: .seconds(86_400))
        return try FeedThread(
            settings: settings,
            mirror: { FeedMirror(in: outbox, on: $0, mirror, metrics: IssuerMetrics(), log: Fleet.silent) },
            log: Fleet.silent, recoveryNeeded: recover)
    }

    private func end(_ feed: FeedThread) {
        feed.leave {}
        feed.join()
    }

    /// Every kind, with and without a bound, over four hours.
    private func revocation(_ number: Int, _ expiry: UInt32) -> Revocation {
        let key: RevocationKey =
            switch number % 5 {
            case 0: .token("token-\(number)")
            case 1: .session("session-\(number)")
            case 2: .subject("subject-\(number)")
            case 3: .client("client-\(number)")
            default: .key("key-\(number)")
            }
        let bound = number.isMultiple(of: 3) ? WallInstant(milliseconds: Int64(number)) : nil
        return Revocation(key: key, issuedBefore: bound, expiresAtSeconds: expiry + UInt32(number % 17) * 900)
    }

    @Test func aColdStartKnowsExactlyWhatWasCommitted() throws {
        let script = try ScriptCaller()
        try script.open()
        let expiry = expiryInOnePeriod()
        let all = (0..<10_000).map { revocation($0, expiry) }
        for start in stride(from: 0, to: all.count, by: 100) {
            guard case .stored = try script.revoke(Array(all[start..<start + 100])) else {
                throw TestSupportError("not stored")
            }
        }
        let feed = try follow(script)
        defer { end(feed) }
        #expect(poll { feed.lease.holds(at: .now()) })
        #expect(feed.status.snapshot.position == FeedPosition(epoch: Self.epoch, sequence: 100))
        #expect(RevocationKind.allCases.reduce(0) { $0 + feed.index.count(of: $1) } == all.count)
        let reader = RevocationIndex.Reader(feed.index)
        for revocation in all {
            let bound = revocation.issuedBefore ?? WallInstant(seconds: 1 << 40)
            #expect(reader.revokes(revocation.key, issuedAt: bound))
            if let bound = revocation.issuedBefore {
                #expect(!reader.revokes(revocation.key, issuedAt: bound + .milliseconds(1)))
            }
        }
    }

    /// Refresh tokens live for up to 30 days, so that a subject's revocation may be in any period of them.
    @Test func aDirectoryOfEveryPeriodUpToTheHorizonIsRead() throws {
        let script = try ScriptCaller()
        try script.open()
        let start = UInt32(ClockReading.now().wall.seconds) + 900
        let expiries = stride(from: start, to: start + 30 * 86_400, by: 900)
        let all = expiries.enumerated().map { Revocation.token($0.offset, expiresAtSeconds: $0.element) }
        for start in stride(from: 0, to: all.count, by: 100) {
            guard case .stored = try script.revoke(Array(all[start..<min(start + 100, all.count)])) else {
                throw TestSupportError("not stored")
            }
        }
        let feed = try follow(script)
        defer { end(feed) }
        #expect(poll { feed.lease.holds(at: .now()) })
        #expect(feed.index.count(of: .token) == all.count)
        // A new epoch finds all of it too, within the horizon that it looks up to.
        try script.caller.call("DEL", "{quash}:live")
        try script.open(ScriptCaller.second)
        #expect(poll { feed.status.snapshot.position?.epoch == ScriptCaller.second })
        let late = try follow(script)
        defer { end(late) }
        #expect(poll { late.lease.holds(at: .now()) })
        #expect(late.index.count(of: .token) == all.count)
    }

    /// The renewal that brings more than there is room for grants a lease too: it is not taken.
    @Test func S4_anIndexThatIsFullEndsTheLease() throws {
        let script = try ScriptCaller(RedisServer.Options(users: ["user deaf on >secret ~* resetchannels +@all"]))
        try script.open()
        let feed = try follow(script, url: "unix://deaf:secret@\(script.redis.socketPath)", maxRevocations: 5)
        defer { end(feed) }
        #expect(poll { feed.lease.holds(at: .now()) })
        // Later than by what tokens may be cut.
        let expiry = expiryInOnePeriod() + 2 * 86_400
        _ = try script.revoke((0..<6).map { Revocation.token($0, expiresAtSeconds: expiry) })
        #expect(poll { feed.status.snapshot.halted != nil })
        #expect(!feed.lease.holds(at: .now()))
    }

    /// What an issuer says to have applied is on its disk: while that does not answer, it says nothing.
    @Test func S5_anIssuerStatesNoPositionBeforeItsDiskHasIt() throws {
        let script = try ScriptCaller()
        let folder = try TemporaryFolder()
        let outbox = try Outbox(path: folder.path("outbox"), issuer: "node", log: Fleet.silent)
        let feed = try follow(script, outbox: outbox)
        defer { end(feed) }
        #expect(poll { feed.status.snapshot.isSubscribed && feed.status.snapshot.isConnected })
        outbox.close()
        try script.open()
        #expect(!poll(within: .seconds(1)) { feed.lease.holds(at: .now()) })
        #expect(try script.nodes()?.registry.entries.isEmpty == true)
    }

    /// From then on no confirmation waits for this node.
    @Test func S1_whoGivesItsLeaseBackAcceptsNothing() throws {
        let script = try ScriptCaller()
        try script.open()
        let feed = try follow(script)
        #expect(poll { feed.lease.holds(at: .now()) })
        let held = Recorder<Bool>()
        feed.leave { [lease = feed.lease] in held.record(lease.holds(at: .now())) }
        feed.join()
        #expect(held.all == [false])
    }

    /// Four chunks of a megabyte in one period, of which the second is lost.
    @Test func theLossOfAChunkIsNoticedAndEverythingElseSurvives() throws {
        let script = try ScriptCaller()
        try script.open()
        let expiry = expiryInOnePeriod()
        let period = LivePage.period(ofExpiry: expiry)
        var count = 0
        while try script.redis.cli("EXISTS", "{quash}:live:\(period):3") == "0" {
            for _ in 0..<100 {
                _ = try script.revoke((count..<count + 100).map { Revocation.token($0, expiresAtSeconds: expiry) })
                count += 100
            }
        }
        let lost = try #require(try script.caller.call("STRLEN", "{quash}:live:\(period):1").integer)
        try script.caller.call("DEL", "{quash}:live:\(period):1")

        let caller = script.caller
        let recoveries = Recorder<Bool>()
        let feed = try follow(script) {
            recoveries.record(true)
            caller.run { client in
                let epoch = ScriptCaller.second
                for (script, arguments) in [
                    (FeedScript.begin, FeedScript.beginArguments(nonce: epoch, lease: .seconds(5))),
                    (FeedScript.restored, ["\(epoch)", "issuer", "issuer", "", ""].map { FeedScript.text($0) }),
                ] {
                    client.eval(script, keys: FeedScript.keys, arguments: arguments, timeout: .seconds(5)) { _ in }
                }
            }
        }
        defer { end(feed) }
        #expect(poll(within: .seconds(30)) { feed.lease.holds(at: .now()) })
        #expect(!recoveries.all.isEmpty, "the damage was not reported")
        #expect(feed.status.snapshot.position?.epoch == ScriptCaller.second)
        #expect(feed.index.count(of: .token) == count - Int(lost) / 20)
    }
}
