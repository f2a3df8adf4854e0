import Quash
import QuashHTTP
import TestSupport
import Testing

@testable import QuashServer

/// Somebody takes revocations out of the live set, and leaves it as readable as it was. No node that has read it looks
/// again, and one that starts cannot know what it should find: the issuers do.
@Suite struct MissingRevocationTests {
    @Test(arguments: ["HDEL", "SETRANGE"])
    func S2_whatTheLiveSetLacksIsRestored(way: String) throws {
        let events = LogRecorder()
        let fleet = try Fleet(
            validators: 1, settings: Fleet.shortLease, liveSetInterval: .milliseconds(200), log: events.logger)
        try fleet.waitUntilReady()
        let revoked = try fleet.signIn("alice")
        #expect(try fleet.logout(revoked.access).status == .ok)
        let epoch = try fleet.epoch()
        let chunk = try #require(try fleet.redis.cli("KEYS", "{quash}:live:*").split(separator: "\n").first)
        if way == "HDEL" {
            let period = try #require(chunk.split(separator: ":").dropLast().last)
            try fleet.redis.cli("HDEL", "{quash}:live", String(period))
        } else {
            // Another identifier in the place of the one that is revoked.
            try fleet.redis.cli("SETRANGE", String(chunk), "1", "other identifi.")
        }
        #expect(poll(within: .seconds(20)) { (try? fleet.epoch()).map { $0 != epoch } ?? false })
        #expect(events.lines.all.contains { $0.message == LoggedEvent.feedMissing.text })
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: revoked.access) == [401, 401])
        let good = try fleet.signIn("bob")
        #expect(try fleet.allAnswer(204, for: good.access))
        let page = try fleet.web.call(.get, fleet.adminURL + "/metrics").text
        #expect(page.contains("quash_epochs_damaged_total{cause=\"missing\"} 1\n"))
    }
}
