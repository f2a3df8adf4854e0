import Glibc
import QuashHTTP
import QuashProcess
import TestSupport
import Testing

@testable import QuashServer

private let exampleService = unsafe getenv("QUASH_EXAMPLE_SERVICE").map { unsafe String(cString: $0) }

/// The service of `docker/examples/service`, as a process of its own; `scripts/examples` builds it and asks for this.
@Suite(.serialized, .enabled(if: exampleService != nil))
struct EmbeddedServiceTests {
    private let fleet: Fleet
    private let service: ChildProcess
    private let address: String

    init() throws {
        fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let port = try freePort()
        address = "http://127.0.0.1:\(port)"
        service = try ChildProcess([
            exampleService ?? "", "\(port)", "--redis-url", fleet.redis.url, "--node-id", "service", "--jwks-url",
            "\(fleet.publicURL)/.well-known/jwks.json",
        ])
        let isReady = poll(within: .seconds(20)) { [fleet, address] in
            (try? fleet.web.call(.get, "\(address)/ready").status) == .ok
        }
        guard isReady else { throw TestSupportError("the service does not become ready: \(service.output)") }
    }

    private func hello(_ authorization: String...) throws -> HTTPResponse {
        var fields = FieldLines()
        for value in authorization { fields.append("Authorization", value) }
        return try fleet.web.call(.get, "\(address)/hello", fields: fields)
    }

    @Test func itServesWhoHasAGoodTokenUntilThatIsRevoked() throws {
        let none = try hello()
        #expect(none.status == .unauthorized)
        #expect(none.firstValue(of: "www-authenticate") == "Bearer")
        let bad = try hello("Bearer nonsense")
        #expect(bad.status == .unauthorized)
        #expect(bad.firstValue(of: "www-authenticate") == "Bearer error=\"invalid_token\"")

        let pair = try fleet.signIn()
        let good = try hello("Bearer \(pair.access)")
        #expect(good.status == .ok)
        #expect(good.text == "hello alice\n")
        #expect(try hello("Bearer \(pair.access)", "Bearer \(pair.access)").status == .unauthorized)
        #expect(try hello("Bearer \(pair.refresh)").status == .unauthorized)

        // Confirmed: then no other answer is possible, by however many at once it is asked.
        #expect(try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\",\"timeout\":\"30s\"}").status == .created)
        let field: FieldLines = ["Authorization": "Bearer \(pair.access)"]
        let asked = try (1...50).map { _ in
            HTTPClient.Request(.get, try HTTPURL("\(address)/hello"), fields: field, timeout: .seconds(10))
        }
        #expect(try fleet.web.all(asked).allSatisfy { $0.status == .unauthorized })
    }

    @Test func itRefusesNobodyForGoodWhenRedisIsAway() throws {
        let pair = try fleet.signIn()
        #expect(try hello("Bearer \(pair.access)").status == .ok)
        fleet.redis.kill9()
        #expect(
            poll(within: .seconds(20)) { (try? hello("Bearer \(pair.access)").status) == .serviceUnavailable })
        let answer = try hello("Bearer \(pair.access)")
        #expect(answer.status == .serviceUnavailable)
        #expect(answer.firstValue(of: "retry-after") == "1")
        #expect(try fleet.web.call(.get, "\(address)/ready").status == .serviceUnavailable)
    }

    @Test func itGivesItsLeaseBackWhenItEnds() throws {
        #expect(try fleet.registry()?.nodes.contains { $0.name.hasPrefix("service") } == true)
        service.signal(SIGTERM)
        #expect(try service.waitForExit(within: .seconds(20)) == .code(0))
        #expect(try fleet.registry()?.nodes.contains { $0.name.hasPrefix("service") } == false)
    }
}
