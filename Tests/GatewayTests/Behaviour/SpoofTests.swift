import QuashHTTP
import TestSupport
import Testing

@Suite("A client cannot set an identity", .enabled(if: Environment.runs), .serialized)
struct SpoofTests {
    @Test(
        "However it is spelled, nothing that a client says of itself reaches the application",
        arguments: Environment.kinds)
    func claimsDoNotReachTheApplication(kind: GatewayKind) throws {
        let site = try DecisionTests.Site(kind)
        let matrix = try SpoofMatrix(site, of: try site.waitUntilServing())
        #expect(matrix.outcomes.count >= 30)
        #expect(matrix.reached == [])
        #expect(matrix.outcomes.contains { $0.outcome == .inTrailer } == kind.forwardsTrailers)
    }

    /// HAProxy and Envoy take it without TLS too; curl writes it.
    @Test("Nor over HTTP/2", arguments: Environment.kinds.filter { $0 == .haproxy || $0 == .envoy })
    func claimsDoNotReachTheApplicationOverHTTP2(kind: GatewayKind) throws {
        let site = try DecisionTests.Site(kind)
        let session = try site.waitUntilServing()
        var passed = 0
        for (name, field) in Spelling.ofHTTP2 {
            let curl = try ChildProcess([
                "curl", "--silent", "--http2-prior-knowledge", "--output", "/dev/null", "--write-out",
                "%{http_version} %{http_code}", "--header", field, "--header",
                "Authorization: Bearer \(session.access)", "http://127.0.0.1:\(site.gateway.port)/",
            ])
            try curl.waitForExit()
            // Envoy resets the stream of what it does not like.
            #expect(["2 200", "2 400", "2 000", "0 000"].contains(curl.output), "\(name): \(curl.output)")
            for request in site.application.takeReceived() {
                passed += 1
                #expect(Identity.fields(of: request)["X_AUTH_SUBJECT"] == ["alice"], "\(name)")
                #expect(!String(decoding: request.head, as: UTF8.self).contains(Spelling.attacker), "\(name)")
            }
        }
        #expect(passed > 10 && Spelling.ofHTTP2.count > 30)
    }

    @Test("Every spelling has a name of its own")
    func spellingsAreNamed() {
        #expect(Set(Spelling.all.map(\.name)).count == Spelling.all.count)
    }

    /// Paths and methods by which a client may hope to be judged for another request, or for none.
    static let targets: [(method: String, target: String)] =
        [
            "/", "//", "/.", "/..", "/../", "/./x", "/a/../b", "/../authz/auth-request", "/%2e%2e/authz/auth-request",
            "/..%2fauth-request", "/%2e%2e%2f%2e%2e%2freadyz", "/..;/readyz", "/readyz", "/livez", "/metrics",
            "/authz/auth-request", "/authz/forward-auth", "/authz/ext-authz/", "/_quash", "/%5fquash", "/_challenge",
            "/_unavailable", "/a%00b", "/a%0d%0aX-Auth-Subject:%20mallory", "/a?x=y?z", "/a#b", "/a\\b", "/%", "/%zz",
            "/?scope=", "/;x", "/a%20HTTP/1.1%0d%0aX-Auth-Subject:%20mallory", "http://gateway.example/absolute",
            "http://other.example/absolute", "*", "gateway.example:80", "relative", "/\u{E9}", "/%C0%AE%C0%AE/x",
        ].map { ("GET", $0) }
        + [
            ("OPTIONS", "*"), ("CONNECT", "gateway.example:80"), ("CONNECT", "/x"), ("TRACE", "/x"), ("HEAD", "/x"),
            ("PROPFIND", "/x"), ("PRI", "*"), ("get", "/x"), ("G\u{2010}T", "/x"), ("QUASH", "/x"), ("PURGE", "/x"),
        ]

    @Test("Whatever the path and the method, without a token nothing passes", arguments: Environment.kinds)
    func pathsAndMethodsDoNotPassWithoutAToken(kind: GatewayKind) throws {
        let site = try DecisionTests.Site(kind)
        let session = try site.waitUntilServing()
        for (method, target) in Self.targets {
            for token in [nil, "x"] {
                let request = GatewayRequest(method, target, token: token)
                let answer = try GatewayConnection(port: site.gateway.port).exchange(request.bytes, seconds: 2)
                #expect(try site.gateway.status(session.access) == 200)
                #expect(site.application.takeReceived().count == 1, "\(method) \(target)")
                // Go's server has an answer of its own to OPTIONS *, which asks for nothing.
                let isRefused = (answer?.status ?? 400) >= 400
                #expect(isRefused || (kind == .caddy && method == "OPTIONS" && target == "*"), "\(method) \(target)")
            }
        }
    }

    @Test(
        "Whatever the path and the method, an application hears who is asking, or nothing",
        arguments: Environment.kinds)
    func pathsAndMethodsHideNobody(kind: GatewayKind) throws {
        let site = try DecisionTests.Site(kind)
        let session = try site.waitUntilServing()
        var passed = 0
        for (method, target) in Self.targets {
            let request = GatewayRequest(
                method, target, token: session.access, lines: "X-Auth-Subject: \(Spelling.attacker)\r\n")
            let connection = try GatewayConnection(port: site.gateway.port)
            _ = try connection.exchange(request.bytes, method == "HEAD" ? .head : .get, seconds: 2)
            #expect(try site.gateway.status(session.access) == 200)
            for seen in site.application.takeReceived() {
                passed += 1
                #expect(Identity.fields(of: seen)["X_AUTH_SUBJECT"] == ["alice"], "\(method) \(target)")
                #expect(seen.values(of: "x-auth-subject") == ["alice"], "\(method) \(target)")
            }
        }
        #expect(passed > Self.targets.count)
    }
}
