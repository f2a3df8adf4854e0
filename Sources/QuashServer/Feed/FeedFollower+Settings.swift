import Quash
import QuashRedis

extension FeedFollower {
    struct Settings {
        var redis: RedisOptions
        /// Registered as `<node>/<boot>`, where `boot` is made anew for each process. An issuer's begins with
        /// ``Registry/issuerPrefix``.
        var node: String
        var feed: Feed.Settings
        var maxRevocations: Int
        var clockSkew: Duration
        /// How far the civil clock may be from that of Redis.
        var maxClockDeviation: Duration = .seconds(1)
        /// All decisions that this process has made; nil where it makes none.
        var decisions: (@Sendable () -> UInt64)?
        /// Both clocks; a test sets them.
        var clock: @Sendable () -> ClockReading = ClockReading.now
    }
}
