/// One way in which a client may try to say who it is.
struct Spelling: Sendable {
    /// Who the client says it is; nothing that a validator answers is like it.
    static let attacker = "mallory"

    let name: String
    /// Lines of the head as they are, each with its end, with ``attacker`` as their value.
    var lines: [UInt8]
    var method = "GET"
    var version = "HTTP/1.1"
    var body = ""

    init(_ name: String, _ lines: String, method: String = "GET", version: String = "HTTP/1.1", body: String = "") {
        self.init(name, bytes: Array(lines.utf8), method: method, version: version, body: body)
    }

    init(_ name: String, bytes: [UInt8], method: String = "GET", version: String = "HTTP/1.1", body: String = "") {
        self.name = name
        lines = bytes
        self.method = method
        self.version = version
        self.body = body
    }

    /// A line with this name for the field.
    private static func field(_ what: String, _ name: String) -> Spelling { Spelling(what, "\(name): \(attacker)\r\n") }

    static let all: [Spelling] = names + separators + whitespace + repeated + lists + framing + smuggled

    private static let names: [Spelling] = [
        field("as it is", "X-Auth-Subject"), field("lower case", "x-auth-subject"),
        field("upper case", "X-AUTH-SUBJECT"), field("mixed case", "x-AuTh-sUbJeCt"),
        field("session", "X-Auth-Session"), field("jti", "X-Auth-Jti"), field("expires", "X-Auth-Expires"),
        field("scope, which the token has not", "X-Auth-Scope"),
        field("underscored scope, which the token has not", "X_Auth_Scope"),
        field("percent-encoded", "X%2DAuth%2DSubject"), field("percent-encoded letter", "X-Auth-%53ubject"),
        Spelling("no-break space after it", "X-Auth-Subject\u{A0}: \(attacker)\r\n"),
        Spelling("a Unicode hyphen", "X\u{2010}Auth\u{2010}Subject: \(attacker)\r\n"),
        Spelling("a soft hyphen in Latin-1", bytes: latin1("X\u{AD}Auth\u{AD}Subject: \(attacker)\r\n")),
        Spelling("full-width letters", "X-Auth-\u{FF33}ubject: \(attacker)\r\n"),
        Spelling("a NUL after it", "X-Auth-Subject\0: \(attacker)\r\n"),
        Spelling("a vertical tab after it", "X-Auth-Subject\u{B}: \(attacker)\r\n"),
    ]

    /// RFC 9110 §5.6.2: what a name may have besides letters and digits; CGI makes an underscore of any of it.
    private static let separators: [Spelling] =
        [
            field("underscores", "X_Auth_Subject"), field("one underscore", "X_Auth-Subject"),
            field("the other underscore", "X-Auth_Subject"), field("a CGI variable", "X_AUTH_SUBJECT"),
            field("dots", "X.Auth.Subject"), field("one dot", "X.Auth-Subject"),
            field("the other dot", "X-Auth.Subject"),
            field("a dot and an underscore", "x.auth_subject"),
        ]
        + "!#$%&'*+^`|~".map { field($0 == "|" ? "bar" : "\($0)", "X\($0)Auth\($0)Subject") }
        + "!#$%&'*+^`|~".map { field("hyphen and \($0 == "|" ? "bar" : "\($0)")", "X-Auth\($0)Subject") }

