import Testing

@testable import QuashHTTP

/// Requests that are refused: each is answered with its status, the connection closes, and what follows is never read.
@Suite struct RefusalTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let why: String
        let status: Int
        let request: String
        var testDescription: String { "\(status) \(why)" }

        init(_ why: String, _ status: Int, _ request: String) {
            self.why = why
            self.status = status
            self.request = request
        }
    }

    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\n"
    private static let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
    private static let long = String(repeating: "x", count: 8 * 1024)

    static let requestLines = [
        Row("no version (HTTP/0.9)", 400, "GET /\r\n"),
        Row("no target", 400, "GET HTTP/1.1\r\n\r\n"),
        Row("empty target", 400, "GET  HTTP/1.1\r\n\r\n"),
        Row("two spaces", 400, "GET  / HTTP/1.1\r\n\r\n"),
        Row("space after the version", 400, "GET / HTTP/1.1 \r\n\r\n"),
        Row("leading space", 400, " GET / HTTP/1.1\r\n\r\n"),
        Row("tab instead of space", 400, "GET\t/ HTTP/1.1\r\n\r\n"),
        Row("method that is no token", 400, "G(T / HTTP/1.1\r\n\r\n"),
        Row("method too long", 501, String(repeating: "M", count: 33) + " / HTTP/1.1\r\n\r\n"),
        Row("lower-case version", 400, "GET / http/1.1\r\n\r\n"),
        Row("version without a minor part", 400, "GET / HTTP/1\r\n\r\n"),
        Row("version with two digits", 400, "GET / HTTP/1.10\r\n\r\n"),
        Row("HTTP/1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        Row("HTTP/0.9 spelled", 505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
        Row("preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Row("bare LF after the request line", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        Row("bare CR in the request line", 400, "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("CR CR LF", 400, "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
        Row("NUL in the target", 400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("DEL in the target", 400, "GET /\u{7F} HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("byte above 127 in the target", 400, "GET /é HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("fragment", 400, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("a TLS ClientHello", 400, "\u{16}\u{03}\u{01}\u{02}\0\u{01}"),
        Row("line over the limit", 414, "GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("line over the limit that does not end", 414, "GET /" + long + long),
        Row("authority form", 400, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
        Row("asterisk with another method", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("another scheme", 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("a relative path", 400, "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("absolute without a host", 400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("absolute with user information", 400, "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("two empty lines in front", 400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Row("an empty line of a bare LF in front", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ]

    static let fields = [
        Row("no Host", 400, "GET / HTTP/1.1\r\n\r\n"),
        Row("no Host beside an absolute target", 400, "GET http://a/ HTTP/1.1\r\n\r\n"),
        Row("two Hosts", 400, get + "Host: b\r\n\r\n"),
        Row("two equal Hosts", 400, get + "host: a\r\n\r\n"),
        Row("two Hosts in HTTP/1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
        Row("empty Host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        Row("Host with a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        Row("Host with user information", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        Row("Host with a space", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        Row("Host list", 400, "GET / HTTP/1.1\r\nHost: a, b/\r\n\r\n"),
        Row("Host with a bad port", 400, "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n"),
        Row("Host with a port too long", 400, "GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n"),
        Row("Host of a port only", 400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
        Row("Host with half an IPv6 address", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        Row("Host with a bad escape", 400, "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"),
        Row("bad Host beside an absolute target", 400, "GET http://a/ HTTP/1.1\r\nHost: @\r\n\r\n"),
        Row("bare LF in a field", 400, get + "X: a\nY: b\r\n\r\n"),
        Row("bare CR in a field", 400, get + "X: a\rb\r\n\r\n"),
        Row("lines that end with CR alone", 400, "GET / HTTP/1.1\rHost: a\r\r"),
        Row("head that ends with a bare LF", 400, get + "\n"),
        Row("NUL in a value", 400, get + "X: a\0b\r\n\r\n"),
        Row("DEL in a value", 400, get + "X: a\u{7F}b\r\n\r\n"),
        Row("escape in a value", 400, get + "X: \u{1B}[2J\r\n\r\n"),
        Row("NUL in a name", 400, get + "X\0: a\r\n\r\n"),
        Row("obs-fold", 400, get + "X: a\r\n b\r\n\r\n"),
        Row("obs-fold with a tab", 400, get + "X: a\r\n\tb\r\n\r\n"),
        Row("white space before the first field", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        Row("space before the colon", 400, get + "X : a\r\n\r\n"),
        Row("tab before the colon", 400, get + "X\t: a\r\n\r\n"),
        Row("space in a name", 400, get + "X Y: a\r\n\r\n"),
        Row("empty name", 400, get + ": a\r\n\r\n"),
        Row("no colon", 400, get + "X\r\n\r\n"),
        Row("name in quotes", 400, get + "\"X\": a\r\n\r\n"),
        Row("name above 127", 400, get + "é: a\r\n\r\n"),
        Row("65 fields", 431, get + String(repeating: "X: a\r\n", count: 64) + "\r\n"),
        Row("fields over the limit", 431, get + "X: " + long + "\r\nY: " + long + "\r\n\r\n"),
        Row("a field over the limit that does not end", 431, get + "X: " + long + long + long),
        Row("another expectation", 417, post + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na"),
        Row("a list of expectations", 417, post + "Expect: 100-continue, x\r\nContent-Length: 1\r\n\r\na"),
    ]

    static let framing = [
        Row("two Content-Lengths", 400, post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        Row("two equal Content-Lengths", 400, post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        Row("Content-Length list", 400, post + "Content-Length: 1, 1\r\n\r\na"),
        Row("signed Content-Length", 400, post + "Content-Length: +1\r\n\r\na"),
        Row("negative Content-Length", 400, post + "Content-Length: -1\r\n\r\na"),
        Row("hexadecimal Content-Length", 400, post + "Content-Length: 0x1\r\n\r\na"),
        Row("Content-Length with a space inside", 400, post + "Content-Length: 1 1\r\n\r\na"),
        Row("empty Content-Length", 400, post + "Content-Length:\r\n\r\n"),
        Row("Content-Length over the route's limit", 413, post + "Content-Length: 65\r\n\r\n"),
        Row("Content-Length over 64 bits", 413, post + "Content-Length: 99999999999999999999999\r\n\r\n"),
        Row(
            "Content-Length and Transfer-Encoding", 400,
            post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Row(
            "Transfer-Encoding and Content-Length", 400,
            post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        Row(
            "Transfer-Encoding twice", 400,
            post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Row("identity", 400, post + "Transfer-Encoding: identity\r\n\r\n"),
        Row("gzip, chunked", 400, post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        Row("chunked, identity", 400, post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        Row("chunked with a parameter", 400, post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
        Row("xchunked", 400, post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        Row("chunked with a vertical tab", 400, post + "Transfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n"),
        Row("empty Transfer-Encoding", 400, post + "Transfer-Encoding:\r\n\r\n"),
        Row(
            "chunked in HTTP/1.0", 400,
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ]

    static let chunks = [
        Row("no size", 400, chunked + "\r\n"),
        Row("size that is no number", 400, chunked + "x\r\n"),
        Row("size with a prefix", 400, chunked + "0x1\r\na\r\n0\r\n\r\n"),
        Row("negative size", 400, chunked + "-1\r\na\r\n0\r\n\r\n"),
        Row("space before the size", 400, chunked + " 1\r\na\r\n0\r\n\r\n"),
        Row("space after the size", 400, chunked + "1 \r\na\r\n0\r\n\r\n"),
        Row("size of nine digits", 400, chunked + "000000001\r\na\r\n0\r\n\r\n"),
        Row("size over 64 bits", 400, chunked + "FFFFFFFFFFFFFFFF1\r\n"),
        Row("chunk longer than its size", 400, chunked + "1\r\nab\r\n0\r\n\r\n"),
        Row("chunk that ends with a bare LF", 400, chunked + "1\r\na\n0\r\n\r\n"),
        Row("chunk that ends with a bare CR", 400, chunked + "1\r\na\rX0\r\n\r\n"),
        Row("size that ends with a bare LF", 400, chunked + "1\na\r\n0\r\n\r\n"),
        Row("size that ends with a bare CR", 400, chunked + "1\ra\r\n0\r\n\r\n"),
        Row("bare CR in an extension", 400, chunked + "1;a=\rb\r\na\r\n0\r\n\r\n"),
        Row("NUL in an extension", 400, chunked + "1;a=\0\r\na\r\n0\r\n\r\n"),
        Row("extension over the limit", 400, chunked + "1;" + String(repeating: "a", count: 256) + "\r\na\r\n"),
        Row("size line that does not end", 400, chunked + String(repeating: "1;", count: 200)),
        Row("content over the route's limit", 413, chunked + "41\r\n" + String(repeating: "a", count: 65)),
        Row(
            "content over the limit in two chunks", 413,
            chunked + "40\r\n" + String(repeating: "a", count: 64) + "\r\n1\r\nb\r\n0\r\n\r\n"),
        Row("malformed trailer", 400, chunked + "0\r\nX y\r\n\r\n"),
        Row("folded trailer", 400, chunked + "0\r\nX: a\r\n b\r\n\r\n"),
        Row("trailer with a bare LF", 400, chunked + "0\r\nX: a\n\r\n"),
        Row("65 trailers", 400, chunked + "0\r\n" + String(repeating: "X: a\r\n", count: 65) + "\r\n"),
        Row("trailers over the limit", 400, chunked + "0\r\nX: " + long + "\r\nY: " + long + "\r\n\r\n"),
    ]

    private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

    private func check(_ row: Row) {
        let bytes = Array(row.request.utf8)
        // The next request follows at once. Where the row itself does not end, it is a part of it.
        #expect(logAtEverySplit(of: bytes + Array(Self.smuggled.utf8)) == ["\(row.status)", "close"])
        // A good request in front of it is answered first.
        let good = Array("GET /good HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        let all = good + bytes + Array(Self.smuggled.utf8)
        #expect(log(of: all, pieces: [all.indices]) == ["GET /good @a 1", "sent", "\(row.status)", "close"])
    }

    @Test(arguments: requestLines) func requestLine(row: Row) { check(row) }

    @Test(arguments: fields) func field(row: Row) { check(row) }

    @Test(arguments: framing) func bodyFraming(row: Row) { check(row) }

    @Test(arguments: chunks) func chunk(row: Row) { check(row) }

    @Test func everyControlCharacterIsRefusedWhereverItStands() {
        for control in UInt8(0)...0x7F where control < 0x20 || control == 0x7F {
            for place in [
                "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: longer value #b\r\n\r\n",
            ] {
                // A tab may be within a field's value.
                if control == 0x09 && place.contains("X:") { continue }
                let bytes = Array(place.utf8).map { $0 == 0x23 ? control : $0 }
                #expect(log(of: bytes, pieces: [0..<bytes.count]) == ["400", "close"], "\(control)")
            }
        }
    }

    @Test func everyByteThatIsNoTokenIsRefusedInAName() {
        for byte in UInt8.min...UInt8.max where byte != 0x3A {
            let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX".utf8) + [byte] + Array("Y: 1\r\n\r\n".utf8)
            let isToken = FieldSyntax.isToken(byte)
            #expect(log(of: bytes, pieces: [0..<bytes.count]).first == (isToken ? "GET / @a 2" : "400"), "\(byte)")
        }
        let tokens = (UInt8.min...UInt8.max).filter { FieldSyntax.isToken($0) }
        #expect(
            String(decoding: tokens, as: UTF8.self)
                == "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~")
    }
}
