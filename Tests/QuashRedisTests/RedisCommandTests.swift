import Testing

@testable import QuashRedis

@Suite struct RedisCommandTests {
    @Test func isWrittenAsAnArrayOfBulkStrings() {
        let command = RedisCommand([Array("SET".utf8), [], [0x0D, 0x0A, 0x00, 0xFF]])
        let expected = Array("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n".utf8) + [0x0D, 0x0A, 0x00, 0xFF, 0x0D, 0x0A]
        #expect(command.encoded == expected)
    }

    @Test func isReadBackByTheReader() throws {
        let arguments: [[UInt8]] = [Array("EVALSHA".utf8), [], Array(0...255), Array(repeating: 0x2A, count: 100_000)]
        var reader = RESPReader()
        try reader.feed(RedisCommand(arguments).encoded)
        #expect(try reader.next() == .array(arguments.map { .bulk($0) }))
    }

    @Test func describesItselfWithoutItsArguments() {
        #expect("\(RedisCommand("AUTH", "user", "secret"))" == "AUTH")
    }
}

@Suite struct RedisErrorTests {
    @Test(arguments: [
        ("NOSCRIPT No matching script.", "NOSCRIPT"), ("READONLY You can't write", "READONLY"),
        ("LOADING Redis is loading", "LOADING"), ("MASTERDOWN Link with MASTER", "MASTERDOWN"),
        ("ERR unknown", "ERR"), ("something odd", "ERR"), ("", "ERR"), ("OOM", "OOM"),
    ])
    func knowsTheFirstWord(_ text: String, _ prefix: String) {
        let error = RedisError(reply: text, to: "GET")
        #expect(error.serverPrefix == prefix)
        #expect(!error.isOutcomeUnknown)
    }

    @Test func cutsOffArguments() {
        let error = RedisError(
            reply: "ERR unknown command 'AUHT', with args beginning with: 'secret' ", to: "AUHT")
        #expect(error.description.contains("unknown command"))
        #expect(!error.description.contains("secret"))
    }

    @Test func cutsOffALongText() {
        #expect(RedisError(reply: String(repeating: "x", count: 100_000), to: "GET").description.utf8.count < 400)
    }

    @Test func onlyALostOrLateAnswerLeavesTheOutcomeOpen() {
        let open: [RedisError.Code] = [.lost, .timedOut]
        let known: [RedisError.Code] = [
            .configuration, .unavailable, .overloaded, .protocolViolation, .server(prefix: "ERR"),
        ]
        #expect(open.allSatisfy { RedisError($0, "").isOutcomeUnknown })
        #expect(known.allSatisfy { !RedisError($0, "").isOutcomeUnknown })
    }
}

@Suite struct RedisScriptTests {
    /// FIPS 180-4's examples (NIST "SHA All"), the empty message, and lengths around the end of a block.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
    ])
    func isKnownByItsSHA1(_ source: String, _ digest: String) {
        #expect(RedisScript(name: "test", source: source).digest == digest)
    }
}

@Suite struct BackoffTests {
    @Test func doublesUpToItsCeiling() {
        var backoff = Backoff(first: .milliseconds(50), ceiling: .seconds(2))
        let waits = (0..<8).map { _ in backoff.next(random: .max) }
        #expect(waits == [50, 100, 200, 400, 800, 1_600, 2_000, 2_000].map { Duration.milliseconds($0) })
    }

    @Test func isNeverLessThanHalf() {
        var backoff = Backoff(first: .milliseconds(50), ceiling: .seconds(2))
        let waits = (0..<7).map { _ in backoff.next(random: 0) }
        #expect(waits == [25, 50, 100, 200, 400, 800, 1_000].map { Duration.milliseconds($0) })
    }

    @Test func lastsForEver() {
        var backoff = Backoff(first: .milliseconds(50), ceiling: .seconds(3_600))
        for _ in 0..<1_000 { _ = backoff.next(random: .max) }
        #expect(backoff.next(random: .max) == .seconds(3_600))
    }

    @Test func beginsAnewAfterReset() {
        var backoff = Backoff(first: .milliseconds(50), ceiling: .seconds(2))
        for _ in 0..<5 { _ = backoff.next(random: .max) }
        backoff.reset()
        #expect(backoff.next(random: .max) == .milliseconds(50))
    }
}
