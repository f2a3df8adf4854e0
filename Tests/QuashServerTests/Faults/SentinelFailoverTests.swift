import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// A whole fleet behind sentinels.
@Suite struct SentinelFailoverTests {
    @Test func aFleetFollowsTheMasterAndForgetsNothing() throws {
        let trio = try SentinelTrio.start()
        let fleet = try Fleet(validators: 2, behind: trio)
        try fleet.waitUntilReady()
        let alice = try fleet.signIn("alice")
        let bob = try fleet.signIn("bob")
        #expect(try fleet.logout(bob.access).status == .ok)
        #expect(try fleet.allAnswer(401, for: bob.access))

        fleet.redis.kill9()
        _ = try trio.waitForMaster(otherThan: fleet.redis)
        // Until the issuer has found the promoted one, and opened an epoch there, it answers 503.
        #expect(try poll(within: .seconds(20)) { try fleet.logout(alice.access).status == .ok })
        #expect(try fleet.allAnswer(401, for: alice.access))
        #expect(try fleet.statuses(of: bob.access) == [401, 401])
        let carol = try fleet.signIn("carol")
        #expect(try fleet.allAnswer(204, for: carol.access))
    }
}
