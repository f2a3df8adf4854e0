import QuashRedis
import TestSupport
import Testing

/// What a script does, it does as one step, at once and for good.
@Suite struct ScriptEffectTests {
    private let redis: RedisServer
    private let wire: RedisWire

    init() throws {
        redis = try RedisServer.start()
        wire = try RedisWire(redis)
    }

    private func subscriber() throws -> RedisWire {
        let subscriber = try RedisWire(redis)
        try subscriber.subscribe(to: "feed")
        return subscriber
    }

    /// So `revoke` publishes last, when nothing can fail any more.
    @Test func aMessageIsNotTakenBackByALaterError() throws {
        let subscriber = try subscriber()
        let reply = try wire.eval("redis.call('PUBLISH', 'feed', 'sent') redis.call('INCR', 'no number', 'at all')")
        #expect(reply.line == "-ERR")
        #expect(try subscriber.payloads() == ["sent"])
    }

    /// So `revoke` checks the epoch and the request before its first write.
    @Test func writesBeforeAnErrorStay() throws {
        try wire.call("SET", "text", "abc")
        #expect(try wire.eval("redis.call('INCR', 'seq') redis.call('INCR', 'text')").line == "-ERR")
        #expect(try wire.call("GET", "seq").line == "1")
    }

    /// So a script asks whether it can write before it does.
    @Test func anErrorThatIsCaughtIsATableThatSaysWhat() throws {
        try wire.call("SET", "text", "abc")
        let read = "local reply = redis.pcall('HGET', 'text', 'field')"
        #expect(try wire.eval("\(read) return reply.err").line.hasPrefix("WRONGTYPE "))
        #expect(try wire.eval("\(read) redis.call('SET', 'seq', '1') return 'went on'").line == "went on")
        // And it can be thrown on, from a function too.
        #expect(try wire.eval("local function fail() \(read) error(reply) end fail()").line == "-WRONGTYPE")
        #expect(try wire.eval("return redis.pcall('GET', 'text')").line == "abc")
    }

    /// So a sequence is given once, a refresh token is spent once, and a lease is granted with everything up to the
    /// head.
    @Test func nothingElseRunsBetweenTheCommandsOfAScript() throws {
        let others = try RedisWire(redis)
        let script = "local n = tonumber(redis.call('GET', 'n') or 0) redis.call('SET', 'n', n + 1) return n + 1"
        let count = 300
        for _ in 0..<count {
            for wire in [wire, others] { try wire.send(["EVAL", script, "0"]) }
        }
        var numbers: Set<String> = []
        for wire in [wire, others] {
            for _ in 0..<count { numbers.insert(try #require(try wire.receive()).line) }
        }
        #expect(numbers.count == 2 * count)
        #expect(try wire.call("GET", "n").line == "\(2 * count)")
    }

    /// So a follower may take the message after the one it stands at as the next commit, whoever published it.
    @Test func messagesOfTwoPublishersComeInTheOrderOfTheirCommits() throws {
        let (subscriber, others) = (try subscriber(), try RedisWire(redis))
        let script = "redis.call('PUBLISH', 'feed', redis.call('INCR', 'seq'))"
        let count = 300
        for _ in 0..<count {
            for wire in [wire, others] { try wire.send(["EVAL", script, "0"]) }
        }
        for wire in [wire, others] {
            for _ in 0..<count { #expect(try #require(try wire.receive()).isNull) }
        }
        #expect(try subscriber.payloads() == (1...2 * count).map(String.init))
    }

    /// So a commit whose answer did not come may still be made later, and a request has an identifier of its own.
    @Test func whatWasSentIsDoneThoughItsSenderHasGone() throws {
        redis.pause()
        do {
            let sender = try RedisWire(redis)
            try sender.send(["EVAL", "return redis.call('SET', 'late', 'done')", "0"])
        }
        redis.resume()
        #expect(try poll { try wire.call("GET", "late").line == "done" })
    }

    /// So the first thing that a connection is used for is a question, and a lease counts from when it was sent.
    @Test func aServerThatStandsStillTakesConnections() throws {
        redis.pause()
        let early = try RedisWire(redis)
        try early.send(["SET", "early", "1"])
        redis.resume()
        #expect(try #require(try early.receive()).line == "OK")
    }

    /// So a chunk that has a length in a script has its bytes too: time may pass, but no key expires in between.
    @Test func noKeyExpiresWhileAScriptRuns() throws {
        let script = """
            redis.call('SET', 'chunk', 'abc', 'PX', 10)
            local function micros() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
            local start = micros()
            while micros() < start + 30000 do end
            return {redis.call('STRLEN', 'chunk'), redis.call('GET', 'chunk')}
            """
        #expect(try wire.eval(script).line == "3 abc")
        #expect(try wire.call("GET", "chunk").isNull)
    }

    /// So entries of 20 bytes travel as they are: through arguments, the log, the live set and messages.
    @Test func bytesOfAnyValuePassUnchanged() throws {
        let (subscriber, all) = (try subscriber(), Array(UInt8.min...UInt8.max))
        let script = """
            redis.call('XADD', 'log', '1-0', 'r', ARGV[1])
            redis.call('APPEND', 'chunk', ARGV[1])
            redis.call('PUBLISH', 'feed', table.concat({'1', ARGV[1]}, ' '))
            return {redis.call('XRANGE', 'log', '-', '+')[1][2][2], redis.call('GET', 'chunk'), #ARGV[1]}
            """
        try wire.send(["EVAL", script, "0"].map { Array($0.utf8) } + [all])
        let reply = try #require(try wire.receive())
        #expect(reply == .array([.bulk(all), .bulk(all), .integer(256)]))
        let message = try #require(try subscriber.receive())
        #expect(message.elements?.last?.bytes == Array("1 ".utf8) + all)
    }
}
