import Logging
import Quash
import QuashLoop
import QuashRedis

/// The feed of one process on a thread of its own, with the index and the lease that it keeps.
final class FeedThread: Sendable {
    let index = RevocationIndex()
    let lease = Lease()
    let status: FeedStatus
    let metrics = FeedMetrics()
    let tokensAhead: TokensAhead
    let thread: LoopThread
    private let follower: LoopBound<Box>
    private let clock: @Sendable () -> ClockReading

    private final class Box {
        var follower: FeedFollower?
    }

    /// - Parameter status: where the feed tells of itself.
    /// - Parameter mirror: where an issuer keeps what it receives; made on the feed's thread.
    /// - Parameter recoveryNeeded: called on the feed's thread when no epoch is open.
    /// - Parameter keysChanged: called on the feed's thread when an issuer says that its keys may have changed.
    /// - Parameter leaseBegan: called on the feed's thread when a lease is granted after there was none.
    init(
        settings: FeedFollower.Settings, status: FeedStatus = FeedStatus(),
        mirror: (@Sendable (_ thread: LoopThread) -> FeedMirror)? = nil, log: Logger,
        recoveryNeeded: @escaping @Sendable () -> Void = {}, keysChanged: @escaping @Sendable () -> Void = {},
        leaseBegan: @escaping @Sendable () -> Void = {}
    ) throws(LoopError) {
        self.status = status
        clock = settings.clock
        tokensAhead = TokensAhead(log)
        thread = try LoopThread(name: "quash-feed")
        follower = LoopBound(Box())
        metrics.observe(index: index, maxRevocations: settings.maxRevocations, lease: lease, status: status)
        thread.submit { [thread, follower, index, lease, status, metrics] loop in
            let feed = FeedFollower(
                on: loop, settings: settings, index: index, lease: lease, status: status, metrics: metrics, log: log)
            feed.recoveryNeeded = recoveryNeeded
            feed.keysChanged = keysChanged
            feed.leaseBegan = leaseBegan
            feed.mirror = mirror?(thread)
            follower.value.follower = feed
            feed.start()
        }
    }

    /// Gives the lease back and ends the thread.
    ///
    /// - Parameter done: called on the feed's thread, before it ends.
    func leave(done: @escaping @Sendable () -> Void) {
        let isRunning = thread.submit { [thread, follower] _ in
            guard let feed = follower.value.follower else { return done() }
            feed.leave {
                follower.value.follower = nil
                done()
                thread.stop()
            }
        }
        if !isRunning { done() }
    }

    /// Waits until the thread has ended, after ``leave(done:)``.
    func join() { thread.join() }

    /// The conditions of readiness that the feed is answerable for.
    var health: [HealthCheck] {
        let (now, reading) = (status.snapshot, clock())
        return [
            HealthCheck("redis", problem: now.isConnected ? now.unfitServer : "not connected"),
            HealthCheck("clock", problem: now.clock.problem(at: reading)),
            HealthCheck("feed", problem: now.halted ?? (now.position == nil ? "not caught up" : nil)),
            HealthCheck("lease", problem: lease.holds(at: reading) ? nil : "not held: every token is answered 503"),
        ]
    }
}

extension FeedFollower.Settings {
    init(_ configuration: SharedConfiguration, redis: RedisOptions) {
        self.init(
            redis: redis, node: configuration.nodeID,
            feed: Feed.Settings(lease: configuration.lease, renewInterval: configuration.renewInterval),
            maxRevocations: configuration.maxRevocations, clockSkew: configuration.clockSkew,
            maxClockDeviation: configuration.maxClockDeviation)
    }
}
