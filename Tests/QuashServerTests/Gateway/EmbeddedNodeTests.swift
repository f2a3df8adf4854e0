import Quash
import QuashHTTP
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite struct EmbeddedNodeTests {
    private func outcome(_ validator: EmbeddedValidator, _ token: String) -> String {
        let bytes = Array(token.utf8)
        return name(validator.validate(bytes.span))
    }

    private func embed(_ fleet: Fleet, _ more: [String] = []) throws -> EmbeddedNode {
        let settings =
            [
                "--redis-url", fleet.redis.url, "--jwks-url", "\(fleet.publicURL)/.well-known/jwks.json", "--node-id",
                "service",
            ] + more
        return try EmbeddedNode(ValidatorConfiguration(arguments: settings, environment: [:]), log: Fleet.silent)
    }

    @Test func aServiceValidatesInItsOwnProcess() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let node = try embed(fleet)
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

    /// Calls of many threads at once take a validator each: what one of them was told, none of them accepts.
    @Test func everyThreadIsToldTheSame() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let node = try embed(fleet)
        #expect(poll { node.isReady })
        let (good, revoked) = (Array(try fleet.signIn("bob").access.utf8), Array(try fleet.signIn().access.utf8))
        #expect(name(node.validate(revoked.span)) == "alice")
        #expect(try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\",\"timeout\":\"30s\"}").status == .created)
        let answers = Recorder<Set<String>>()
        let threads = (0..<8).map { _ in
            TestThread {
                var seen: Set<String> = []
                for _ in 0..<2_000 {
                    seen.insert(name(node.validate(good.span)))
                    seen.insert(name(node.validate(revoked.span)))
                }
                answers.record(seen)
            }
        }
        for thread in threads { thread.join() }
        #expect(try answers.wait(count: 8).allSatisfy { $0 == ["bob", "revoked"] })
        node.stop()
        #expect(name(node.validate(good.span)) == "lease_ended")
    }

    /// A process of many threads: no number of them is too great.
    @Test func hundredsOfThreadsMayDecideAtTheSameTime() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let node = try embed(fleet, ["--token-cache", "0"])
        #expect(poll { node.isReady })
        let validators = try (0..<300).map { _ in try node.makeValidator() }
        let token = try fleet.signIn("bob").access
        #expect(validators.allSatisfy { outcome($0, token) == "bob" })
        #expect(try fleet.revoke("{\"sub\":\"bob\",\"wait\":\"confirmed\",\"timeout\":\"30s\"}").status == .created)
        #expect(validators.allSatisfy { outcome($0, token) == "revoked" })
        let bytes = Array(token.utf8)
        #expect(name(node.validate(bytes.span)) == "revoked")
        node.stop()
    }

    /// A service that forks when it has opened its node, as servers with a process for each core do.
    @Test func aForkedChildAcceptsNothingAndItsParentGoesOn() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let node = try embed(fleet)
        let validator = try node.makeValidator()
        #expect(poll { node.isReady })
        let token = Array(try fleet.signIn("bob").access.utf8)
        #expect(name(node.validate(token.span)) == "bob")
        #expect(name(validator.validate(token.span)) == "bob")
        let status = try inForkedChild {
            if name(node.validate(token.span)) != "lease_ended" { return 1 }
            if name(validator.validate(token.span)) != "lease_ended" { return 2 }
            if node.isReady { return 3 }
            // Waits for no thread that is not there, and gives back nothing that is its parent's.
            node.stop()
            return 0
        }
        #expect(status == 0)
        // A child that lets go of it, and makes one of its own.
        var inherited: EmbeddedNode? = try embed(fleet)
        let own = try inForkedChild {
            inherited = nil
            guard let node = try? embed(fleet), poll({ node.isReady }) else { return 1 }
            let isAccepted = name(node.validate(token.span)) == "bob"
            node.stop()
            return isAccepted && name(node.validate(token.span)) == "lease_ended" ? 0 : 2
        }
        #expect(own == 0)
        inherited?.stop()
        #expect(name(node.validate(token.span)) == "bob")
        #expect(node.isReady)
        node.stop()
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

private func name(_ verdict: Verdict) -> String {
    switch verdict {
    case .accepted(let token): token.claims.subject
    case .refused(let refusal): refusal.name
    case .unavailable(let reason): reason.rawValue
    }
}