    private static let whitespace: [Spelling] = [
        Spelling("no space after the colon", "X-Auth-Subject:\(attacker)\r\n"),
        Spelling("tabs around the value", "X-Auth-Subject:\t\(attacker)\t\r\n"),
        field("a space before the colon", "X-Auth-Subject "), field("a tab before the colon", "X-Auth-Subject\t"),
        field("spaces in the name", "X Auth Subject"),
        Spelling("folded value", "X-Auth-Subject:\r\n \(attacker)\r\n"),
        Spelling("folded value with a tab", "X-Auth-Subject:\r\n\t\(attacker)\r\n"),
        Spelling("fold of another field", "X-Other: a\r\n X-Auth-Subject: \(attacker)\r\n"),
        Spelling("fold of another field with a tab", "X-Other: a\r\n\tX-Auth-Subject: \(attacker)\r\n"),
        Spelling("fold of the token's field", " X-Auth-Subject: \(attacker)\r\n"),
        Spelling("a bare LF before it", "X-Other: a\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling("a bare CR before it", "X-Other: a\rX-Auth-Subject: \(attacker)\r\n"),
        Spelling("bare LFs around it", "X-Other: a\nX-Auth-Subject: \(attacker)\nX-Another: b\r\n"),
        Spelling("CR CR LF before it", "X-Other: a\r\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling("encoded line ends in a value", "X-Other: a%0d%0aX-Auth-Subject: \(attacker)\r\n"),
        Spelling("a line without a colon before it", "X-Other\r\nX-Auth-Subject: \(attacker)\r\n"),
    ]

    private static let repeated: [Spelling] = [
        Spelling("twice", "X-Auth-Subject: \(attacker)\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling("empty, then not", "X-Auth-Subject:\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling(
            "in four spellings",
            "X-Auth-Subject: a\r\nx-auth-subject: b\r\nX_Auth_Subject: \(attacker)\r\nX.Auth.Subject: c\r\n"),
        Spelling("fifty times", String(repeating: "X-Auth-Subject: \(attacker)\r\n", count: 50)),
        Spelling(
            "behind many others",
            (0..<60).map { "X-Other-\($0): x\r\n" }.joined() + "X_Auth_Subject: \(attacker)\r\n"),
        Spelling(
            "behind a long one", "X-Other: \(String(repeating: "x", count: 3500))\r\nX_Auth_Subject: \(attacker)\r\n"),
        Spelling("empty", "X-Auth-Subject:\r\nX_Auth_Subject:\r\n"),
        Spelling("a list", "X-Auth-Subject: alice, \(attacker)\r\n"),
    ]

    /// Fields by which a client names others that are not to be forwarded.
    private static let lists: [Spelling] = [
        Spelling("Connection alone", "Connection: X-Auth-Subject\r\n"),
        Spelling("Connection and the field", "Connection: X-Auth-Subject\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling(
            "Connection names all",
            "Connection: keep-alive, x-auth-subject, x-auth-session, x-auth-jti, x-auth-expires, x-auth-scope\r\n"),
        Spelling("Connection names the token", "Connection: Authorization\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling("Connection twice", "Connection: keep-alive\r\nConnection: x-auth-subject\r\n"),
        Spelling("Connection: close and more", "Connection: close, X-Auth-Subject\r\nX_Auth_Subject: \(attacker)\r\n"),
        Spelling("Proxy-Connection", "Proxy-Connection: x-auth-subject\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling("Keep-Alive", "Keep-Alive: x-auth-subject\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling(
            "an upgrade to WebSocket",
            "Connection: Upgrade, X-Auth-Subject\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Auth-Subject: \(attacker)\r\n"),
        Spelling(
            "an upgrade to h2c",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
                + "X-Auth-Subject: \(attacker)\r\n"),
        Spelling("TE: trailers", "TE: trailers\r\nConnection: TE\r\nX-Auth-Subject: \(attacker)\r\n"),
    ]

    private static let framing: [Spelling] = [
        Spelling(
            "a trailer", "Transfer-Encoding: chunked\r\n", method: "POST",
            body: "1\r\nx\r\n0\r\nX-Auth-Subject: \(attacker)\r\n\r\n"),
        Spelling(
            "an announced trailer", "Transfer-Encoding: chunked\r\nTrailer: X-Auth-Subject\r\n", method: "POST",
            body: "1\r\nx\r\n0\r\nX-Auth-Subject: \(attacker)\r\n\r\n"),
        Spelling(
            "an announced trailer, underscored", "Transfer-Encoding: chunked\r\nTrailer: X_Auth_Subject\r\n",
            method: "POST", body: "1\r\nx\r\n0\r\nX_Auth_Subject: \(attacker)\r\n\r\n"),
        Spelling("HTTP/1.0", "X_Auth_Subject: \(attacker)\r\nX-Auth-Subject: \(attacker)\r\n", version: "HTTP/1.0"),
        Spelling(
            "Expect", "Expect: 100-continue\r\nContent-Length: 1\r\nX-Auth-Subject: \(attacker)\r\n", method: "POST",
            body: "x"),
        Spelling("a method of its own", "X_Auth_Subject: \(attacker)\r\n", method: "SPOOF"),
        Spelling("OPTIONS", "X_Auth_Subject: \(attacker)\r\nX-Auth-Subject: \(attacker)\r\n", method: "OPTIONS"),
    ]

    /// A second request inside of the first, which one server sees and another does not (RFC 9112 §11.2).
    private static let smuggled: [Spelling] = [
        Spelling(
            "length and chunks", "Content-Length: \(hidden.count + 5)\r\nTransfer-Encoding: chunked\r\n",
            method: "POST", body: "0\r\n\r\n" + hidden),
        Spelling(
            "chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", method: "POST",
            body: "\(String(hidden.count, radix: 16))\r\n\(hidden)\r\n0\r\n\r\n"),
        Spelling(
            "two lengths", "Content-Length: 0\r\nContent-Length: \(hidden.count)\r\n", method: "POST", body: hidden),
        Spelling("a signed length", "Content-Length: +\(hidden.count)\r\n", method: "POST", body: hidden),
        Spelling(
            "an encoding that is none", "Transfer-Encoding: xchunked\r\nContent-Length: \(hidden.count)\r\n",
            method: "POST", body: hidden),
        Spelling(
            "an encoding with a space", "Transfer-Encoding : chunked\r\nContent-Length: \(hidden.count + 5)\r\n",
            method: "POST", body: "0\r\n\r\n" + hidden),
        Spelling(
            "an underscored encoding", "Transfer_Encoding: chunked\r\nContent-Length: \(hidden.count + 5)\r\n",
            method: "POST", body: "0\r\n\r\n" + hidden),
        Spelling(
            "two encodings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", method: "POST",
            body: "0\r\n\r\n" + hidden),
        Spelling("content of a GET", "Content-Length: \(hidden.count)\r\n", body: hidden),
    ]

    /// Those that are one field whose name HTTP/2 can carry too.
    static let ofHTTP2: [(name: String, field: String)] = (names + separators).compactMap { spelling in
        let line = String(decoding: spelling.lines, as: UTF8.self)
        guard line.utf8.allSatisfy({ $0 < 0x7F && ($0 >= 0x20 || $0 == 0x0D || $0 == 0x0A) }) else { return nil }
        return (spelling.name, String(line.dropLast()))
    }

    private static let hidden =
        "GET /hidden HTTP/1.1\r\nHost: gateway.example\r\nX-Auth-Subject: \(attacker)\r\nX-Rest: "

    private static func latin1(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    /// The request, with a good token or without one. The lines come right after the token's.
    func request(token: String?) -> [UInt8] {
        var request = GatewayRequest(method, "/spelling", token: token)
        request.version = version
        request.lines = lines
        // Its length, if it has one, is among the lines.
        return request.bytes + Array(body.utf8)
    }
}
