import TestSupport
import Testing

@Suite("Validators are restarted, one after the other", .enabled(if: Environment.runs), .serialized)
struct RollingRestartTests {
    /// Restarts each of the validators behind a gateway under load, as often as `rounds` says.
    static func run(_ kind: GatewayKind, rounds: Int, isUnix: Bool = false) throws -> GatewayLoad.Outcome {
        let site = try DecisionTests.Site(kind, validators: 3, settings: ["--drain", "2s"], isUnix: isUnix)
        let session = try site.waitUntilServing()
        let load = GatewayLoad(port: site.gateway.port, token: session.access, clients: 4)
        for _ in 0..<rounds {
            for validator in site.fleet.validators {
                try load.waitForAnswers(300)
                try validator.end()
                try load.waitForAnswers(300)
                try validator.start()
                try validator.waitUntilReady()
                // Who is ready is asked again after a health check at the latest.
                try load.waitForAnswers(300)
            }
        }
        return load.stop()
    }

    @Test("No client notices, over TCP and on unix sockets", arguments: Environment.kinds, [false, true])
    func noClientNotices(kind: GatewayKind, isUnix: Bool) throws {
        let outcome = try Self.run(kind, rounds: 1, isUnix: isUnix)
        #expect(outcome.statuses.keys.sorted() == [200], "\(outcome.statuses)")
    }

    enum Loss: CaseIterable {
        /// It takes connections for as long as the kernel does it for it, and no health check has missed it yet.
        case hangs
        case isKilled
    }

    @Test("One of several that hangs or is killed refuses no client", arguments: Environment.kinds, Loss.allCases)
    func oneIsLost(kind: GatewayKind, loss: Loss) throws {
        let site = try DecisionTests.Site(kind, validators: 3)
        let session = try site.waitUntilServing()
        let load = GatewayLoad(port: site.gateway.port, token: session.access, clients: 4)
        try load.waitForAnswers(300)
        switch loss {
        case .hangs: site.fleet.validators[1].pause()
        case .isKilled: site.fleet.validators[1].kill()
        }
        try load.waitForAnswers(1000)
        if loss == .hangs { site.fleet.validators[1].resume() }
        try load.waitForAnswers(300)
        let outcome = load.stop()
        #expect(outcome.statuses.keys.sorted() == [200], "\(outcome.statuses)")
    }

    /// Its health checks say that it is well, as they do in the moment after a lease has ended.
    @Test("One of several that has no lease is not noticed", arguments: Environment.kinds)
    func oneWithoutALease(kind: GatewayKind) throws {
        let fleet = try GatewayFleet()
        let other = try RawServer { request in
            let status = request.requestLine.contains("/readyz") ? "200 OK" : "503 Service Unavailable"
            return .send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
        }
        let application = try RawServer()
        let gateway = try RunningGateway(
            kind, validators: [other.endpoint] + fleet.endpoints, application: application.port)
        let token = try fleet.signIn("alice").access
        #expect(try poll(within: .seconds(20)) { try gateway.status(token) == 200 })
        let load = GatewayLoad(port: gateway.port, token: token, clients: 4)
        try load.waitForAnswers(1000)
        let outcome = load.stop()
        if kind.asksAnotherAfter503 {
            #expect(outcome.statuses.keys.sorted() == [200], "\(outcome.statuses)")
        } else {
            #expect(Set(outcome.statuses.keys) == [200, 503] && outcome.statuses[503, default: 0] < 50)
        }
        #expect(other.takeReceived().contains { !$0.requestLine.contains("/readyz") }, "it was not asked")
    }

    /// nginx has no health checks.
    @Test("Those that say they are not ready are not asked", arguments: Environment.kinds.filter { $0 != .nginx })
    func thoseThatAreNotReady(kind: GatewayKind) throws {
        let fleet = try GatewayFleet()
        // More than half: Envoy believes no health check then, unless it is told.
        let others = try (0..<2).map { _ in
            try RawServer { _ in .send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n") }
        }
        let application = try RawServer()
        let gateway = try RunningGateway(
            kind, validators: others.map(\.endpoint) + fleet.endpoints, application: application.port)
        let token = try fleet.signIn("alice").access
        // For longer than one that failed is left alone for that.
        func isAsked() throws -> Bool {
            let end = ContinuousClock.now + .milliseconds(1500)
            for other in others { _ = other.takeReceived() }
            while ContinuousClock.now < end {
                guard try gateway.status(token) == 200 else { return true }
            }
            return others.flatMap { $0.takeReceived() }.contains { !$0.requestLine.contains("/readyz") }
        }
        #expect(try poll(within: .seconds(10)) { try !isAsked() })
    }
}
