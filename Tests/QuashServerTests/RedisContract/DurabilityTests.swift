import Glibc
import QuashRedis
import TestSupport
import Testing

/// What is there after the process was killed, and how a server is that nobody has configured.
@Suite struct DurabilityTests {
    /// So `appendonly yes` keeps what was answered through a crash of Redis.
    @Test func withAnAppendOnlyFileWhatWasAnsweredSurvivesAKill() throws {
        let redis = try RedisServer.start(Fleet.durableRedis)
        let wire = try RedisWire(redis)
        for number in 1...20 { #expect(try wire.eval("return redis.call('INCR', 'seq')").integer == Int64(number)) }
        redis.kill9()
        try redis.restart()
        #expect(try RedisWire(redis).call("GET", "seq").line == "20")
    }

    /// So the roles warn of a Redis without one: by default everything since the last snapshot is lost.
    @Test func withoutConfigurationWhatWasAnsweredIsLostByAKill() throws {
        let redis = try RedisServer.start(RedisServer.Options(omitted: ["save", "appendonly"]))
        #expect(try RedisWire(redis).call("SET", "a", "1").line == "OK")
        redis.kill9()
        try redis.restart()
        #expect(try RedisWire(redis).call("GET", "a").isNull)
    }

    /// So a commit is in the file as a whole or not at all, even when its end did not reach the disk.
    @Test func aScriptWhoseEndIsMissingInTheFileIsLostAsAWhole() throws {
        let redis = try RedisServer.start(Fleet.durableRedis)
        let wire = try RedisWire(redis)
        try wire.call("SET", "before", "1")
        try wire.eval("redis.call('INCR', 'seq') redis.call('APPEND', 'live', 'x') redis.call('PUBLISH', 'feed', 'x')")
        redis.kill9()
        let file = redis.path("appendonlydir/appendonly.aof.1.incr.aof")
        let text = TemporaryFolder.read(file)
        #expect(text.contains("MULTI") && text.hasSuffix("EXEC\r\n") && !text.contains("PUBLISH"))
        #expect(unsafe truncate(file, text.utf8.count - 3) == 0)
        try redis.restart()
        #expect(try RedisWire(redis).call("MGET", "before", "seq", "live").line == "1 nil nil")
    }

    /// So the list of users leaves `default` the right to write, though it is off and nobody can be it.
    @Test(arguments: [("", "nil nil"), ("~* +@write", "1 2")])
    func theFileIsReadWithTheRightsOfTheDefaultUser(rights: String, kept: String) throws {
        var options = Fleet.durableRedis
        options.users = ["user default off resetchannels -@all \(rights)"]
        let redis = try RedisServer.start(options)
        try redis.cli("EVAL", "redis.call('SET', 'a', '1') redis.call('SET', 'b', '2')", "0")
        try redis.restart()
        #expect(try RedisWire(redis, user: RedisServer.cliUser).call("MGET", "a", "b").line == kept)
    }

    /// So with `appendfsync always` no validator applies what a crash of Redis could take back.
    @Test func withFsyncAlwaysAMessageIsInTheFileBeforeItIsHeard() throws {
        let redis = try RedisServer.start(Fleet.durableRedis)
        let (wire, subscriber) = (try RedisWire(redis), try RedisWire(redis))
        try subscriber.subscribe(to: "feed")
        let file = redis.path("appendonlydir/appendonly.aof.1.incr.aof")
        for number in 1...50 {
            let record = "record-\(number)-"
            try wire.send(["EVAL", "redis.call('SET', 'a', ARGV[1]) redis.call('PUBLISH', 'feed', 'x')", "0", record])
            #expect(try #require(try subscriber.receive()).line == "message feed x")
            #expect(TemporaryFolder.read(file).contains(record))
            #expect(try #require(try wire.receive()).isNull)
        }
    }

    /// So `appendonly yes` must not be put into the configuration of a Redis that has only a snapshot: the snapshot is
    /// ignored, and everything is gone.
    @Test func anAppendOnlyFileThatBeginsWithARestartBeginsEmpty() throws {
        let folder = try TemporaryFolder()
        let first = try RedisServer.start(RedisServer.Options(settings: ["dir": folder.path]))
        let wire = try RedisWire(first)
        try wire.call("SET", "a", "1")
        #expect(try wire.call("SAVE").line == "OK")
        first.kill9()
        let snapshotOnly = try RedisServer.start(RedisServer.Options(settings: ["dir": folder.path]))
        #expect(try RedisWire(snapshotOnly).call("GET", "a").line == "1")
        snapshotOnly.kill9()
        let second = try RedisServer.start(RedisServer.Options(settings: ["dir": folder.path, "appendonly": "yes"]))
        #expect(try RedisWire(second).call("GET", "a").isNull)
    }

    /// So it is switched on in the running Redis first, by CONFIG SET.
    @Test func anAppendOnlyFileThatBeginsInARunningRedisHasEverything() throws {
        let folder = try TemporaryFolder()
        let first = try RedisServer.start(RedisServer.Options(settings: ["dir": folder.path]))
        let wire = try RedisWire(first)
        try wire.call("SET", "a", "1")
        #expect(try wire.call("CONFIG", "SET", "appendonly", "yes").line == "OK")
        #expect(
            try poll {
                try wire.info("aof_rewrite_in_progress") == "0" && wire.info("aof_rewrite_scheduled") == "0"
            })
        first.kill9()
        let second = try RedisServer.start(RedisServer.Options(settings: ["dir": folder.path, "appendonly": "yes"]))
        #expect(try RedisWire(second).call("GET", "a").line == "1")
    }

    /// So nobody can reset a production Redis by it, and tests that need DEBUG switch it on.
    @Test func debugIsRefusedByDefault() throws {
        let wire = try RedisWire(try RedisServer.start(RedisServer.Options(omitted: ["enable-debug-command"])))
        #expect(try wire.call("DEBUG", "SLEEP", "0").line == "-ERR")
    }

    /// So what is promised for a Redis as it comes, is promised for these settings.
    @Test func theSettingsOfARedisThatNobodyHasConfigured() throws {
        let wire = try RedisWire(try RedisServer.start(RedisServer.Options(omitted: ["save"])))
        let settings = [
            ("maxmemory-policy", "noeviction"), ("appendonly", "no"), ("save", "3600 1 300 100 60 10000"),
            ("appendfsync", "everysec"), ("aof-load-truncated", "yes"), ("stop-writes-on-bgsave-error", "yes"),
            ("busy-reply-threshold", "5000"), ("acl-pubsub-default", "resetchannels"), ("replica-read-only", "yes"),
            ("min-replicas-to-write", "0"), ("min-replicas-max-lag", "10"), ("timeout", "0"),
        ]
        for (name, value) in settings { #expect(try wire.setting(name) == value, "\(name)") }
        #expect(try wire.setting("client-output-buffer-limit").hasSuffix("pubsub 33554432 8388608 60"))
    }
}
