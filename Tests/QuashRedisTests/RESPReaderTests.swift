import Testing

@testable import QuashRedis

extension RESPReader {
    mutating func feed(_ bytes: [UInt8]) throws {
        unsafe try bytes.withUnsafeBytes { unsafe try feed($0) }
    }
}

@Suite struct RESPReaderTests {
    /// One stream with every type, empty and nested values among them, and a string with a line end inside.
    private static let stream =
        "+OK\r\n:-42\r\n$-1\r\n*-1\r\n$0\r\n\r\n$7\r\na\r\nb\r\nc\r\n*0\r\n-ERR no such key\r\n"
        + "*3\r\n*2\r\n:9223372036854775807\r\n+x\r\n$-1\r\n*1\r\n*1\r\n$3\r\nend\r\n"
    private static let values: [RESPValue] = [
        .simple(Array("OK".utf8)), .integer(-42), .null, .null, .bulk([]), .bulk(Array("a\r\nb\r\nc".utf8)), .array([]),
        .error("ERR no such key"),
        .array([
            .array([.integer(.max), .simple(Array("x".utf8))]), .null, .array([.array([.bulk(Array("end".utf8))])]),
        ]),
    ]

    /// Everything that a new reader makes of these pieces; throws as it does.
    private func read(_ pieces: [ArraySlice<UInt8>]) throws -> [RESPValue] {
        var reader = RESPReader()
        var values: [RESPValue] = []
        for piece in pieces {
            // Copied into an allocation of exactly its size, so that the address sanitizer sees a read beyond it.
            try reader.feed(Array(piece))
            while let value = try reader.next() { values.append(value) }
        }
        return values
    }

    @Test func readsTheSameAtEverySplit() throws {
        let bytes = Array(Self.stream.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
                let values = try read(pieces)
                #expect(values == Self.values, "split at \(first) and \(second)")
            }
        }
    }

    @Test func readsByteByByte() throws {
        let bytes = Array(Self.stream.utf8)
        #expect(try read(bytes.indices.map { bytes[$0...$0] }) == Self.values)
    }

    @Test(arguments: [
        "*2147483647\r\n",  // 16 GiB of pointers, asked for with 13 bytes
        "*4097\r\n",
        "*1\r\n*4097\r\n",
        "$9223372036854775807\r\n",
        "$9223372036854775808\r\n",
        "$99999999999999999999999999\r\n",
        "$1048577\r\n",
        "*2\r\n:1\r\n$1048577\r\n",
        "*-2\r\n",
        "$-2\r\n",
        ":12a\r\n",
        "hello\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
        "#t\r\n",  // RESP3, which was never asked for
        ",1.5\r\n",
        "%1\r\n+a\r\n+b\r\n",
        ">1\r\n+a\r\n",
        String(repeating: "*1\r\n", count: 10) + ":1\r\n",
    ])
    func refuses(_ text: String) {
        let bytes = Array(text.utf8)
        for split in 0...bytes.count {
            let error = #expect(throws: RedisError.self, "split at \(split)") {
                try read([bytes[..<split], bytes[split...]])
            }
            #expect(error?.code == .protocolViolation)
        }
    }

    @Test func allowsWhatIsAtTheLimits() throws {
        let wide = "*\(RedisLimits.maxArrayElements)\r\n" + String(repeating: ":1\r\n", count: 4_096)
        #expect(try read([Array(wide.utf8)[...]]).first?.elements?.count == 4_096)

        let long = [UInt8](repeating: 0x61, count: RedisLimits.maxBulkBytes)
        let bytes = Array("$\(long.count)\r\n".utf8) + long + Array("\r\n".utf8)
        let pieces = stride(from: 0, to: bytes.count, by: 65_536).map { bytes[$0..<min($0 + 65_536, bytes.count)] }
        #expect(try read(pieces) == [.bulk(long)])
        #expect(try read([bytes[...]]) == [.bulk(long)])
    }

    @Test func refusesAStringOverTheLimitThatComesInOnePiece() {
        let long = [UInt8](repeating: 0x61, count: RedisLimits.maxBulkBytes + 1)
        let bytes = Array("$\(long.count)\r\n".utf8) + long + Array("\r\n".utf8)
        #expect(throws: RedisError.self) { try read([bytes[...]]) }
    }

    @Test func countsTheElementsOfAllArraysOfAReply() throws {
        // 16 arrays of 4,096: with the outer array's own 16, that is over 65,536. Half of them is not, any number of
        // times.
        let inner = Array(("*4096\r\n" + String(repeating: ":1\r\n", count: 4_096)).utf8)
        func pieces(_ count: Int) -> [ArraySlice<UInt8>] {
            [Array("*\(count)\r\n".utf8)[...]] + Array(repeating: inner[...], count: count)
        }
        #expect(try read(pieces(8) + pieces(8) + pieces(8)).count == 3)
        let error = #expect(throws: RedisError.self) { try read(pieces(16)) }
        #expect(error?.description.contains("elements") == true)
    }

    @Test func refusesALineWithoutAnEnd() {
        let piece = [UInt8](repeating: 0x61, count: 65_536)
        let error = #expect(throws: RedisError.self) {
            try read([Array("+".utf8)[...]] + Array(repeating: piece[...], count: 20))
        }
        #expect(error?.code == .protocolViolation)
    }

    @Test func givesTheRepliesBeforeAnError() throws {
        var reader = RESPReader()
        try reader.feed(Array("+OK\r\n:1\r\nnonsense\r\n".utf8))
        #expect(try reader.next() == .simple(Array("OK".utf8)))
        #expect(try reader.next() == .integer(1))
        #expect(throws: RedisError.self) { _ = try reader.next() }
    }

    @Test func isFreedInTheMiddleOfAReply() throws {
        #expect(try read([Array("*3\r\n$3\r\nabc\r\n*2\r\n:1\r\n".utf8)[...]]).isEmpty)
    }
}

@Suite struct RESPValueTests {
    @Test func readsIntegersFromStrings() {
        #expect(RESPValue.integer(7).integer == 7)
        #expect(RESPValue.bulk(Array("-1700000000000".utf8)).integer == -1_700_000_000_000)
        #expect(RESPValue.bulk(Array("1.7e+15".utf8)).integer == nil)
        #expect(RESPValue.null.integer == nil)
        #expect(RESPValue.array([.integer(1)]).integer == nil)
    }

    @Test func hasBytesAndElementsOnlyWhereTheyAre() {
        #expect(RESPValue.simple([1]).bytes == [1] && RESPValue.bulk([2]).bytes == [2])
        #expect(RESPValue.error("ERR").bytes == nil && RESPValue.integer(1).text == nil)
        #expect(RESPValue.array([.null]).elements == [.null] && RESPValue.null.elements == nil)
        #expect(RESPValue.null.isNull && !RESPValue.bulk([]).isNull)
    }
}
