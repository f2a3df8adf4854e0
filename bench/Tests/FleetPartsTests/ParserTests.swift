import FleetParts
import Testing

@Suite struct ParserTests {
    // MARK: RESP

    private func parse(_ text: String) throws -> (RESPValue?, Int) {
        let bytes = Array(text.utf8)
        var position = 0
        let value = try RESP.parse(bytes.span, at: &position)
        return (value, position)
    }

    @Test func everyKindOfReplyIsRead() throws {
        #expect(try parse("+OK\r\n") == (.text("OK"), 5))
        #expect(try parse("-ERR no\r\n") == (.error("ERR no"), 9))
        #expect(try parse(":-12\r\nmore") == (.integer(-12), 6))
        #expect(try parse("$3\r\na\r\n\r\n") == (.bytes(Array("a\r\n".utf8)), 9))
        #expect(try parse("$-1\r\n") == (.null, 5))
        #expect(try parse("*2\r\n:1\r\n*1\r\n+a\r\n") == (.array([.integer(1), .array([.text("a")])]), 16))
        #expect(try parse("*0\r\n") == (.array([]), 4))
    }

    @Test func aReplyThatHasNotArrivedIsWaitedFor() throws {
        let whole = "*2\r\n$5\r\nhello\r\n:7\r\n"
        for count in 0..<whole.utf8.count {
            let (value, position) = try parse(String(decoding: whole.utf8.prefix(count), as: UTF8.self))
            #expect(value == nil && position == 0, "\(count) bytes")
        }
        #expect(try parse(whole).0 == .array([.bytes(Array("hello".utf8)), .integer(7)]))
    }

    @Test func whatIsNoReplyIsRefused() {
        #expect(throws: FleetFailure.self) { try parse("?\r\n") }
        #expect(throws: FleetFailure.self) { try parse(":12x\r\n") }
    }

    @Test func aCommandIsBulkStrings() {
        #expect(RESP.command("GET", "ä") == Array("*2\r\n$3\r\nGET\r\n$2\r\nä\r\n".utf8))
    }

    @Test func aFieldOfINFOIsFoundByItsWholeName() {
        let info = "# Memory\r\nused_memory_rss:5\r\nused_memory:42\r\n"
        #expect(RedisConnection.field("used_memory", of: info) == "42")
        #expect(RedisConnection.field("used", of: info) == nil)
    }

    // MARK: XRANGE

    private static func entries(_ count: Int, from first: Int = 1) -> String {
        "*\(count)\r\n"
            + (first..<first + count).map { number in
                let id = "\(number)-0"
                return "*2\r\n$\(id.utf8.count)\r\n\(id)\r\n*2\r\n$1\r\nr\r\n$4\r\nv\r\n\(number % 10)\r\n"
            }.joined()
    }

    @Test func aReplyOfXRANGEIsReadInWhateverPartsItCame() throws {
        let bytes = Array(Self.entries(25).utf8)
        var sums: Set<UInt64> = []
        for size in [1, 7, 64, 100_000] {
            var parser = XRangeParser()
            var start = 0
            var end = 0
            while end < bytes.count {
                #expect(!parser.isComplete)
                end = min(bytes.count, end + size)
                start += try parser.parse(bytes.span.extracting(start..<end))
            }
            #expect(parser.isComplete && start == bytes.count)
            #expect(parser.entryCount == 25 && parser.valueBytes == 100)
            #expect(parser.lastID == Array("25-0".utf8))
            sums.insert(parser.checksum)
        }
        #expect(sums.count == 1)
    }

    @Test func repliesAreCountedTogether() throws {
        var parser = XRangeParser()
        _ = try parser.parse(Array(Self.entries(3).utf8).span)
        parser.beginReply()
        #expect(!parser.isComplete)
        _ = try parser.parse(Array(Self.entries(2, from: 4).utf8).span)
        #expect(parser.entryCount == 5 && parser.lastID == Array("5-0".utf8))
        parser.beginReply()
        _ = try parser.parse(Array("*0\r\n".utf8).span)
        #expect(parser.isComplete && parser.entryCount == 5)
    }

    @Test func anErrorIsNoEntry() {
        var parser = XRangeParser()
        #expect(throws: FleetFailure.self) { try parser.parse(Array("-ERR no\r\n".utf8).span) }
        #expect(throws: FleetFailure.self) { try parser.parse(Array("*1\r\n*3\r\n".utf8).span) }
    }

    // MARK: HTTP

    @Test func anAnswerIsReadOnceItHasArrived() throws {
        let text = "HTTP/1.1 201 Created\r\nContent-Type: a\r\nContent-Length: 5\r\n\r\nhello"
        let bytes = Array((text + "HTTP/1.1").utf8)
        for count in 0..<text.utf8.count {
            #expect(try HTTPReply.parse(bytes.span.extracting(0..<count)) == nil)
        }
        let (reply, count) = try #require(try HTTPReply.parse(bytes.span))
        #expect(reply == HTTPReply(status: 201, body: Array("hello".utf8)))
        #expect(count == text.utf8.count)
    }

    @Test func anAnswerWithoutALengthHasNoBody() throws {
        let bytes = Array("HTTP/1.1 204 No Content\r\nX-Content-Length-Not: 3\r\n\r\n".utf8)
        #expect(try HTTPReply.parse(bytes.span)?.reply == HTTPReply(status: 204, body: []))
    }

    @Test func whatIsNoAnswerIsRefused() {
        #expect(throws: FleetFailure.self) { try HTTPReply.parse(Array("SSH-2.0-something\r\n\r\n".utf8).span) }
        #expect(throws: FleetFailure.self) {
            try HTTPReply.parse(Array("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n".utf8).span)
        }
    }

    @Test func aRequestSaysItsLength() {
        let request = String(decoding: httpRequest("POST", "/a", fields: [("B", "c")], body: "ä"), as: UTF8.self)
        #expect(
            request == "POST /a HTTP/1.1\r\nHost: quash\r\nB: c\r\nContent-Type: application/json\r\n"
                + "Content-Length: 2\r\n\r\nä")
    }
}
