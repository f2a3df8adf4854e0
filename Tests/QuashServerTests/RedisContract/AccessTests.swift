import QuashRedis
import TestSupport
import Testing

/// Users in Redis: what a validator may do is what its user may, in scripts too.
@Suite struct AccessTests {
    private let redis: RedisServer
    private let root: RedisWire

    init() throws {
        redis = try RedisServer.start()
        root = try RedisWire(redis)
    }

    /// A connection of a new user with these rules.
    private func user(_ rules: String...) throws -> RedisWire {
        try root.send(["ACL", "SETUSER", "node", "on", "nopass"] + rules)
        guard try root.receive()?.line == "OK" else { throw TestSupportError("not an ACL: \(rules)") }
        return try RedisWire(redis, user: "node")
    }

    /// So the user of a follower is given the channel of the feed by name.
    @Test func aNewUserHasNoChannels() throws {
        let node = try user("~*", "+@all")
        #expect(try node.call("SUBSCRIBE", "feed").line == "-NOPERM")
        #expect(try node.call("PUBLISH", "feed", "a").line == "-NOPERM")
        try root.call("ACL", "SETUSER", "node", "&feed")
        #expect(try node.call("PUBLISH", "feed", "a").integer == 0)
        #expect(try node.call("SUBSCRIBE", "other").line == "-NOPERM")
        #expect(try node.call("SUBSCRIBE", "feed").line == "subscribe feed 1")
    }

    /// So a user whose channel is taken away is cut, and does not go on hearing it.
    @Test func aSubscriberWhoLosesTheChannelIsCut() throws {
        let node = try user("&feed", "+@all")
        try node.subscribe(to: "feed")
        try root.call("ACL", "SETUSER", "node", "resetchannels")
        #expect(try node.receive() == nil)
    }

    /// So a validator's user needs each command that `renew` calls, and a script lends nobody a right.
    @Test func whatAScriptCallsIsCheckedForItsCaller() throws {
        let node = try user("~*", "-@all", "+eval", "+get")
        #expect(try node.eval("return redis.call('GET', 'a')").isNull)
        #expect(try node.eval("return redis.call('SET', 'a', '1')").line == "-ERR")
        let refusal = "return redis.pcall('SET', 'a', '1').err"
        #expect(try node.eval(refusal).line.hasPrefix("ERR The user executing the script"))
        #expect(try node.call("SET", "a", "1").line == "-NOPERM")
        #expect(try root.call("EXISTS", "a").integer == 0)
    }

    /// So only the registry stands in KEYS: every key there must be free to read and to write.
    @Test func everyKeyOfACallMustBeReadableAndWritable() throws {
        let node = try user("%R~read", "%W~write", "~both", "+@all")
        let script = "return 'ran'"
        #expect(try node.eval(script, keys: ["read"]).line == "-NOPERM")
        #expect(try node.eval(script, keys: ["write"]).line == "-NOPERM")
        #expect(try node.eval(script, keys: ["both"]).line == "ran")
        #expect(try node.eval(script, keys: ["both", "read"]).line == "-NOPERM")
    }

    /// So a validator reads the epoch, the log and the live set in `renew` without being able to change them.
    @Test func aKeyThatIsOnlyNamedInAScriptMayBeReadOnly() throws {
        try root.call("SET", "read", "1")
        let node = try user("%R~read", "~both", "+@all")
        #expect(try node.eval("return redis.call('GET', 'read')", keys: ["both"]).line == "1")
        #expect(try node.eval("return redis.call('SET', 'read', '2')", keys: ["both"]).line == "-ERR")
        #expect(try node.eval("return redis.call('GET', 'other')", keys: ["both"]).line == "-ERR")
        #expect(try root.call("GET", "read").line == "1")
    }

    /// So a user who may not publish what `renew` publishes gets an error, though its entry is in the registry.
    @Test func aMessageThatIsNotAllowedFailsAfterTheWritesBeforeIt() throws {
        let node = try user("~*", "&feed", "+@all")
        let script = "redis.call('HSET', 'nodes', 'a/1', '0') redis.call('PUBLISH', ARGV[1], 'x') return 'granted'"
        #expect(try node.eval(script, "acks").line == "-ERR")
        #expect(try root.call("HGET", "nodes", "a/1").line == "0")
        #expect(try node.eval(script, "feed").line == "granted")
    }

    /// So a validator may run the scripts that issuers have loaded, and load none.
    @Test func runningAScriptAndLoadingOneAreTwoRights() throws {
        let node = try user("~*", "-@all", "+evalsha")
        let script = RedisScript(name: "seven", source: "return 7")
        #expect(try node.evaluate(script, keys: [], []).line == "-NOSCRIPT")
        #expect(try node.call("SCRIPT", "LOAD", script.source).line == "-NOPERM")
        try root.call("SCRIPT", "LOAD", script.source)
        #expect(try node.evaluate(script, keys: [], []).line == "7")
    }

    /// So a connection on which PING is refused for want of the right is of use all the same: it was answered.
    @Test func evenPingIsARight() throws {
        let node = try user("-@all", "+get", "~*")
        #expect(try node.call("PING").line == "-NOPERM")
    }

    /// So a user that is removed is out at once, whatever its connections are used for.
    @Test func aRemovedUsersConnectionsEnd() throws {
        let (node, other) = (try user("&feed", "+@all"), try RedisWire(redis, user: "node"))
        try node.subscribe(to: "feed")
        #expect(try root.call("ACL", "DELUSER", "node").integer == 1)
        #expect(try node.receive() == nil)
        #expect(try other.receive() == nil)
    }
}
