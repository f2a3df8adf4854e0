import QuashRedis
import TestSupport
import Testing

/// What tells one process that serves the data from another: an epoch is bound to `run_id`.
@Suite struct ProcessIdentityTests {
    /// So a restart ends the epoch, even one that lost nothing.
    @Test func runIDChangesWithARestart() throws {
        let redis = try RedisServer.start(Fleet.durableRedis)
        let before = try RedisWire(redis).info("run_id")
        try redis.restart()
        let after = try RedisWire(redis).info("run_id")
        #expect(before != after && after.count == 40)
    }

    /// So what is deleted in a running Redis has to be found by the nonces: its process is the same.
    @Test func runIDOutlivesFlushAllAndScriptFlush() throws {
        let wire = try RedisWire(try RedisServer.start())
        let before = try wire.info("run_id")
        try wire.call("SET", "{quash}:epoch", "a")
        try wire.call("FLUSHALL")
        try wire.call("SCRIPT", "FLUSH")
        #expect(try wire.call("EXISTS", "{quash}:epoch").integer == 0)
        #expect(try wire.info("run_id") == before)
    }

    /// So a failover ends the epoch: the nonces are all there, with the old master's `run_id` beside them.
    @Test func aPromotedReplicaHasTheKeysAndItsOwnRunID() throws {
        let pair = try ReplicatedRedis()
        let (old, new) = (try RedisWire(pair.first), try RedisWire(pair.second))
        let runID = try old.info("run_id")
        try old.call("SET", "{quash}:epoch", "aa \(runID)", "EXAT", "4000000000")
        try old.call("XADD", "{quash}:log", "1-0", "r", "record")
        #expect(try old.call("WAIT", "1", "5000").integer == 1)
        try pair.promote(pair.second)
        #expect(try new.info("role") == "master")
        #expect(try new.call("GET", "{quash}:epoch").line == "aa \(runID)")
        #expect(try new.call("EXPIRETIME", "{quash}:epoch").integer == 4_000_000_000)
        #expect(try new.call("XRANGE", "{quash}:log", "-", "+").line == "1-0 r record")
        #expect(try new.info("run_id") != runID)
    }

    /// So `run_id` alone does not tell two terms of one master apart: it may come back with another's older data. What
    /// differs is `master_replid`, which each promotion makes anew.
    @Test func aMasterThatIsPromotedAgainHasItsOldRunIDAndAnotherReplicationID() throws {
        let pair = try ReplicatedRedis()
        let wire = try RedisWire(pair.first)
        let (runID, replicationID) = (try wire.info("run_id"), try wire.info("master_replid"))
        try wire.call("SET", "a", "in both")
        #expect(try wire.call("WAIT", "1", "5000").integer == 1)
        try pair.part()
        try wire.call("SET", "a", "in the first alone")
        try pair.promote(pair.second)
        try pair.follow(pair.first, pair.second)
        try pair.promote(pair.first)
        #expect(try wire.call("GET", "a").line == "in both")
        #expect(try wire.info("run_id") == runID)
        #expect(try wire.info("master_replid") != replicationID)
    }

    /// So `master_replid` would end an epoch at a restart as `run_id` does.
    @Test func theReplicationIDChangesWithARestart() throws {
        let redis = try RedisServer.start(Fleet.durableRedis)
        let before = try RedisWire(redis).info("master_replid")
        try redis.restart()
        #expect(try RedisWire(redis).info("master_replid") != before)
    }

    /// So `master_replid` stands for one term of one master: it does not change while that goes on.
    @Test func theReplicationIDOutlivesFlushAllAndReplicas() throws {
        let pair = try ReplicatedRedis()
        let wire = try RedisWire(pair.first)
        let before = try wire.info("master_replid")
        #expect(try RedisWire(pair.second).info("master_replid") == before)
        try pair.part()
        try wire.call("FLUSHALL")
        try wire.call("REPLICAOF", "NO", "ONE")
        #expect(try wire.info("master_replid") == before)
    }
}
