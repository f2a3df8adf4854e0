import QuashRedis
import TestSupport
import Testing

/// Strings, hashes and sorted sets, as the live set, the registry and the sessions use them.
@Suite struct StoredValueTests {
    private let wire: RedisWire

    init() throws { wire = try RedisWire(try RedisServer.start()) }

    /// Expired keys stay until somebody asks for them.
    private func keepExpiredKeys() throws {
        #expect(try wire.call("DEBUG", "SET-ACTIVE-EXPIRE", "0").line == "OK")
    }

    // MARK: Strings

    /// So `revoke` knows a chunk that it has just begun by its length, and lets it expire.
    @Test func appendAnswersTheWholeLength() throws {
        #expect(try wire.call("APPEND", "chunk", "12345").integer == 5)
        #expect(try wire.call("APPEND", "chunk", "67890").integer == 10)
    }

    /// So a chunk's expiry is set once, with its first bytes.
    @Test func appendKeepsTheExpiry() throws {
        try wire.call("APPEND", "chunk", "12345")
        try wire.call("EXPIREAT", "chunk", "4000000000")
        try wire.call("APPEND", "chunk", "67890")
        #expect(try wire.call("EXPIRETIME", "chunk").integer == 4_000_000_000)
    }

    /// So a reader that asks for the page behind the last byte of a chunk learns that it is the end.
    @Test func whatIsBehindTheEndOfAStringIsEmpty() throws {
        try wire.call("SET", "chunk", "12345")
        #expect(try wire.call("GETRANGE", "chunk", "3", "262146").line == "45")
        #expect(try wire.call("GETRANGE", "chunk", "5", "262148").line == "")
        #expect(try wire.call("GETRANGE", "none", "0", "262143").line == "")
        #expect(try wire.call("STRLEN", "none").integer == 0)
    }

    /// So what has expired is out of every script's sight at once, and is not appended to.
    @Test func anExpiredStringIsNotThereEvenBeforeItIsRemoved() throws {
        try keepExpiredKeys()
        try wire.call("SET", "chunk", "12345", "PX", "1")
        #expect(try poll { try wire.call("PTTL", "chunk").integer == -2 })
        try wire.call("SET", "other", "12345", "PX", "1")
        #expect(try poll { try wire.eval("return redis.call('STRLEN', 'other')").integer == 0 })
        try wire.call("SET", "third", "12345", "PX", "1")
        #expect(try poll { try wire.call("GETRANGE", "third", "0", "-1").line == "" })
        try wire.call("SET", "fourth", "12345", "PX", "1")
        // Until it has expired each attempt makes it longer, and the first after that begins it anew.
        #expect(try poll { try wire.call("APPEND", "fourth", "67890").integer == 5 })
        #expect(try wire.call("TTL", "fourth").integer == -1)
    }

    /// So a revocation whose time and whose period have long passed leaves nothing behind.
    @Test func anExpiryThatHasPassedRemovesAtOnce() throws {
        try keepExpiredKeys()
        let script = """
            redis.call('APPEND', 'chunk', '12345')
            redis.call('EXPIREAT', 'chunk', 1000000000)
            return redis.call('EXISTS', 'chunk')
            """
        #expect(try wire.eval(script).integer == 0)
        #expect(try wire.call("DBSIZE").integer == 0)
    }

    /// So chunks that move up when one was lost keep their expiry, and none is written over.
    @Test func renamingKeepsTheExpiryAndSparesWhatIsThere() throws {
        try wire.call("SET", "from", "1", "EXAT", "4000000000")
        #expect(try wire.call("RENAMENX", "from", "to").integer == 1)
        #expect(try wire.call("EXPIRETIME", "to").integer == 4_000_000_000)
        try wire.call("SET", "from", "2")
        #expect(try wire.call("RENAMENX", "from", "to").integer == 0)
        #expect(try wire.call("MGET", "from", "to").line == "2 1")
        #expect(try wire.call("RENAMENX", "none", "elsewhere").line == "-ERR")
    }

    /// So the place of a request's commit is kept for its time from the last write on.
    @Test func setReplacesTheExpiry() throws {
        try wire.call("SET", "request", "1", "EX", "1000")
        #expect(try wire.eval("return redis.call('SET', 'request', '2', 'EX', 600)").line == "OK")
        #expect((1...600).contains(try #require(try wire.call("TTL", "request").integer)))
        try wire.call("SET", "request", "3")
        #expect(try wire.call("TTL", "request").integer == -1)
    }

    // MARK: Hashes

    /// So `renew` knows a node that is new, and a session's end is written once.
    @Test func hashesTellNewFieldsFromOldOnes() throws {
        #expect(try wire.call("HSET", "nodes", "a/1", "0 1 5000 v").integer == 1)
        #expect(try wire.call("HSET", "nodes", "a/1", "1 2 5000 v").integer == 0)
        #expect(try wire.call("HSETNX", "session", "ended", "1").integer == 1)
        #expect(try wire.call("HSETNX", "session", "ended", "2").integer == 0)
        #expect(try wire.call("HGET", "session", "ended").line == "1")
    }

    /// So the registry is gone when its epoch and every node is, and a missing hash has no epoch either.
    @Test func aHashGoesWithItsLastField() throws {
        try wire.call("HSET", "nodes", "epoch", "aa")
        #expect(try wire.call("HDEL", "nodes", "epoch").integer == 1)
        #expect(try wire.call("EXISTS", "nodes").integer == 0)
        #expect(try wire.call("HDEL", "nodes", "epoch").integer == 0)
        #expect(try wire.call("HLEN", "nodes").integer == 0)
    }

    /// So rotating a session keeps its other fields, and its key's new expiry may be earlier than the old one.
    @Test func hsetKeepsTheExpiryAndExpireatMovesItEitherWay() throws {
        try wire.call("HSET", "session", "sub", "alice", "current", "x")
        try wire.call("EXPIREAT", "session", "4000000000")
        try wire.call("HSET", "session", "current", "y")
        #expect(try wire.call("EXPIRETIME", "session").integer == 4_000_000_000)
        try wire.call("EXPIREAT", "session", "3000000000")
        #expect(try wire.call("EXPIRETIME", "session").integer == 3_000_000_000)
        #expect(try wire.call("HGETALL", "session").line == "sub alice current y")
    }

    /// So a refresh makes the list of its subject's sessions live longer, never shorter. A key that has no expiry
    /// counts as the longest, so the first one is set without `GT`.
    @Test func expireatMayOnlyExtend() throws {
        try wire.call("ZADD", "sessions", "1", "a")
        #expect(try wire.call("EXPIREAT", "sessions", "3000000000", "GT").integer == 0)
        try wire.call("EXPIREAT", "sessions", "3000000000")
        #expect(try wire.call("EXPIREAT", "sessions", "2900000000", "GT").integer == 0)
        #expect(try wire.call("EXPIREAT", "sessions", "4000000000", "GT").integer == 1)
        #expect(try wire.call("EXPIRETIME", "sessions").integer == 4_000_000_000)
    }

    /// So the sessions of a subject that are too many are the oldest.
    @Test func theLastButSoManyOfASetAreTheLowest() throws {
        for number in [3, 1, 5, 2, 4] { try wire.call("ZADD", "sessions", "\(number)", "s\(number)") }
        #expect(try wire.call("ZRANGE", "sessions", "0", "-4").line == "s1 s2")
        #expect(try wire.call("ZRANGE", "sessions", "0", "-6").line == "")
    }
}
