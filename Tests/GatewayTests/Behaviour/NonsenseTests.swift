import TestSupport
import Testing

@Suite("A validator that answers nonsense", .enabled(if: Environment.runs), .serialized)
struct NonsenseTests {
    /// What is no decision, though it may look like one.
    static let garbage: [(name: String, reply: RawServer.Reply)] = [
        ("no HTTP", .sendAndClose("\u{1}\u{2}garbage\r\n\r\n")),
        ("nothing", .sendAndClose("")),
        ("half a status line", .sendAndClose("HTTP/1.1 2")),
        ("half a head", .sendAndClose("HTTP/1.1 200 OK\r\nX-Auth-Subject: alice\r\n")),
        ("a status that is none", .sendAndClose("HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n")),
        ("an interim response, for ever", .send("HTTP/1.1 100 Continue\r\n\r\n")),
        ("a failure", .send("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")),
        ("another gateway's failure", .send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")),
        ("a redirection", .send("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n")),
        ("not found", .send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")),
    ]

    @Test("It lets nobody through", arguments: Environment.kinds)
    func aValidatorThatTalksNonsense(kind: GatewayKind) throws {
        let application = try RawServer()
        for (name, reply) in Self.garbage {
            let validator = try RawServer { request in
                let isHealthCheck = request.requestLine.contains("/readyz")
                return isHealthCheck ? .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") : reply
            }
            let gateway = try RunningGateway(
                kind, validators: [validator.endpoint], application: application.port)
            // Once it was asked, the answers are not those of a gateway that found nobody to ask.
            var wasAsked = false
            let hasAsked = try poll(within: .seconds(20)) {
                let status = try gateway.status("x")
                #expect(status >= 300 && status != 401, "\(name): \(status)")
                wasAsked = wasAsked || validator.takeReceived().contains { !$0.requestLine.contains("/readyz") }
                return wasAsked
            }
            #expect(hasAsked, "\(name): it was not asked")
            let status = try gateway.status("x")
            if case .sendAndClose = reply { #expect(status == 503, "\(name): \(status)") }
            #expect(application.takeReceived().isEmpty, "\(name)")
        }
    }

    /// One that has taken over the address of a validator, say: most answer 200 to whatever they are asked.
    @Test("A server that says yes and not to whom is no validator", arguments: Environment.kinds)
    func aServerThatIsNoValidator(kind: GatewayKind) throws {
        let application = try RawServer()
        let other = try RawServer()
        let gateway = try RunningGateway(kind, validators: [other.endpoint], application: application.port)
        let request = GatewayRequest(token: "x", lines: "X-Auth-Subject: mallory\r\nX-Auth-Expires: 1800000000\r\n")
        let hasAsked = try poll(within: .seconds(20)) {
            let status = try gateway.call(request).status
            #expect(status == 503)
            return other.takeReceived().contains { !$0.requestLine.contains("/readyz") }
        }
        #expect(hasAsked, "it was not asked")
        #expect(try gateway.call(request).status == 503)
        #expect(application.takeReceived().isEmpty)
    }
}
