import Glibc
import QuashLoop
import TestSupport
import Testing

/// What a client hears when nothing can be decided: 503, and nothing that it would take for a refusal.
@Suite("A gateway without a decision", .enabled(if: Environment.runs), .serialized)
struct OutageTests {
    private typealias Site = DecisionTests.Site

    private func expectUnavailable(
        _ site: DecisionTests.Site, _ token: String?, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        _ = site.application.takeReceived()
        let answer = try site.gateway.call(GatewayRequest(token: token))
        #expect(answer.status == 503, sourceLocation: sourceLocation)
        #expect(answer.values(of: "www-authenticate").isEmpty, sourceLocation: sourceLocation)
        if site.gateway.kind.saysWhenToRetry {
            #expect(answer.values(of: "retry-after") == ["1"], sourceLocation: sourceLocation)
            #expect(answer.values(of: "cache-control") == ["no-store"], sourceLocation: sourceLocation)
        }
        #expect(site.application.takeReceived().isEmpty, "the application was asked", sourceLocation: sourceLocation)
    }

    @Test("A lease that has ended is 503, and over when Redis is back", arguments: Environment.kinds)
    func aLeaseThatHasEnded(kind: GatewayKind) throws {
        let site = try Site(kind, settings: ["--lease", "1s", "--renew-interval", "200ms"])
        let token = try site.waitUntilServing().access
        site.fleet.redis.kill9()
        // Good until then, and never anything else than good and unavailable.
        var statuses: Set<Int> = []
        let hasEnded = try poll(within: .seconds(20)) {
            let status = try site.gateway.status(token)
            statuses.insert(status)
            return status == 503
        }
        #expect(hasEnded && statuses == [200, 503], "\(statuses)")
        try expectUnavailable(site, token)
        try site.fleet.redis.restart()
        #expect(try poll(within: .seconds(20)) { try site.gateway.status(token) == 200 })
    }

    @Test("A validator that is not there is 503 to everyone, until it is back", arguments: Environment.kinds)
    func aValidatorThatIsGone(kind: GatewayKind) throws {
        let site = try Site(kind)
        let token = try site.waitUntilServing().access
        let validator = site.fleet.validators[0]
        validator.kill()
        for token in [token, "x", nil] { try expectUnavailable(site, token) }
        try validator.start()
        #expect(try poll(within: .seconds(20)) { try site.gateway.status(token) == 200 })
        #expect(try site.gateway.status("x") == 401)
    }

    @Test("A validator that takes connections and never answers is 503 to everyone", arguments: Environment.kinds)
    func aValidatorThatHangs(kind: GatewayKind) throws {
        let site = try Site(kind)
        let token = try site.waitUntilServing().access
        site.fleet.validators[0].pause()
        for token in [token, "x", nil] { try expectUnavailable(site, token) }
        site.fleet.validators[0].resume()
        #expect(try poll(within: .seconds(20)) { try site.gateway.status(token) == 200 })
    }

    @Test("A validator that takes its time is waited for", arguments: Environment.kinds)
    func aValidatorThatIsSlow(kind: GatewayKind) throws {
        let application = try RawServer()
        let validator = try RawServer { request in
            if !request.requestLine.contains("/readyz") { usleep(300_000) }
            return RawServer.acceptance
        }
        let gateway = try RunningGateway(kind, validators: [validator.endpoint], application: application.port)
        var statuses: Set<Int> = []
        _ = try poll(within: .seconds(20)) {
            statuses.insert(try gateway.status("x"))
            return validator.takeReceived().contains { !$0.requestLine.contains("/readyz") }
        }
        // A gateway that has looked after its health, perhaps by now, says 503 until then and nothing else.
        #expect(statuses.isSubset(of: [200, 503]))
        #expect(try gateway.status("x") == 200)
    }

    @Test(
        "Of three validators one is gone and one hangs: the third decides",
        arguments: Environment.kinds)
    func othersAreAsked(kind: GatewayKind) throws {
        let site = try Site(kind, validators: 3)
        let session = try site.waitUntilServing()
        site.fleet.validators[0].kill()
        // What is lost in the moment before a gateway notices is what the tests of one validator show.
        #expect(try poll(within: .seconds(20)) { try site.gateway.status(session.access) == 200 })
        site.fleet.validators[1].pause()
        let isServed = try poll(within: .seconds(20)) {
            try (0..<20).allSatisfy { _ in try site.gateway.status(session.access) == 200 }
        }
        #expect(isServed)
        #expect(try site.gateway.status("x") == 401)
        try site.fleet.revoke(session)
        #expect(try poll { try site.gateway.status(session.access) == 401 })
    }
}
