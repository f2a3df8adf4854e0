import Quash
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// A node that starts while the feed holds more than its index may.
@Suite struct FullIndexStartTests {
    /// What expires within a day is cut, and nothing is refused that lives longer.
    @Test func itServesWhatLivesLonger() throws {
        let script = try ScriptCaller()
        try script.open()
        let now = UInt32(ClockReading.now().wall.seconds)
        // 3,000 revocations, expiring evenly over the next 10 hours; the ceiling is 2,000.
        let all = (0..<3000).map { Revocation.token($0, expiresAtSeconds: now + 600 + UInt32($0) * 12) }
        for start in stride(from: 0, to: all.count, by: 100) {
            guard case .stored = try script.revoke(Array(all[start..<start + 100])) else {
                throw TestSupportError("not stored")
            }
        }
        let settings = FeedFollower.Settings(
            redis: try RedisOptions(url: RedisURL(script.redis.url)), node: "node",
            feed: Feed.Settings(lease: .seconds(5), renewInterval: .milliseconds(100)),
            maxRevocations: 2000, clockSkew: .zero)
        let feed = try FeedThread(settings: settings, log: Fleet.silent)
        defer { feed.leave {}; feed.join() }
        let held = poll(within: .seconds(25)) { feed.lease.holds(at: .now()) }
        #expect(held, "halted: \(feed.status.snapshot.halted ?? "-")")
    }
}
