import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// The whole path, through real sockets, a real Redis, an issuer and three validators.
@Suite struct WholePathTests {
    @Test func signInIsAcceptedEverywhereAndLogoutIsRefusedEverywhere() throws {
        let fleet = try Fleet(validators: 3)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        #expect(try fleet.statuses(of: pair.access) == [204, 204, 204])
        let other = try fleet.signIn("bob")

        let logout = try fleet.logout(pair.access)
        #expect(logout.status == .ok)
        #expect(logout.json?["status"]?.string == "stored")
        let begun = ContinuousClock.now
        #expect(try fleet.allAnswer(401, for: pair.access))
        print("refused by three validators \((ContinuousClock.now - begun) / .milliseconds(1)) ms after the logout")
        #expect(try fleet.statuses(of: other.access) == [204, 204, 204])
        #expect(try fleet.refresh(pair.refresh).status == .badRequest)
    }
}
