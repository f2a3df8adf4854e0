import QuashRedis
import TestSupport
import Testing

/// When Redis refuses a script, and what the script has done by then.
@Suite struct ScriptRefusalTests {
    /// Publishes, reads, writes, and publishes again.
    private static let publishing = """
        redis.call('PUBLISH', 'feed', 'first')
        redis.call('GET', 'a')
        redis.call('SET', 'a', '1')
        redis.call('PUBLISH', 'feed', 'last')
        return 'done'
        """
    private static let reading = "return redis.call('GET', 'a')"
    /// As the scripts of the feed begin.
    private static let flagged = "#!lua flags=allow-oom\n"

    /// A server, a connection for commands and one that is subscribed.
    private struct Scene {
        let redis: RedisServer
        let wire: RedisWire
        let subscriber: RedisWire

        init(_ options: RedisServer.Options = RedisServer.Options()) throws {
            redis = try RedisServer.start(options)
            wire = try RedisWire(redis)
            subscriber = try RedisWire(redis)
            try subscriber.subscribe(to: "feed")
        }

        func fill() throws { try wire.call("CONFIG", "SET", "maxmemory", "1") }
    }

    // MARK: A full Redis

    /// So `revoke` publishes after it has written, never before.
    @Test func aFullRedisRefusesAtTheFirstWriteAndWhatWasPublishedBeforeIsHeard() throws {
        let scene = try Scene()
        try scene.fill()
        #expect(try scene.wire.eval(Self.publishing).line == "-OOM")
        #expect(try scene.subscriber.payloads() == ["first"])
    }

    /// So a script without `allow-oom` that begins with DEL would write on in a full Redis: the flag says it openly.
    @Test func aFullRedisLooksAtTheFirstWriteOnly() throws {
        let scene = try Scene()
        try scene.wire.call("SET", "old", "1")
        try scene.fill()
        #expect(try scene.wire.eval("redis.call('DEL', 'old') return redis.call('SET', 'new', '1')").line == "OK")
        #expect(try scene.wire.eval("return redis.call('SET', 'other', '1')").line == "-OOM")
    }

    /// So a full Redis still takes revocations, renews leases and ends sessions.
    @Test func aScriptThatAllowsItWritesInAFullRedis() throws {
        let scene = try Scene()
        try scene.fill()
        #expect(try scene.wire.eval(Self.flagged + Self.publishing).line == "done")
        #expect(try scene.subscriber.payloads() == ["first", "last"])
        #expect(try scene.wire.call("GET", "a").line == "1")
    }

    /// So every script of the feed says `allow-oom`: with a first line but without the flag not even a look is allowed.
    @Test func aFullRedisRefusesAFlaggedScriptBeforeItBegins() throws {
        let scene = try Scene()
        try scene.fill()
        #expect(try scene.wire.eval("#!lua\n" + Self.publishing).line == "-OOM")
        #expect(try scene.wire.eval("#!lua\n" + Self.reading).line == "-OOM")
        #expect(try scene.subscriber.payloads().isEmpty)
    }

    /// So after a restart of a full Redis the scripts can be loaded, and followers subscribe.
    @Test func aFullRedisLoadsScriptsAndTakesSubscribers() throws {
        let scene = try Scene()
        try scene.fill()
        #expect(try scene.wire.call("SCRIPT", "LOAD", "return 1").text?.count == 40)
        #expect(try scene.wire.call("SUBSCRIBE", "feed").line == "subscribe feed 1")
    }

    /// So `maxmemory-policy noeviction` is asked of Redis: a write is refused, and nothing that was stored goes.
    @Test func withoutEvictionAFullRedisRefusesAndKeeps() throws {
        let scene = try Scene()
        #expect(try scene.wire.setting("maxmemory-policy") == "noeviction")
        for number in 0..<100 { try scene.wire.call("SET", "key-\(number)", "1", "EX", "1000") }
        try scene.fill()
        #expect(try scene.wire.call("SET", "one more", "1").line == "-OOM")
        #expect(try scene.wire.call("DBSIZE").integer == 100)
        #expect(try scene.wire.info("evicted_keys") == "0")
    }

