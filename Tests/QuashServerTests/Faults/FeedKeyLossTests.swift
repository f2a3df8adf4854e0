import Quash
import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// Somebody deletes a key of the feed, or what Redis knows of the scripts.
@Suite struct FeedKeyLossTests {
    @Test(arguments: ["{quash}:epoch", "{quash}:seq", "{quash}:log", "{quash}:live", "{quash}:nodes", "a chunk"])
    func theLossOfAnyKeyRevivesNothingAndStopsNothing(name: String) throws {
        let fleet = try Fleet(validators: 2, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let revoked = try fleet.signIn("alice")
        let good = try fleet.signIn("bob")
        let later = try fleet.signIn("carol")
        #expect(try fleet.logout(revoked.access).status == .ok)
        #expect(try fleet.allAnswer(401, for: revoked.access))

        let isChunk = name == "a chunk"
        let key =
            isChunk
            ? try #require(try fleet.redis.cli("KEYS", "{quash}:live:*").split(separator: "\n").first) : name[...]
        #expect(try fleet.redis.cli("DEL", String(key)) == "1")

        let position = try fleet.revokeUntilStored("{\"session\":\"\(later.session)\"}")
        try fleet.waitUntilApplied(position)
        #expect(try fleet.statuses(of: later.access) == [401, 401])
        #expect(try fleet.statuses(of: revoked.access) == [401, 401])
        #expect(try fleet.statuses(of: good.access) == [204, 204])

        // One that starts now becomes ready too. It refuses what is still in Redis.
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: later.access) == [401, 401, 401])
        #expect(try fleet.allAnswer(204, for: good.access))
        if !isChunk { #expect(try fleet.statuses(of: revoked.access) == [401, 401, 401]) }
    }

    @Test func scriptFlushIsNotNoticed() throws {
        let fleet = try Fleet(validators: 2, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let epoch = try fleet.epoch()
        try fleet.redis.cli("SCRIPT", "FLUSH")
        #expect(try fleet.refresh(pair.refresh).status == .ok)
        let position = try fleet.revokeUntilStored("{\"session\":\"\(pair.session)\"}")
        #expect(position.epoch == epoch)
        // Each says so in a renewal, which is a script.
        try fleet.waitUntilApplied(position)
        #expect(try fleet.statuses(of: pair.access) == [401, 401])
    }
}
