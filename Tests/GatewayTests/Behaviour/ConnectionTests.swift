import QuashLoop
import TestSupport
import Testing

@Suite("Between a gateway and its validators", .enabled(if: Environment.runs), .serialized)
struct ConnectionTests {
    @Test("Connections are kept, over TCP and on a unix socket", arguments: Environment.kinds, [false, true])
    func connectionsAreKept(kind: GatewayKind, isUnix: Bool) throws {
        let folder = try TemporaryFolder()
        let endpoint: Endpoint =
            isUnix ? .unix(path: folder.path("validator.sock")) : .tcp(host: "127.0.0.1", port: 0)
        let validator = try RawServer(at: endpoint) { _ in RawServer.acceptance }
        let application = try RawServer()
        let gateway = try RunningGateway(
            kind, validators: [validator.endpoint], application: application.port)
        #expect(try poll(within: .seconds(20)) { try gateway.status("x") == 200 })
        _ = validator.takeReceived()
        // Whether their clients keep theirs or not.
        for _ in 0..<100 { #expect(try gateway.status("x") == 200) }
        for _ in 0..<100 {
            let connection = try GatewayConnection(port: gateway.port)
            let request = GatewayRequest(token: "x", lines: "X-Quash-Min: 1:1\r\n")
            #expect(try connection.call(request).status == 200)
        }
        let decisions = validator.takeReceived().filter { !$0.requestLine.contains("/readyz") }
        #expect(decisions.count == 200)
        #expect(Set(decisions.map(\.connection)).count <= 2)
        // The token, and nothing that another client of the validator could be taken for.
        #expect(decisions.allSatisfy { $0.values(of: "authorization") == ["Bearer x"] })
        // What a client may ask for that makes a validator answer 503 is not the gateway's question.
        #expect(decisions.allSatisfy { $0.values(of: "x-quash-min").isEmpty })
    }

    @Test("A real validator on a unix socket decides", arguments: Environment.kinds)
    func unixSocketsOfValidators(kind: GatewayKind) throws {
        let site = try DecisionTests.Site(kind, isUnix: true)
        let session = try site.waitUntilServing()
        #expect(try site.gateway.status("x") == 401)
        try site.fleet.revoke(session)
        #expect(try poll { try site.gateway.status(session.access) == 401 })
    }
}
