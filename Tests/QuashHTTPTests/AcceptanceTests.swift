import Testing

@testable import QuashHTTP

/// Requests that are taken, and what is made of them.
@Suite struct AcceptanceTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let why: String
        let request: String
        let log: [String]
        var testDescription: String { why }

        init(_ why: String, _ request: String, _ log: String...) {
            self.why = why
            self.request = request
            self.log = log
        }
    }

    private static let long = String(repeating: "x", count: 8 * 1024)

    static let rows = [
        Row("a plain GET", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a @h 1", "sent"),
        Row("one empty line in front", "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a @h 1", "sent"),
        Row("a query", "GET /a?b=c?d HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b=c?d @h 1", "sent"),
        Row("an empty query", "GET /a? HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a? @h 1", "sent"),
        Row(
            "a path as it was sent", "GET /a/../%2e%2E//b;x|{}\"\\ HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /a/../%2e%2E//b;x|{}\"\\ @h 1", "sent"),
        Row("an unknown method", "BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n", "BREW /pot @h 1", "sent"),
        Row("asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS * @h 1", "sent"),
        Row(
            "absolute form, whose host counts", "GET http://t:80/a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b @t:80 1",
            "sent"),
        Row("absolute form without a path", "GET HTTPS://t HTTP/1.1\r\nHost: t\r\n\r\n", "GET / @t 1", "sent"),
        Row("absolute form with a query only", "GET http://t?q HTTP/1.1\r\nHost: t\r\n\r\n", "GET /?q @t 1", "sent"),
        Row("hosts", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", "GET / @[2001:db8::1]:8080 1", "sent"),
        Row("a host with an escape", "GET / HTTP/1.1\r\nHost: a%20b\r\n\r\n", "GET / @a%20b 1", "sent"),
        Row("no white space after the colon", "GET / HTTP/1.1\r\nHost:h\r\nX:1\r\n\r\n", "GET / @h 2", "sent"),
        Row("white space around a value", "GET / HTTP/1.1\r\nHost: \t h \t\r\nX:  \r\n\r\n", "GET / @h 2", "sent"),
        Row("bytes above 127 in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: é\tü\r\n\r\n", "GET / @h 2", "sent"),
        Row(
            "64 fields", "GET / HTTP/1.1\r\nHost: h\r\n" + String(repeating: "X: 1\r\n", count: 63) + "\r\n",
            "GET / @h 64", "sent"),
        Row("Connection: close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET / @h 2", "close"),
        Row("close in a list", "GET / HTTP/1.1\r\nHost: h\r\nConnection: TE ,CLOSE\r\n\r\n", "GET / @h 2", "close"),
        Row("not close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: closed,keep-alive\r\n\r\n", "GET / @h 2", "sent"),
        Row(
            "HTTP/1.0, which closes", "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", "GET / @h 2",
            "close"),
        Row("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET / @ 0", "close"),
        Row("a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "POST / @h 2 hello", "sent"),
        Row(
            "a length with zeros in front", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0005\r\n\r\nhello",
            "POST / @h 2 hello", "sent"),
        Row("a length of zero", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "POST / @h 2", "sent"),
        Row(
            "a body of the very limit",
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 64\r\n\r\n" + String(repeating: "b", count: 64),
            "PUT / @h 2 " + String(repeating: "b", count: 64), "sent"),
        Row(
            "chunks",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "3\r\nhel\r\n02;x=\"y\tz\"\r\nlo\r\n0\r\n\r\n",
            "POST / @h 2 hello", "sent"),
        Row(
            "chunks of the very limit",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e\r\n" + String(repeating: "b", count: 62)
                + "\r\n2\r\ncc\r\n000\r\n\r\n", "POST / @h 2 " + String(repeating: "b", count: 62) + "cc", "sent"),
        Row(
            "no chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST / @h 2 ",
            "sent"),
        Row(
            "trailers",
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "1\r\na\r\n0\r\nX: 1\r\nContent-Length: 7\r\n\r\n",
            "POST / @h 2 a", "sent"),
        Row("a body with Expect", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n\r\n", "POST / @h 2", "sent"),
    ]

    @Test(arguments: rows) func request(row: Row) {
        #expect(logAtEverySplit(of: Array(row.request.utf8)) == row.log)
    }

    @Test func aRequestLineOfTheVeryLimitIsTaken() {
        let path = "/" + String(repeating: "x", count: HTTPLimits.maxStartLineBytes - "GET / HTTP/1.1".count)
        let taken = Array("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        #expect(logAtEverySplit(of: taken) == ["GET \(path) @h 1", "sent"])
        #expect(logAtEverySplit(of: Array("GET \(path)x HTTP/1.1\r\nHost: h\r\n\r\n".utf8)) == ["414", "close"])
    }

    @Test func fieldsOfTheVeryLimitAreTaken() {
        let room = HTTPLimits.maxFieldsBytes - "Host: h\r\nX: \r\n\r\n".utf8.count
        for (extra, log) in [(0, ["GET / @h 2", "sent"]), (1, ["431", "close"])] {
            let value = String(repeating: "v", count: room + extra)
            #expect(logAtEverySplit(of: Array("GET / HTTP/1.1\r\nHost: h\r\nX: \(value)\r\n\r\n".utf8)) == log)
        }
    }

    @Test func pipelinedRequestsOfEveryKindAreToldApartAtEverySplit() {
        let requests = Self.rows.filter { $0.log.last == "sent" }
        let bytes = requests.flatMap { Array($0.request.utf8) }
        let log = requests.flatMap(\.log)
        for size in [1, 2, 3, 7, 64, 1000, bytes.count] {
            let pieces = stride(from: 0, to: bytes.count, by: size).map { $0..<min($0 + size, bytes.count) }
            #expect(QuashHTTPTests.log(of: bytes, pieces: pieces) == log, "pieces of \(size)")
        }
    }

    @Test func anExpectedContinueIsSentOnceAndOnlyWhenTheBodyHasNotBegun() {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
        var length = MachineDriver()
        length.receive(head + "Content-Length: 2\r\n\r\n")
        #expect(length.log == ["100"])
        length.receive("a")
        length.receive("b")
        #expect(length.log == ["100", "POST / @h 3 ab", "sent"])

        var chunked = MachineDriver()
        chunked.receive(head + "Transfer-Encoding: chunked\r\n\r\n")
        #expect(chunked.log == ["100"])
        chunked.receive("2\r\nab\r\n0\r\n\r\n")
        #expect(chunked.log == ["100", "POST / @h 3 ab", "sent"])

        var begun = MachineDriver()
        begun.receive(head + "Content-Length: 2\r\n\r\na")
        begun.receive("b")
        #expect(begun.log == ["POST / @h 3 ab", "sent"])

        var tooLong = MachineDriver()
        tooLong.receive(head + "Content-Length: 65\r\n\r\n")
        #expect(tooLong.log == ["413", "close"])

        // RFC 9110 §10.1.1: the expectation of an HTTP/1.0 client is ignored.
        var old = MachineDriver()
        old.receive("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        #expect(old.log == [])
    }

    @Test func aContinueDoesNotOvertakeAnEarlierAnswer() {
        var driver = MachineDriver()
        driver.answers = false
        driver.receive("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")
        driver.receive("POST /2 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        #expect(driver.log == ["GET /1 @h 1"])
        driver.answer(0)
        driver.process()
        #expect(driver.log == ["GET /1 @h 1", "sent", "100"])
    }
}
