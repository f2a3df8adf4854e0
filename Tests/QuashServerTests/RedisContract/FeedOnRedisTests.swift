import Quash
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// The real scripts in a Redis that is not a plain master with an almighty user.
@Suite struct FeedOnRedisTests {
    private static let start = FeedPosition(epoch: ScriptCaller.first, sequence: 0)

    /// So a follower that reaches a replica gets no lease there, though the replica has the whole epoch.
    @Test func aRenewalAtAReplicaIsRefused() throws {
        let pair = try ReplicatedRedis()
        let upper = try ScriptCaller(of: pair.first)
        try upper.open()
        #expect(try upper.caller.call("WAIT", "1", "5000").integer == 1)
        let lower = try ScriptCaller(of: pair.second)
        let error = #expect(throws: RedisError.self) { try lower.renew(at: Self.start) }
        #expect(error?.serverPrefix == "READONLY")
        // Promoted, it has the data of an epoch that another process began.
        try pair.promote(pair.second)
        #expect(try lower.renew(at: Self.start) == .recovering)
    }

    /// So an epoch has to end with the term of its master, and not only with its process: a revocation that the replica
    /// never got is lost, the next one takes its sequence, and a follower that has applied the first misses the second.
    @Test func anEpochEndsWithTheTermOfItsMaster() throws {
        let pair = try ReplicatedRedis()
        let script = try ScriptCaller(of: pair.first)
        let expiry = expiryInOnePeriod()
        try script.open()
        _ = try script.revoke([.token(1, expiresAtSeconds: expiry)])
        #expect(try script.caller.call("WAIT", "1", "5000").integer == 1)
        try pair.part()
        _ = try script.revoke([.token(2, expiresAtSeconds: expiry)])
        // Nobody begins an epoch at the second while it is the master.
        try pair.promote(pair.second)
        try pair.follow(pair.first, pair.second)
        try pair.promote(pair.first)
        let third = try script.revoke([.token(3, expiresAtSeconds: expiry)])
        let renewal = try script.renew(at: FeedPosition(epoch: ScriptCaller.first, sequence: 2))
        #expect(third == .recovering)
        #expect(renewal == .recovering)
    }

    /// A master that no replica answers may have been replaced, and Redis itself looks at that once a second only: the
    /// scripts look for themselves.
    @Test func aMasterThatNoReplicaAnswersGrantsNothing() throws {
        let pair = try ReplicatedRedis()
        let script = try ScriptCaller(of: pair.first)
        let arguments = FeedScript.beginArguments(nonce: ScriptCaller.first, lease: .seconds(5), fence: .seconds(3))
        let begun = try BeginReply(script.caller.eval(FeedScript.begin, arguments))
        #expect(begun.fence == .seconds(3))
        try script.open()
        #expect(try script.renew(at: Self.start) == .entries(records: [], head: 0, lease: .seconds(5)))
        pair.second.pause()
        func refuses(_ call: () throws -> some Any) -> Bool {
            do {
                _ = try call()
                return false
            } catch {
                return (error as? RedisError)?.serverPrefix == "NOREPLICAS"
            }
        }
        #expect(poll(within: .seconds(20)) { refuses { try script.renew(at: Self.start) } })
        let expiry = expiryInOnePeriod()
        #expect(refuses { try script.revoke([.token(1, expiresAtSeconds: expiry)]) })
        #expect(refuses { try script.begin(ScriptCaller.second) })
        #expect(refuses { try script.nodes() })
        // Without an epoch, too: none is begun by a master that may have been replaced.
        let other = FeedScript.beginArguments(nonce: ScriptCaller.second, lease: .seconds(5), fence: .seconds(3))
        let root = try RedisWire(pair.first)
        let kept = try root.call("GET", "{quash}:epoch").line
        try root.call("DEL", "{quash}:epoch")
        #expect(refuses { try BeginReply(script.caller.eval(FeedScript.begin, other)) })
        try root.call("SET", "{quash}:epoch", kept)
        pair.second.resume()
        #expect(poll(within: .seconds(20)) { !refuses { try script.renew(at: Self.start) } })
        #expect(try script.caller.call("GET", "{quash}:seq").integer == 0)
    }

    /// So all keys have one hash tag: in a cluster a script may reach only one slot, and one key in KEYS names it.
    @Test func theScriptsRunInACluster() throws {
        // By default the port of the cluster's bus is 10,000 more than the other, which may be too high a number.
        let settings = ["cluster-enabled": "yes", "cluster-port": "\(try freePort())", "hz": "100"]
        let redis = try RedisServer.start(RedisServer.Options(settings: settings, listensOnTCP: true))
        let wire = try RedisWire(redis)
        try wire.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        #expect(try poll { try wire.call("CLUSTER", "INFO").text?.contains("cluster_state:ok") ?? false })
        #expect(
            try wire.eval("#!lua\nreturn redis.call('GET', 'elsewhere')", keys: ["{quash}:nodes"]).line == "-ERR")
        let script = try ScriptCaller(of: redis)
        try script.open()
        let position = FeedPosition(epoch: ScriptCaller.first, sequence: 1)
        let revocation = Revocation.token(1, expiresAtSeconds: expiryInOnePeriod())
        #expect(try script.revoke([revocation], request: "one") == .stored(position))
        let records = [RevocationCodec.encode([revocation])]
        #expect(try script.renew(at: Self.start) == .entries(records: records, head: 1, lease: .seconds(5)))
    }
}
