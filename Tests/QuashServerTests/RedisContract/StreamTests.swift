import QuashRedis
import TestSupport
import Testing

/// The log is a stream whose ids are the sequences of the commits.
@Suite struct StreamTests {
    private let wire: RedisWire

    init() throws { wire = try RedisWire(try RedisServer.start()) }

    private func fill(_ sequences: ClosedRange<Int>) throws {
        for number in sequences {
            #expect(try wire.call("XADD", "log", "\(number)-0", "r", "r\(number)").line == "\(number)-0")
        }
    }

    private func fact(_ name: String) throws -> String? {
        let words = try wire.call("XINFO", "STREAM", "log").words
        return words.firstIndex(of: name).map { words[$0 + 1] }
    }

    /// So a sequence that went back is an error of `revoke`, and no commit takes the place of another.
    @Test func anIdThatIsNotAboveTheLastIsRefused() throws {
        try fill(1...3)
        for id in ["3-0", "2-0", "0-0"] {
            #expect(try wire.call("XADD", "log", id, "r", "x").line == "-ERR")
            let refusal = "return redis.pcall('XADD', 'log', '\(id)', 'r', 'x').err"
            #expect(try wire.eval(refusal).line.hasPrefix("ERR The ID specified"))
        }
        #expect(try wire.call("XADD", "log", "5-0", "r", "x").line == "5-0")
    }

    /// So a log that was trimmed to nothing still takes no old sequence, and one that was deleted starts anew.
    @Test func theLastIdOutlivesItsEntryButNotItsStream() throws {
        try fill(1...3)
        try wire.call("XTRIM", "log", "MAXLEN", "0")
        #expect(try wire.call("XADD", "log", "3-0", "r", "x").line == "-ERR")
        try wire.call("DEL", "log")
        #expect(try wire.call("XADD", "log", "1-0", "r", "x").line == "1-0")
    }

    /// So `renew` compares each id with the one that it expects: Redis says nothing of what is missing.
    @Test func aTrimmedStreamAnswersAsIfNothingHadBeenThere() throws {
        try fill(1...5)
        try wire.call("XTRIM", "log", "MAXLEN", "2")
        #expect(try wire.call("XRANGE", "log", "2-0", "+").line == "4-0 r r4 5-0 r r5")
        #expect(try fact("max-deleted-entry-id") == "0-0")
        // Only a deletion by id is remembered, and that does not show in an answer either.
        try wire.call("XDEL", "log", "4-0")
        #expect(try fact("max-deleted-entry-id") == "4-0")
        #expect(try wire.call("XRANGE", "log", "2-0", "+").line == "5-0 r r5")
    }

    /// So a renewal brings the commits in their order, the next one first, and no more than it asks for.
    @Test func aRangeIsInOrderAndEndsAtItsCount() throws {
        try fill(1...12)
        #expect(try wire.call("XRANGE", "log", "9-0", "+", "COUNT", "3").line == "9-0 r r9 10-0 r r10 11-0 r r11")
        #expect(try wire.call("XRANGE", "log", "12-0", "+", "COUNT", "3").line == "12-0 r r12")
    }

    /// So `renew` finds a log that is gone, or that ends too soon, by an answer without elements.
    @Test func aRangeOfNothingIsEmpty() throws {
        #expect(try wire.call("XRANGE", "log", "1-0", "+") == .array([]))
        try fill(1...2)
        #expect(try wire.call("XRANGE", "log", "3-0", "+") == .array([]))
    }

    /// So the log keeps at least as many commits as it is told, and not many more.
    @Test func trimmingAboutALengthNeverGoesBelowIt() throws {
        let script = """
            for i = 1, 2000 do
              redis.call('XADD', 'log', 'MAXLEN', '~', ARGV[1], i .. '-0', 'r', 'record')
              local length = redis.call('XLEN', 'log')
              if length < math.min(i, tonumber(ARGV[1])) then return 'only ' .. length .. ' of ' .. i end
            end
            return redis.call('XLEN', 'log')
            """
        let length = try #require(try wire.eval(script, "250").integer)
        // It goes by whole blocks, which hold at most stream-node-max-entries.
        let block = try #require(Int64(try wire.setting("stream-node-max-entries")))
        #expect((250...250 + block).contains(length))
    }
}
