import TestSupport
import Testing

/// The configurations that are shipped, in real gateways, in front of a validator and an application.
@Suite("Decisions through a gateway", .enabled(if: Environment.runs), .serialized)
struct DecisionTests {
    /// A gateway with all that is behind it.
    struct Site {
        let fleet: GatewayFleet
        let application: RawServer
        let gateway: RunningGateway

        init(_ kind: GatewayKind, validators: Int = 1, settings: [String] = [], isUnix: Bool = false) throws {
            fleet = try GatewayFleet(validators: validators, settings: settings, isUnix: isUnix)
            application = try RawServer()
            gateway = try RunningGateway(kind, validators: fleet.endpoints, application: application.port)
        }

        /// Waits until the gateway lets a good token through: some look after a validator's health first.
        func waitUntilServing() throws -> GatewayFleet.Session {
            let session = try fleet.signIn("alice")
            guard try poll(within: .seconds(20), { try gateway.status(session.access) == 200 }) else {
                throw TestSupportError("\(gateway.kind.rawValue) lets nobody through: \(gateway.log)")
            }
            _ = application.takeReceived()
            return session
        }
    }

    @Test("The application hears who is asking, and what is asked", arguments: Environment.kinds)
    func theApplicationHearsWhoIsAsking(kind: GatewayKind) throws {
        let site = try Site(kind)
        _ = try site.waitUntilServing()
        for scope in ["read write", nil] {
            let session = try site.fleet.signIn("sybil ü", scope: scope)
            for (method, body) in [("GET", ""), ("POST", "a body of its own"), ("DELETE", ""), ("HEAD", "")] {
                let request = GatewayRequest(
                    method, "/some/path?with=query", token: session.access, lines: "X-Other: kept\r\n", body: body)
                let answer = try site.gateway.call(request)
                #expect(answer.status == 200, "\(method): \(answer.status) \(answer.text)")
                let seen = site.application.takeReceived()
                #expect(seen.count == 1)
                let first = try #require(seen.first)
                #expect(first.requestLine == "\(method) /some/path?with=query HTTP/1.1")
                #expect(String(decoding: first.content, as: UTF8.self) == body)
                #expect(first.values(of: "x-other") == ["kept"])
                #expect(first.values(of: "authorization") == ["Bearer \(session.access)"])
                let identity = Identity.fields(of: first)
                #expect(identity["X_AUTH_SUBJECT"] == ["sybil ü"])
                #expect(identity["X_AUTH_SESSION"] == [session.name])
                for name in ["X_AUTH_JTI", "X_AUTH_EXPIRES"] { #expect(identity[name]?.count == 1, "\(name)") }
                // nginx sends no empty field.
                #expect(identity["X_AUTH_SCOPE", default: [""]] == [scope ?? ""])
            }
        }
    }

    @Test("A subject that looks like what gateways replace arrives as it is", arguments: Environment.kinds)
    func subjectsAreNotExpanded(kind: GatewayKind) throws {
        let site = try Site(kind)
        _ = try site.waitUntilServing()
        for subject in [
            "{env.HOME}", "%[src]", "$host", "%PATH%", "a, b", "{header.Authorization}", "%DOWNSTREAM_PEER_CERT%",
        ] {
            #expect(try site.gateway.status(try site.fleet.signIn(subject).access) == 200)
            let seen = site.application.takeReceived()
            #expect(seen.map { $0.values(of: "x-auth-subject") } == [[subject]])
        }
    }

    @Test("A WebSocket's handshake arrives where the configuration lets it", arguments: Environment.kinds)
    func upgradesArrive(kind: GatewayKind) throws {
        let site = try Site(kind)
        let token = try site.waitUntilServing().access
        let lines =
            "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        _ = try site.gateway.call(GatewayRequest(token: token, lines: lines))
        let seen = site.application.takeReceived().first
        let passes = kind == .haproxy || kind == .caddy
        #expect(seen?.values(of: "upgrade").map { $0.lowercased() } ?? [] == (passes ? ["websocket"] : []))
        #expect((seen?.values(of: "connection").joined().lowercased().contains("upgrade") ?? false) == passes)
        // Envoy says 403 to one that it would not pass on, whoever asks.
        let refusal = try site.gateway.call(GatewayRequest(token: "x", lines: lines)).status
        #expect(refusal == 401 || (kind == .envoy && refusal == 403))
        #expect(site.application.takeReceived().isEmpty)
    }

    @Test(
        "RFC 6750 §3: no token, a bad one and a revoked one are 401 with the validator's one challenge",
        arguments: Environment.kinds)
    func refusalsCarryTheChallenge(kind: GatewayKind) throws {
        let site = try Site(kind)
        let session = try site.waitUntilServing()
        try site.fleet.revoke(session)
        #expect(try poll { try site.gateway.status(session.access) == 401 }, "the revocation does not arrive")
        _ = site.application.takeReceived()
        for (token, challenge) in [
            (nil, "Bearer realm=\"quash\""), ("x", "Bearer realm=\"quash\", error=\"invalid_token\""),
            (session.access, "Bearer realm=\"quash\", error=\"invalid_token\""),
        ] {
            for (method, body) in [("GET", ""), ("POST", "x"), ("HEAD", ""), ("PUT", "y"), ("OPTIONS", "")] {
                let answer = try site.gateway.call(GatewayRequest(method, "/", token: token, body: body))
                #expect(answer.status == 401, "\(method)")
                #expect(answer.values(of: "www-authenticate") == [challenge], "\(method)")
                #expect(answer.values(of: "cache-control") == ["no-store"], "\(method)")
                #expect(answer.values(of: "retry-after").isEmpty, "\(method)")
            }
        }
        #expect(site.application.takeReceived().isEmpty)
        // Nothing of a refusal is kept for others.
        let other = try site.fleet.signIn("bob")
        #expect(try site.gateway.status(other.access) == 200)
    }

    @Test(
        "RFC 6750 §3.1: a scope that is asked for and that the token lacks is 403 with its challenge",
        arguments: Environment.kinds.filter { $0 != .envoy })
    func aMissingScopeIsForbidden(kind: GatewayKind) throws {
        let fleet = try GatewayFleet()
        let application = try RawServer()
        let gateway = try RunningGateway(
            kind, validators: fleet.endpoints, application: application.port, scope: "read+write")
        let good = try fleet.signIn("zoe", scope: "write read").access
        #expect(try poll(within: .seconds(20)) { try gateway.status(good) == 200 })
        _ = application.takeReceived()
        let lacking = try fleet.signIn("zoe", scope: "read").access
        // What a client asks for is not what the gateway asks for.
        for target in ["/", "/?scope=read"] {
            let answer = try gateway.call(GatewayRequest("GET", target, token: lacking))
            #expect(answer.status == 403)
            #expect(answer.values(of: "www-authenticate") == ["Bearer realm=\"quash\", error=\"insufficient_scope\""])
            #expect(answer.values(of: "cache-control") == ["no-store"])
        }
        #expect(application.takeReceived().isEmpty)
    }

    @Test(
        "Of two Authorization fields the application gets what was judged, or nothing", arguments: Environment.kinds)
    func theApplicationGetsWhatWasJudged(kind: GatewayKind) throws {
        let site = try Site(kind)
        let good = try site.waitUntilServing().access
        for tokens in [[good, "x"], ["x", good], [good, good], [good, ""], ["", good]] {
            let lines = tokens.map { "Authorization: Bearer \($0)\r\n" }.joined()
            let answer = try site.gateway.call(GatewayRequest(lines: lines))
            let seen = site.application.takeReceived()
            if answer.status == 200 {
                #expect(seen.map { $0.values(of: "authorization") } == [["Bearer \(good)"]], "\(tokens)")
            } else {
                #expect([400, 401].contains(answer.status) && seen.isEmpty, "\(answer.status)")
            }
        }
    }

    @Test("What the application answers is its own affair", arguments: Environment.kinds)
    func theApplicationsAnswersPass(kind: GatewayKind) throws {
        let fleet = try GatewayFleet()
        let application = try RawServer { request in
            let status = request.requestLine.split(separator: "/")[1].prefix { $0.isNumber }
            let challenge = status == "401" ? "WWW-Authenticate: Custom\r\n" : ""
            return .send(
                "HTTP/1.1 \(status) Its Own\r\n\(challenge)X-Auth-Subject: told\r\nContent-Length: 4\r\n\r\nown\n")
        }
        let gateway = try RunningGateway(kind, validators: fleet.endpoints, application: application.port)
        let token = try fleet.signIn("xavier").access
        #expect(
            try poll(within: .seconds(20)) {
                try gateway.call(GatewayRequest("GET", "/200", token: token)).status == 200
            })
        for status in [200, 201, 301, 401, 403, 404, 500, 502, 503] {
            let answer = try gateway.call(GatewayRequest("GET", "/\(status)", token: token))
            #expect(answer.status == status)
            #expect(answer.values(of: "retry-after").isEmpty)
            #expect(answer.values(of: "www-authenticate") == (status == 401 ? ["Custom"] : []))
            #expect(answer.text == "own\n")
        }
    }

    @Test("A request with many and long fields is judged by its token alone", arguments: Environment.kinds)
    func longHeadsAreJudgedByTheirToken(kind: GatewayKind) throws {
        let site = try Site(kind)
        let good = try site.waitUntilServing().access
        let lines =
            String(repeating: "Cookie: \(String(repeating: "c", count: 3000))\r\n", count: 3)
            + String(repeating: "X-Anything: x\r\n", count: 30)
        for (token, status) in [(good, 200), ("x", 401), (nil, 401)] as [(String?, Int)] {
            #expect(try site.gateway.call(GatewayRequest(token: token, lines: lines)).status == status)
        }
        // More than a validator takes, which nobody but Caddy sends it.
        let many = (0..<70).map { "X-Other-\($0): x\r\n" }.joined()
        #expect(try site.gateway.call(GatewayRequest(token: good, lines: many)).status == (kind == .caddy ? 431 : 200))
        let path = "/" + String(repeating: "p", count: 6000)
        #expect(try site.gateway.call(GatewayRequest("GET", path, token: good)).status == 200)
    }
}
