import Logging
import Quash
import QuashLoop

/// What an issuer does with entries that carry no seal of an issuer, while a secret is configured.
package enum UnsealedEntries: String, CaseIterable, Sendable {
    /// Mirrors and restores them as all others.
    case keep
    /// Leaves them to this Redis. Every issuer must seal what it writes: what one of them confirmed without a seal is
    /// in no other's outbox.
    case drop
}

/// Where an issuer's feed keeps what it receives, in addition to the index: its outbox. On the follower's loop.
final class FeedMirror {
    private let outbox: Outbox
    private let thread: LoopThread
    private let settings: Settings
    private let metrics: IssuerMetrics
    private let log: Logger
    private var limit = LineLimit()

    struct Settings: Sendable {
        /// How much longer than the revocation of a session it is remembered that the session has ended, where neither
        /// the feed nor the outbox knows that better: for as long as a refresh token lives.
        var sessionRetention: Duration
        /// Recognises what issuers wrote; nil when no secret is configured.
        var seal: FeedSeal?
        var unsealed = UnsealedEntries.keep
        /// For other threads: the outbox has not everything of the feed.
        let hasDropped = Locked(false)
    }

    /// - Parameter thread: the follower's.
    init(in outbox: Outbox, on thread: LoopThread, _ settings: Settings, metrics: IssuerMetrics, log: Logger) {
        self.outbox = outbox
        self.thread = thread
        self.settings = settings
        self.metrics = metrics
        self.log = log
    }

    /// Keeps these records, or those of them that issuers wrote: then what anybody else did is gone with this Redis.
    ///
    /// - Returns: the ends of the sessions among them.
    func keep(_ records: [[UInt8]]) -> [SessionEnd] {
        // The feed has read them before.
        let entries = records.flatMap { (try? FeedEntry.decode($0, seal: settings.seal)) ?? [] }
        let unsealed = entries.count { !$0.isGenuine }
        if unsealed > 0 { report(unsealed) }
        let kept = settings.unsealed == .drop ? entries.filter(\.isGenuine) : entries
        if kept.count < entries.count { settings.hasDropped.withLock { $0 = true } }
        let ends = kept.compactMap { $0.end ?? end($0.revocation) }
        outbox.mirror(kept.map(\.revocation), ends: ends)
        return ends
    }

    /// The end of the session that a revocation names; nil when it names none, or only a part of its tokens.
    private func end(_ revocation: Revocation) -> SessionEnd? {
        guard revocation.key.kind == .session, revocation.issuedBefore == nil else { return nil }
        let seconds = Int64(revocation.expiresAtSeconds) + settings.sessionRetention.components.seconds
        return SessionEnd(session: revocation.key, untilSeconds: UInt32(clamping: seconds))
    }

    private func report(_ count: Int) {
        metrics.received(unsealed: count)
        guard let suppressed = limit.admit() else { return }
        log.record(
            .feedUnsealed,
            ["entries": "\(count)", "unsealed": "\(settings.unsealed)", "suppressed": "\(suppressed)"])
    }

    /// Answers with the ends of all sessions of which a refresh token may still live.
    func ends(_ done: @escaping ([SessionEnd]) -> Void) {
        let done = LoopBound(done)
        outbox.readEnds { [thread] ends in thread.submit { _ in done.value(ends) } }
    }

    /// Answers whether all that was kept before is durable.
    func flush(_ done: @escaping (Bool) -> Void) {
        let done = LoopBound(done)
        outbox.flush { [thread] isDurable in thread.submit { _ in done.value(isDurable) } }
    }

    /// As ``RevocationIndex/Writer/discardTime()``.
    func discardTime() { outbox.discardTime() }
}
