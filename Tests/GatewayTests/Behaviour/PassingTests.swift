import TestSupport
import Testing

@Suite("What clients do besides asking for a page", .enabled(if: Environment.runs), .serialized)
struct PassingTests {
    @Test(
        "A WebSocket passes, with who is asking, and none without a token",
        arguments: Environment.kinds.filter { $0 == .haproxy || $0 == .caddy })
    func webSocketsPass(kind: GatewayKind) throws {
        let fleet = try GatewayFleet()
        let application = try RawServer { request in
            guard request.values(of: "upgrade") == ["websocket"] else { return RawServer.ok }
            return .send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello")
        }
        let gateway = try RunningGateway(kind, validators: fleet.endpoints, application: application.port)
        let token = try fleet.signIn("alice").access
        #expect(try poll(within: .seconds(20)) { try gateway.status(token) == 200 })
        _ = application.takeReceived()
        let lines =
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        let client = try RawClient(port: gateway.port)
        client.send(GatewayRequest(token: token, lines: lines).bytes)
        let answer = client.read { $0.hasSuffix("hello") }
        #expect(answer.hasPrefix("HTTP/1.1 101 ") && answer.hasSuffix("hello"), "\(answer)")
        #expect(application.takeReceived().map { $0.values(of: "x-auth-subject") } == [["alice"]])

        let stranger = try RawClient(port: gateway.port)
        stranger.send(GatewayRequest(token: "x", lines: lines).bytes)
        #expect(stranger.read { $0.contains("\r\n\r\n") }.hasPrefix("HTTP/1.1 401 "))
        #expect(application.takeReceived().isEmpty)
    }

    @Test("Content passes, in chunks too and whether or not it was asked for", arguments: Environment.kinds)
    func contentPasses(kind: GatewayKind) throws {
        let site = try DecisionTests.Site(kind)
        let token = try site.waitUntilServing().access
        let content = String(repeating: "c", count: 100_000)
        let chunks = "186a0\r\n\(content)\r\n0\r\n\r\n"
        for (lines, body) in [
            ("Content-Length: 100000\r\n", content), ("Transfer-Encoding: chunked\r\n", chunks),
            ("Content-Length: 100000\r\nExpect: 100-continue\r\n", content),
        ] {
            let head = GatewayRequest("POST", "/", token: token, lines: lines).bytes
            let client = try RawClient(port: site.gateway.port)
            client.send(head)
            // Some wait for the content before they say anything.
            client.send(body)
            let answer = client.read { $0.hasSuffix("ok\n") }
            #expect(answer.contains("HTTP/1.1 200 OK\r\n"), "\(lines): \(answer.prefix(200))")
            #expect(site.application.takeReceived().last?.content.count ?? 0 >= 100_000, "\(lines)")
        }
    }
}
