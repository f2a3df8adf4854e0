import QuashRedis
import TestSupport
import Testing

/// What a replica has, and what a master that loses it still does.
@Suite struct ReplicationTests {
    private static let write = "#!lua flags=allow-oom\nreturn redis.call('SET', 'a', '1')"

    /// So a revocation that Redis has answered may be missing after a failover.
    @Test func anAnsweredWriteMayBeMissingAtThePromotedReplica() throws {
        let pair = try ReplicatedRedis()
        let (old, new) = (try RedisWire(pair.first), try RedisWire(pair.second))
        try old.call("SET", "first", "1")
        #expect(try old.call("WAIT", "1", "5000").integer == 1)
        try pair.part()
        #expect(try old.call("SET", "second", "1").line == "OK")
        try pair.promote(pair.second)
        #expect(try new.call("MGET", "first", "second").line == "1 nil")
    }

    /// So replicas can be asked after a commit: the answer counts those that have it, and none that only may get it.
    @Test func waitCountsTheReplicasThatHaveTheWrite() throws {
        let pair = try ReplicatedRedis()
        let wire = try RedisWire(pair.first)
        pair.second.pause()
        #expect(try wire.eval(Self.write).line == "OK")
        #expect(try wire.call("WAIT", "1", "20").integer == 0)
        pair.second.resume()
        #expect(try wire.call("WAIT", "1", "5000").integer == 1)
        #expect(try RedisWire(pair.second).call("GET", "a").line == "1")
    }

    /// So it is asked on a connection that has sent a command before, the script or any other: of one that has not,
    /// every replica is said to have everything.
    @Test func waitSpeaksOfWhatWasThereAtItsConnectionsLastCommand() throws {
        let pair = try ReplicatedRedis()
        let wire = try RedisWire(pair.first)
        pair.second.pause()
        #expect(try wire.eval(Self.write).line == "OK")
        let other = try RedisWire(pair.first)
        #expect(try other.call("WAIT", "1", "20").integer == 1)
        #expect(try other.call("PING").line == "PONG")
        #expect(try other.call("WAIT", "1", "20").integer == 0)
        pair.second.resume()
    }

    /// So a master whose replica has hung up, as it does when it is promoted, grants nothing from that moment on.
    @Test func aReplicaThatHangsUpEndsTheWritesAtOnce() throws {
        let pair = try ReplicatedRedis(["min-replicas-to-write": "1"])
        let wire = try RedisWire(pair.first)
        #expect(try wire.eval(Self.write).line == "OK")
        try pair.part()
        #expect(try poll(within: .seconds(1)) { try wire.info("connected_slaves") == "0" })
        #expect(try wire.eval(Self.write).line == "-NOREPLICAS")
    }

    /// So an old master may go on for `min-replicas-max-lag` and two seconds after it last heard of its replica: it
    /// counts whole seconds of its clock, and looks once in a second.
    @Test func aSilentReplicaEndsTheWritesWithinItsLagAndTwoSeconds() throws {
        let pair = try ReplicatedRedis(["min-replicas-to-write": "1", "min-replicas-max-lag": "1"])
        let wire = try RedisWire(pair.first)
        #expect(try poll { try wire.eval(Self.write).line == "OK" })
        let clock = ContinuousClock()
        pair.second.pause()
        let start = clock.now
        var last: ContinuousClock.Instant?
        let hasEnded = try poll {
            let now = clock.now
            guard try wire.eval(Self.write).line == "OK" else { return true }
            last = now
            return false
        }
        #expect(hasEnded)
        let served = try #require(last, "it ended at once") - start
        // A second more, for a machine that has other things to do.
        #expect(served < .seconds(1 + 2 + 1))
    }

