import QuashRedis
import TestSupport
import Testing

/// How Redis and Lua write each other's values.
@Suite struct ScriptLanguageTests {
    private let wire: RedisWire

    init() throws { wire = try RedisWire(try RedisServer.start()) }

    /// So `decimal` writes every number of a message, a key or an answer that may be large, such as microseconds.
    @Test func luaWritesLargeNumbersWithAnExponent() throws {
        #expect(try wire.eval("return tostring(99999999999999)").line == "99999999999999")
        #expect(try wire.eval("return tostring(100000000000000)").line == "1e+14")
        #expect(try wire.eval("return 1700000000000001 .. ''").line == "1.7e+15")
        #expect(try wire.eval("return table.concat({123456789012345})").line == "1.2345678901234e+14")
        #expect(try wire.eval("return string.format('%.0f', 1700000000000001)").line == "1700000000000001")
    }

    /// So `revoke` may give EXPIREAT a number as it is.
    @Test func numbersAsArgumentsKeepSeventeenDigits() throws {
        let script = "redis.call('SET', 'a', tonumber(ARGV[1])) return redis.call('GET', 'a')"
        #expect(try wire.eval(script, "123456789012345").line == "123456789012345")
        #expect(try wire.eval(script, "1700000000000001").line == "1700000000000001")
        #expect(try wire.eval(script, "100000000000000001").line == "1e+17")
    }

    /// So sequences may grow to 2⁵³, and no further.
    @Test func luaNumbersAreExactUpToTwoToTheFiftyThird() throws {
        try wire.call("SET", "seq", "9007199254740991")
        let script = "return string.format('%.0f', redis.call('INCR', 'seq'))"
        #expect(try wire.eval(script).line == "9007199254740992")
        #expect(try wire.eval(script).line == "9007199254740992")
        #expect(try wire.call("GET", "seq").line == "9007199254740993")
    }

    /// So what a script answers is text, or a small whole number.
    @Test func anAnswersNumbersLoseTheirFractions() throws {
        #expect(try wire.eval("return {3.99, -3.99, 5000}").line == "3 -3 5000")
    }

    /// So no answer holds a nil: what comes behind it would be lost. False arrives as null.
    @Test func anAnswerEndsAtItsFirstNil() throws {
        #expect(try wire.eval("return {'a', nil, 'b'}").line == "a")
        #expect(try wire.eval("return {'a', false, 'b'}").line == "a nil b")
        #expect(try wire.eval("local nothing").line == "nil")
    }

    /// So `if not redis.call('GET', …)` finds a missing key, and `… or ''` stands in for it.
    @Test func aMissingValueIsFalse() throws {
        #expect(try wire.eval("return tostring(redis.call('GET', 'none'))").line == "false")
        #expect(try wire.eval("return tostring(redis.call('HGET', 'none', 'epoch'))").line == "false")
        #expect(
            try wire.eval("return string.match(redis.call('GET', 'none') or '', '^x') or 'no match'").line == "no match"
        )
    }

    /// So `#session == 0` finds a missing hash, and a loop in steps of two reads one that is there.
    @Test func hashesAreFlatTables() throws {
        #expect(try wire.eval("return #redis.call('HGETALL', 'none')").line == "0")
        try wire.call("HSET", "session", "sub", "alice", "current", "x")
        #expect(try wire.eval("return redis.call('HGETALL', 'session')").line == "sub alice current x")
    }

    /// So `renew` finds the record of a log's entry at `item[2][2]`, and its id at `item[1]`.
    @Test func entriesOfAStreamAreNestedTables() throws {
        try wire.call("XADD", "log", "7-0", "r", "record")
        let script = "local item = redis.call('XRANGE', 'log', '7-0', '+')[1] return {item[1], item[2][2], #item[2]}"
        #expect(try wire.eval(script).line == "7-0 record 2")
    }

    /// So counts compare with numbers, and a clock's two parts, which are text, are calculated with.
    @Test func integersAreNumbersAndTextIsCalculatedWith() throws {
        #expect(try wire.eval("return tostring(redis.call('APPEND', 'a', 'xyz') == 3)").line == "true")
        #expect(try wire.eval("return type(redis.call('TIME')[1])").line == "string")
        #expect(
            try wire.eval("return {'12' * 1000 + math.floor('3999' / 1000), tostring('3' == 3)}").line == "12003 false")
    }

    /// So a new epoch joins no chunk that is missing: that is an error, and not the text `false` appended.
    @Test func aMissingValueIsNoArgument() throws {
        #expect(try wire.eval("return redis.call('APPEND', 'a', redis.call('GET', 'none'))").line == "-ERR")
        #expect(try wire.call("EXISTS", "a").line == "0")
    }

    /// So an epoch can be bound to the process: INFO is how a script learns who serves it.
    @Test func aScriptReadsTheProcessAndTheTime() throws {
        let found = try wire.eval("return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')").line
        #expect(found == (try wire.info("run_id")) && found.count == 40)
        let time = try wire.eval("return redis.call('TIME')").words
        #expect(time.count == 2 && time.allSatisfy { Int($0) != nil })
    }

    /// So the clock of a script goes on while it runs: two looks at it may differ.
    @Test func timeGoesOnWhileAScriptRuns() throws {
        let script = """
            local function micros() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
            local start, rounds = micros(), 0
            while micros() == start and rounds < 1000000 do rounds = rounds + 1 end
            return micros() - start
            """
        #expect(try #require(try wire.eval(script).integer) > 0)
    }

    /// So whether replicas have a commit is asked after the script, on its connection, and a role's facts by INFO.
    @Test(arguments: [
        ["WAIT", "0", "0"], ["ROLE"], ["CONFIG", "GET", "save"], ["SCRIPT", "FLUSH"], ["CLIENT", "ID"],
    ])
    func thisCannotBeCalledInAScript(command: [String]) throws {
        let words = command.map { "'\($0)'" }.joined(separator: ", ")
        let reply = try wire.eval("return redis.call(\(words))")
        guard case .error(let text) = reply else { return #expect(Bool(false), "\(reply)") }
        #expect(text.contains("not allowed from script"))
    }

    /// So the flags stand before everything else in a script's source, and a mistyped one is found when it is loaded.
    @Test func flagsStandInTheFirstLineAndAreChecked() throws {
        #expect(try wire.call("SCRIPT", "LOAD", "#!lua flags=allow-oom\nreturn 1").text?.count == 40)
        #expect(try wire.call("SCRIPT", "LOAD", "#!lua flags=allow-oomph\nreturn 1").line == "-ERR")
        #expect(try wire.call("SCRIPT", "LOAD", "\n#!lua flags=allow-oom\nreturn 1").line == "-ERR")
    }
}