    /// So any other policy is refused by the roles (`ServerFacts`): what has an expiry goes, and nobody is told.
    @Test func withAnEvictingPolicyKeysGoAndNothingIsRefused() throws {
        let scene = try Scene(RedisServer.Options(settings: ["maxmemory-policy": "volatile-ttl"]))
        let kilobyte = String(repeating: "x", count: 1000)
        var written = 0
        func write() throws -> String {
            written += 1
            return try scene.wire.call("SET", "key-\(written)", kilobyte, "EX", "1000").line
        }
        for _ in 0..<300 { _ = try write() }
        // Room for more than what connections need now and then: only keys can be too much.
        let used = try #require(Int(try scene.wire.info("used_memory")))
        try scene.wire.call("CONFIG", "SET", "maxmemory", "\(used + 200_000)")
        while try scene.wire.info("evicted_keys") == "0", written < 2000 { try #require(try write() == "OK") }
        #expect(written < 2000, "nothing is evicted")
        #expect(try #require(try scene.wire.call("DBSIZE").integer) < written)
    }

    // MARK: A Redis that may not write

    /// So `sign-in`, which has no first line, is refused at its first write, and a script must publish last.
    @Test func withoutReplicasAPlainScriptIsRefusedAtItsFirstWrite() throws {
        let scene = try Scene(RedisServer.Options(settings: ["min-replicas-to-write": "1"]))
        #expect(try scene.wire.eval(Self.publishing).line == "-NOREPLICAS")
        #expect(try scene.subscriber.payloads() == ["first"])
        #expect(try scene.wire.eval(Self.reading).isNull)
    }

    /// So a master that has lost its replicas grants no lease and commits nothing.
    @Test func withoutReplicasAFlaggedScriptDoesNotBegin() throws {
        let scene = try Scene(RedisServer.Options(settings: ["min-replicas-to-write": "1"]))
        #expect(try scene.wire.eval(Self.flagged + Self.publishing).line == "-NOREPLICAS")
        #expect(try scene.subscriber.payloads().isEmpty)
        // Not even one that only reads: `nodes` is refused there too.
        #expect(try scene.wire.eval(Self.flagged + Self.reading).line == "-NOREPLICAS")
    }

    /// So a replica grants no lease, whatever its data says.
    @Test func aReplicaRefusesAFlaggedScriptBeforeItBegins() throws {
        let scene = try Scene()
        try scene.wire.call("REPLICAOF", "127.0.0.1", "\(try freePort())")
        #expect(try scene.wire.eval(Self.flagged + Self.publishing).line == "-READONLY")
        #expect(try scene.wire.eval(Self.flagged + Self.reading).line == "-READONLY")
        #expect(try scene.subscriber.payloads().isEmpty)
    }

    /// So what publishes before it writes would be heard from a replica too.
    @Test func aReplicaRefusesAPlainScriptAtItsFirstWrite() throws {
        let scene = try Scene()
        try scene.wire.call("REPLICAOF", "127.0.0.1", "\(try freePort())")
        #expect(try scene.wire.eval(Self.publishing).line == "-READONLY")
        #expect(try scene.wire.eval(Self.reading).isNull)
        #expect(try scene.subscriber.payloads() == ["first"])
    }

    /// So a Redis whose snapshots fail ends every lease, and shows itself in the first question of a connection.
    @Test func aRedisThatCannotSaveRefusesFlaggedScriptsAndPing() throws {
        let folder = try TemporaryFolder()
        let scene = try Scene(RedisServer.Options(settings: ["dir": folder.path, "save": "3600 1"]))
        TemporaryFolder.remove(folder.path)
        try scene.wire.call("BGSAVE")
        #expect(try poll { try scene.wire.info("rdb_last_bgsave_status") == "err" })
        #expect(try scene.wire.eval(Self.flagged + Self.reading).line == "-MISCONF")
        #expect(try scene.wire.call("PING").line == "-MISCONF")
        #expect(try scene.wire.call("GET", "a").isNull)
        try scene.subscriber.send(["PING"])
        #expect(try #require(try scene.subscriber.receive()).line == "-MISCONF")
    }

    /// So a script that only reads could say so, and would be answered by a Redis that may not write.
    @Test func aScriptThatSaysItOnlyReadsRunsWhereNoneMayWrite() throws {
        let scene = try Scene(RedisServer.Options(settings: ["min-replicas-to-write": "1"]))
        let script = "#!lua flags=no-writes\n" + Self.reading
        #expect(try scene.wire.eval(script).isNull)
        try scene.fill()
        #expect(try scene.wire.eval(script).isNull)
        try scene.wire.call("REPLICAOF", "127.0.0.1", "\(try freePort())")
        #expect(try scene.wire.eval(script).isNull)
        // Publishing is no reading.
        #expect(try scene.wire.eval("#!lua flags=no-writes\n" + Self.publishing).line == "-ERR")
        #expect(try scene.subscriber.payloads().isEmpty)
    }
}
