import QuashRedis
import TestSupport
import Testing

/// Which scripts Redis knows, and what becomes of one that does not end.
@Suite struct ScriptCacheTests {
    private static let script = RedisScript(name: "seven", source: "#!lua flags=allow-oom\nreturn 7")

    private func run(_ wire: RedisWire) throws -> String { try wire.call("EVALSHA", Self.script.digest, "0").line }

    /// So a validator, which may not load scripts, knows their names.
    @Test func aScriptsNameIsTheSHA1OfItsText() throws {
        let wire = try RedisWire(try RedisServer.start())
        #expect(try wire.call("SCRIPT", "LOAD", Self.script.source).line == Self.script.digest)
        #expect(try run(wire) == "7")
    }

    /// So `RedisClient.eval` loads a script that is not known and tries again; the epoch goes on.
    @Test func scriptFlushForgetsTheScripts() throws {
        let wire = try RedisWire(try RedisServer.start())
        try wire.call("SCRIPT", "LOAD", Self.script.source)
        try wire.call("SCRIPT", "FLUSH")
        #expect(try run(wire) == "-NOSCRIPT")
    }

    /// So scripts are loaded again after a restart, with or without the data.
    @Test func aRestartForgetsTheScripts() throws {
        let redis = try RedisServer.start(Fleet.durableRedis)
        try RedisWire(redis).call("SCRIPT", "LOAD", Self.script.source)
        try redis.restart()
        #expect(try run(RedisWire(redis)) == "-NOSCRIPT")
    }

    /// So scripts are loaded again after a failover.
    @Test func aPromotedReplicaDoesNotKnowTheScripts() throws {
        let pair = try ReplicatedRedis()
        let wire = try RedisWire(pair.first)
        try wire.call("SCRIPT", "LOAD", Self.script.source)
        #expect(try run(wire) == "7")
        try pair.promote(pair.second)
        #expect(try run(RedisWire(pair.second)) == "-NOSCRIPT")
    }

    /// So FLUSHALL, which ends the epoch, costs no loading.
    @Test func flushAllKeepsTheScripts() throws {
        let wire = try RedisWire(try RedisServer.start())
        try wire.call("SCRIPT", "LOAD", Self.script.source)
        try wire.call("FLUSHALL")
        #expect(try run(wire) == "7")
    }

    /// So every call has a deadline: for five seconds nobody is answered, and then everybody is refused.
    @Test func aScriptThatDoesNotEndMakesRedisBusy() throws {
        let redis = try RedisServer.start(RedisServer.Options(settings: ["busy-reply-threshold": "20"]))
        let (endless, other) = (try RedisWire(redis), try RedisWire(redis))
        try endless.send(["EVAL", "while true do end", "0"])
        #expect(try poll { try other.call("GET", "a").line == "-BUSY" })
        #expect(try other.call("PING").line == "-BUSY")
        #expect(try other.call("EVAL", "return 1", "0").line == "-BUSY")
        #expect(try other.call("SCRIPT", "KILL").line == "OK")
        #expect(try #require(try endless.receive()).line == "-ERR")
        #expect(try other.call("PING").line == "PONG")
    }

    /// So no script loops over what grows without a limit: one that has written can only be ended with Redis itself.
    @Test func aScriptThatHasWrittenCannotBeKilled() throws {
        let redis = try RedisServer.start(RedisServer.Options(settings: ["busy-reply-threshold": "20"]))
        let (endless, other) = (try RedisWire(redis), try RedisWire(redis))
        try endless.send(["EVAL", "redis.call('SET', 'a', '1') while true do end", "0"])
        #expect(try poll { try other.call("GET", "a").line == "-BUSY" })
        #expect(try other.call("SCRIPT", "KILL").line == "-UNKILLABLE")
        redis.kill9()
        #expect(try endless.receive() == nil)
    }
}