    /// So an old master that was stopped goes on for a moment when it wakes, however long ago it was replaced: it looks
    /// at its replicas once in a second. A script can see for itself how long a replica has been silent.
    @Test func aMasterThatWakesCountsASilentReplicaButInfoTellsItsLag() throws {
        let pair = try ReplicatedRedis(["min-replicas-to-write": "1", "min-replicas-max-lag": "1"])
        let wire = try RedisWire(pair.first)
        let script = """
            #!lua flags=allow-oom
            redis.call('SET', 'a', '1')
            local info = redis.call('INFO', 'replication')
            return {string.match(info, 'min_slaves_good_slaves:(%d+)'), string.match(info, 'slave0:.*lag=(%d+)')}
            """
        #expect(try poll { try wire.eval(script).words.first == "1" })
        pair.second.pause()
        pair.first.pause()
        try wire.send(["EVAL", script, "0"])
        // Longer than the lag by a second, which is how exact the lag is.
        poll(within: .milliseconds(2500)) { false }
        pair.first.resume()
        let reply = try #require(try wire.receive()).words
        try #require(reply.count == 2)
        #expect(reply[0] == "1")
        #expect(try #require(Int(reply[1])) > 1)
        #expect(try poll { try wire.eval(script).line == "-NOREPLICAS" })
        pair.second.resume()
    }

    /// So a connection to a server that loads its data is of no use yet, and its first question shows that.
    @Test func aServerThatLoadsItsDataRefusesEvenPing() throws {
        let master = try RedisServer.start(
            RedisServer.Options(settings: ["repl-diskless-sync": "no"], listensOnTCP: true))
        let upper = try RedisWire(master)
        for number in 0..<100 { try upper.call("SET", "key-\(number)", String(repeating: "x", count: 2000)) }
        // It takes 3 ms for each key, and looks up after each.
        let slow = ["key-load-delay": "3000", "loading-process-events-interval-bytes": "1024"]
        let wire = try RedisWire(try RedisServer.start(RedisServer.Options(settings: slow)))
        try wire.call("REPLICAOF", "127.0.0.1", "\(try #require(master.port))")
        #expect(try poll { try wire.call("PING").line == "-LOADING" })
        #expect(try wire.call("GET", "key-1").line == "-LOADING")
        #expect(try wire.eval("return 1").line == "-LOADING")
        #expect(try poll { try wire.call("PING").line == "PONG" })
    }

    /// So a follower at a replica hears the feed too, though it can renew nothing there.
    @Test func messagesReachTheSubscribersOfReplicas() throws {
        let pair = try ReplicatedRedis()
        let subscriber = try RedisWire(pair.second)
        try subscriber.subscribe(to: "feed")
        let wire = try RedisWire(pair.first)
        #expect(try wire.eval("return redis.call('PUBLISH', 'feed', 'sent')").integer == 0)
        #expect(try #require(try subscriber.receive()).line == "message feed sent")
        // The other way it does not: a replica tells nobody.
        let upper = try RedisWire(pair.first)
        try upper.subscribe(to: "feed")
        #expect(try RedisWire(pair.second).call("PUBLISH", "feed", "from below").integer == 1)
        #expect(try #require(try subscriber.receive()).line == "message feed from below")
        #expect(try upper.payloads().isEmpty)
    }

    /// So after a failover a subscription may go on at the old master and bring the new one's messages: their epoch is
    /// another, and that is what a follower goes by.
    @Test func aSubscriberStaysWithAMasterThatBecomesAReplica() throws {
        let pair = try ReplicatedRedis()
        let subscriber = try RedisWire(pair.first)
        try subscriber.subscribe(to: "feed")
        try pair.promote(pair.second)
        try pair.follow(pair.first, pair.second)
        #expect(try RedisWire(pair.second).call("PUBLISH", "feed", "of the new master").integer == 0)
        #expect(try #require(try subscriber.receive()).line == "message feed of the new master")
    }

    /// So a replica never has half a commit: what a script wrote arrives as one.
    @Test func aScriptsWritesReachTheReplicaAsOne() throws {
        let pair = try ReplicatedRedis()
        let (writer, reader) = (try RedisWire(pair.first), try RedisWire(pair.second))
        let (rounds, others) = (100, 400)
        let script = "redis.call('INCR', 'a') for i = 1, ARGV[1] do redis.call('INCR', 'b') end"
        for _ in 0..<rounds { try writer.send(["EVAL", script, "0", "\(others)"]) }
        // As often as it can be asked, so that half of a script, if it could be seen, would be.
        var seen = 0
        var looks = 0
        while seen < rounds, looks < 1_000_000 {
            let counts = try reader.call("MGET", "a", "b").words.map { Int($0) ?? 0 }
            try #require(counts[1] == counts[0] * others)
            seen = counts[0]
            looks += 1
        }
        #expect(seen == rounds)
        for _ in 0..<rounds { #expect(try #require(try writer.receive()).isNull) }
    }
}
