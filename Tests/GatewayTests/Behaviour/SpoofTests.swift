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

    /// What opens a tunnel, when the application is so kind as to agree.
    static let tunnels: [(method: String, target: String, lines: String)] =
        [("CONNECT", "gateway.example:80", ""), ("CONNECT", "/x", "")]
        + [
            "Upgrade: h2c\r\n", "Upgrade: H2C\r\n", "Upgrade: websocket, h2c\r\n", "Upgrade: h2c, websocket\r\n",
            "Upgrade: websocket\r\nUpgrade: h2c\r\n", "Upgrade: h2c\r\nUpgrade: websocket\r\n",
            "Upgrade: TLS/1.0, h2c\r\n",
        ].flatMap { upgrade in
            ["Upgrade", "Upgrade, HTTP2-Settings"].map { connection in
                (
                    "GET", "/",
                    "Connection: \(connection)\r\n\(upgrade)HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
                        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                )
            }
        }

    /// Through one, a client with a good token of its own would say who it is without being asked.
    @Test("Nobody gets a tunnel to the application", arguments: Environment.kinds)
    func nobodyGetsATunnel(kind: GatewayKind) throws {
        let fleet = try GatewayFleet()
        let application = try RawServer { request in
            let isAsked = request.values(of: "upgrade").contains { $0.lowercased().contains("h2c") }
            guard isAsked else { return RawServer.ok }
            return .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        }
        let gateway = try RunningGateway(kind, validators: fleet.endpoints, application: application.port)
        let token = try fleet.signIn("alice").access
        #expect(try poll(within: .seconds(20)) { try gateway.status(token) == 200 })
        _ = application.takeReceived()
        let hidden = GatewayRequest("GET", "/hidden", lines: "X-Auth-Subject: \(Spelling.attacker)\r\n")
        for (method, target, lines) in Self.tunnels {
            let connection = try GatewayConnection(port: gateway.port)
            let request = GatewayRequest(method, target, token: token, lines: lines)
            _ = try connection.exchange(request.bytes, seconds: 1)
            _ = try? connection.exchange(hidden.bytes, seconds: 1)
            #expect(try gateway.status(token) == 200)
            let seen = application.takeReceived()
            #expect(!seen.contains { $0.requestLine.contains("/hidden") }, "\(method) \(target) \(lines)")
            // Over HTTP/2, Go's client sends the content of a CONNECT without any framing.
            #expect(!seen.contains { $0.requestLine.hasPrefix("CONNECT") }, "\(method) \(target)")
            #expect(
                seen.allSatisfy { $0.values(of: "upgrade").allSatisfy { $0.lowercased() == "websocket" } },
                "\(method) \(target) \(lines)")
        }
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
