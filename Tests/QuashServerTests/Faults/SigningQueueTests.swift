import QuashHTTP
import QuashJWT
import QuashLoop
import TestSupport
import Testing

@testable import QuashServer

/// More sign-ins and refreshes than can be signed: those within the limit are served, those beyond are told at once
/// to come again, and lose nothing by it.
@Suite struct SigningQueueTests {
    @Test func whatIsBeyondTheQueueIsRefusedAtOnceAndLosesNothing() throws {
        // Without a grace, a refresh token that was spent for nothing could not be used again.
        let fleet = try Fleet(validators: 0, issuerSettings: ["--rotation-grace", "0s"])
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let (free, beyond) = (3, 5)
        let gate = Gate()
        defer { gate.open() }
        try gate.hold(fleet.issuer.pool, allBut: free)

        let replies = Recorder<Result<HTTPResponse, HTTPError>>()
        let thread = try LoopThread(name: "test-web")
        defer {
            thread.stop()
            thread.join()
        }
        let requests = try (0..<free + beyond).map { try Self.signInRequest(fleet, subject: "user-\($0)") }
        thread.submit { loop in
            for request in requests { HTTPClient(on: loop).send(request) { replies.record($0) } }
        }
        for refused in try replies.wait(count: beyond) { try refused.get().expectUnavailable() }

        // The queue is full now, of jobs that go on only when the gate is opened.
        try fleet.refresh(pair.refresh).expectUnavailable()
        try fleet.admin(.post, "/admin/v1/sessions", #"{"sub":"bob"}"#).expectUnavailable()
        #expect(try fleet.sessions(of: "bob").isEmpty, "a session that nobody has tokens of")
        #expect(try !fleet.keySet().keys.isEmpty, "what needs no signature is served")
        #expect(replies.all.count == beyond, "one of those within the limit was answered without a signature")

        gate.open()
        let all = try replies.wait(count: free + beyond)
        let served = try all.filter { try $0.get().status == .ok }
        #expect(served.count == free)
        for reply in served { _ = try Fleet.tokens(reply.get()) }

        // All places are free again, and the refresh token is unspent.
        #expect(poll { gate.countFree(fleet.issuer.pool) == fleet.issuer.pool.maxJobs })
        _ = try Fleet.tokens(fleet.refresh(pair.refresh))
        _ = try fleet.signIn("bob")
    }

    /// A refresh that is refused takes no place with it, whatever it is refused for.
    @Test func aRefusedRefreshGivesItsPlaceBack() throws {
        let fleet = try Fleet(validators: 0, issuerSettings: ["--rotation-grace", "0s"])
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        #expect(try fleet.refresh(pair.refresh).status == .ok)
        // Reused, and then ended.
        for _ in 0..<3 { #expect(try fleet.refresh(pair.refresh).isInvalidGrant) }
        let lost = try fleet.signIn()
        try fleet.redis.cli("DEL", "quash:session:{\(lost.session)}")
        #expect(try fleet.refresh(lost.refresh).isInvalidGrant)
        #expect(poll { Gate().countFree(fleet.issuer.pool) == fleet.issuer.pool.maxJobs })
    }

    private static func signInRequest(_ fleet: Fleet, subject: String) throws -> HTTPClient.Request {
        HTTPClient.Request(
            .post, try HTTPURL(fleet.adminURL + "/admin/v1/sessions"),
            fields: ["Authorization": "Bearer \(Fleet.adminToken)"], body: Array("{\"sub\":\"\(subject)\"}".utf8),
            timeout: .seconds(30))
    }
}

/// Jobs that keep the threads of a pool, and the places in its queue, until it is opened.
private final class Gate: Sendable {
    private let semaphore = Semaphore()

    /// Takes all places of an idle pool but some.
    func hold(_ pool: SigningPool, allBut free: Int) throws {
        for _ in 0..<pool.maxJobs - free {
            guard let place = pool.place() else { throw TestSupportError("the pool is not idle") }
            pool.run(in: place) { [semaphore] in
                semaphore.wait()
                // For whoever waits next.
                semaphore.signal()
            } done: { _, _ in
            }
        }
    }

    func open() { semaphore.signal() }

    /// Places that nobody has.
    func countFree(_ pool: SigningPool) -> Int {
        var places: [SigningPlace] = []
        while places.count <= pool.maxJobs, let place = pool.place() { places.append(place) }
        return places.count
    }
}
