import Quash
import QuashHTTP
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite struct EmbeddedNodeTests {
    private func outcome(_ validator: EmbeddedValidator, _ token: String) -> String {
        let bytes = Array(token.utf8)
        switch validator.validate(bytes.span) {
        case .accepted(let token): return token.claims.subject
        case .refused(let refusal): return refusal.name
        case .unavailable(let reason): return reason.rawValue
        }
    }

    @Test func aServiceValidatesInItsOwnProcess() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let configuration = try ValidatorConfiguration(
            arguments: [
                "--redis-url", fleet.redis.url, "--jwks-url",
                "http://\(fleet.issuer.addresses[0])/.well-known/jwks.json", "--node-id", "service",
            ], environment: [:])
        let node = try EmbeddedNode(configuration, log: Fleet.silent)
        let (one, other) = (try node.makeValidator(), try node.makeValidator())
        #expect(poll { node.isReady })
        let pair = try fleet.signIn()
        #expect(outcome(one, pair.access) == "alice")
        #expect(outcome(other, pair.access) == "alice")
        #expect(outcome(one, pair.access + "x") != "alice")

        // Confirmed: this node holds a lease, and has applied it.
        #expect(try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\",\"timeout\":\"30s\"}").status == .created)
        #expect(outcome(one, pair.access) == "revoked")
        #expect(outcome(other, pair.access) == "revoked")

        let another = try fleet.signIn("bob")
        #expect(outcome(one, another.access) == "bob")
        node.stop()
        #expect(!node.isReady)
        #expect(outcome(one, another.access) == "lease_ended")
    }

    @Test func withoutAFeedNothingIsAccepted() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let configuration = try ValidatorConfiguration(
            arguments: [
                "--redis-url", "unix:///nowhere/redis.sock", "--jwks-url",
                "http://\(fleet.issuer.addresses[0])/.well-known/jwks.json",
            ], environment: [:])
        let node = try EmbeddedNode(configuration, log: Fleet.silent)
        let validator = try node.makeValidator()
        #expect(outcome(validator, pair.access) == "no_keys" || outcome(validator, pair.access) == "lease_ended")
        #expect(poll { outcome(validator, pair.access) == "lease_ended" })
        node.stop()
    }
}
