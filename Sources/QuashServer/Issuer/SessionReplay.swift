import Logging
import Quash
import QuashJWT
import QuashLoop

/// Ends in the session store again, once in each epoch, every session that this issuer's outbox knows to have ended: a
/// Redis that lost its last writes has these sessions as they were before, and would take their refresh tokens. On the
/// issuer's loop.
///
/// The epoch does not wait for it. Until it is done, ``isComplete`` is false and no refresh token is taken.
final class SessionReplay {
    /// Sessions that are being ended at a time: less than the commands that may wait for Redis, so that requests are
    /// served meanwhile.
    static let maxInFlight = 256
    /// Before what failed is tried again.
    private static let retryInterval: Duration = .milliseconds(250)

    private let outbox: Outbox
    private let store: SessionStore
    private let home: LoopThread
    private let log: Logger
    private var timer: Timer?
    /// The epoch in which the store knows of every end, or is being told.
    private var epoch: Epoch?
    /// Whether the store knows of every end.
    var isComplete: Bool { remaining.withLock { $0 == 0 } }
    /// Sessions that are still to be ended again; nil while that is unknown.
    private let remaining: Locked<Int?>
    /// Counts the replays, because the outbox and the store answer in their own time.
    private var run: UInt64 = 0
    private var waiting: [SessionEnd] = []
    private var inFlight = 0
    /// Something failed, and is tried again by the timer.
    private var isPausing = false
    private var begun = BootInstant.now
    private var total = 0

    /// - Parameter home: the thread of `loop`.
    /// - Parameter remaining: where to tell how many sessions are still to be ended again.
    init(
        outbox: Outbox, store: SessionStore, on loop: Loop, home: LoopThread, remaining: Locked<Int?>, log: Logger
    ) {
        self.remaining = remaining
        self.outbox = outbox
        self.store = store
        self.home = home
        self.log = log
        timer = Timer(on: loop) { [weak self] in
            self?.isPausing = false
            self?.proceed()
        }
        epoch = outbox.replayedEpoch
    }

    func close() {
        run += 1
        timer?.close()
    }

    /// Commits go to this epoch from now on.
    func entered(_ epoch: Epoch) {
        guard epoch != self.epoch else {
            // It is the one in which the process before this one was done.
            if remaining.withLock({ $0 }) == nil { remaining.withLock { $0 = 0 } }
            return
        }
        self.epoch = epoch
        remaining.withLock { $0 = nil }
        run += 1
        inFlight = 0
        begun = .now
        outbox.readEnds { [home, run, this = LoopBound(self)] ends in
            home.submit { _ in this.value.begin(ends, run) }
        }
    }

    private func begin(_ ends: [SessionEnd], _ run: UInt64) {
        guard run == self.run else { return }
        waiting = ends
        total = ends.count
        proceed()
    }

    private func proceed() {
        guard !isPausing else { return }
        while inFlight < Self.maxInFlight, let end = waiting.popLast() {
            guard let session = SessionID(end.session) else { continue }
            inFlight += 1
            store.end(session, now: ClockReading.now().wall) { [weak self, run] result in
                guard let self, run == self.run else { return }
                inFlight -= 1
                if case .failure = result {
                    waiting.append(end)
                    isPausing = true
                    timer?.start(after: Self.retryInterval)
                }
                proceed()
            }
        }
        let count = waiting.count + inFlight
        remaining.withLock { $0 = count }
        if count == 0 { complete() }
    }

    private func complete() {
        guard let epoch else { return }
        outbox.replayed(in: epoch)
        if total > 0 {
            log.record(
                .sessionsReplayed,
                ["sessions": "\(total)", "ms": "\((BootInstant.now - begun).wholeMilliseconds)"])
        }
    }
}
