/// The writing side of the feed, as a pure state machine: events and time in, actions out.
///
/// A revocation is first made durable in this issuer's own outbox, then committed to Redis, then answered. So when
/// Redis loses its data, every revocation that was answered can be restored: a **run** (`RecoveryRun`) commits all of
/// the outbox that the live set lacks. A new epoch grants leases only when every issuer has made one (invariant S5).
///
/// A run is made when the connection is new, when no epoch is there, and after a commit of which nobody knows whether
/// it was stored.
///
/// The driver carries out the actions in the order given, and passes every answer to what it did.
public struct FeedWriter: Sendable {
    /// Who writes.
    public struct Settings: Sendable {
        /// All issuers of the feed, this one among them.
        public let issuers: [String]
        /// How long a Redis that was replaced may go on serving.
        public let fence: Duration

        /// `issuers` are all that write to the feed; this one is one of them whether it is named or not.
        public init(issuer: String, issuers: [String], fence: Duration = .zero) {
            self.fence = fence
            self.issuers = issuers.contains(issuer) ? issuers : issuers + [issuer]
        }
    }

    /// Tells one request for a commit from another.
    public typealias ID = UInt64

    /// What the driver has to do.
    public enum Action: Equatable, Sendable {
        /// Make these durable, then call ``FeedWriter/persisted(_:now:)``.
        case persist(ID, Commit)
        case commit(ID, Commit, Epoch)
        case answer(ID, Outcome)
        /// Begin an epoch unless one is there. One that is `over` does not count: it ends by this, and its `unreadable`
        /// periods are deleted. Not when the last ended because its data was damaged, unless it may follow that.
        case begin(over: Epoch?, unreadable: [UInt32] = [], followsDamage: Bool = true)
        /// Make durable that this epoch was entered: those before it are never written to again.
        case persistEpoch(Epoch)
        /// This epoch is where commits go from now on. Nothing is confirmed in it until the leases of the one before
        /// have ended.
        case entered(Epoch, lease: Duration, fence: Duration)
        /// Call ``FeedWriter/outboxRead(_:run:now:)`` with this run's number.
        case readOutbox(run: UInt64)
        case readDirectory
        case read(LivePage)
        /// Commit a part of what the outbox holds and the live set lacks.
        case restore([Revocation], Epoch)
        case declareRestored(Epoch, excused: [String])
        /// Call ``FeedWriter/deadlineReached(now:)`` then; replaces an earlier wish.
        case wake(at: BootInstant)
        case report(Event)
    }

    /// How often the epoch may turn out to be another before a caller is told to come back later.
    static let maxAttempts = 3
    /// Epochs that are remembered: of these none but the latest is written to.
    public static let maxEntered = 64
    static let retryInterval: Duration = .milliseconds(250)

    private enum Phase: Equatable {
        case persisting
        case waiting
        case sent
    }

    private struct Pending {
        let commit: Commit
        var phase = Phase.persisting
        var attempts = 0
    }

    /// Who writes.
    public let settings: Settings
    private var pending: [ID: Pending] = [:]
    private var nextID: ID = 1
    private var isConnected = false
    /// Where commits go; nil while that is not known.
    private(set) var epoch: Epoch?
    /// Every epoch that was ever entered, the latest last.
    private var entered: [Epoch]
    private var run: RecoveryRun?
    /// Counts the runs, because the outbox answers in its own time.
    private var runNumber: UInt64 = 0
    var isSettled: Bool { run == nil && !isDirty }
    /// Something of the outbox may not be in the feed.
    private var isDirty = true
    /// A run was not possible, and the next is begun by the deadline.
    private var isRetrying = false
    private var excused: [String] = []
    /// The epoch whose data this issuer found to be damaged, until another is there.
    var ending: (epoch: Epoch, how: EpochDamage, unreadable: [UInt32])?
    var pace: EpochPace
    var failures = RepeatedFailures()
    /// An epoch that this issuer had left, and since when Redis serves it on this connection.
    private var superseded: (epoch: Epoch, since: BootInstant)?
    /// When the latest epoch was entered first by this process, or when the process began.
    private var enteredAt: BootInstant
    /// How long a Redis that is replaced may go on serving, by this issuer's settings and by every epoch that it knew.
    private var fence: Duration

    /// `entered` are the epochs that this issuer has entered, the latest last, as the outbox knows them; `seed` is that
    /// of the jitter between epochs that follow damage.
    public init(settings: Settings, entered: [Epoch], now: BootInstant, seed: UInt64 = 0) {
        pace = EpochPace(seed: seed)
        self.settings = settings
        self.entered = entered
        enteredAt = now
        fence = settings.fence
    }

    // MARK: Commits

    /// Commits what a caller asks for; ``Action/answer(_:_:)`` with the same identifier follows.
    public mutating func publish(_ commit: Commit) -> (ID, [Action]) {
        let id = nextID
        nextID += 1
        pending[id] = Pending(commit: commit)
        return (id, [.persist(id, commit)])
    }

    /// The revocations of a commit are durable.
    public mutating func persisted(_ id: ID, now: BootInstant) -> [Action] {
        guard pending[id]?.phase == .persisting else { return [] }
        pending[id]?.phase = .waiting
        guard isConnected else { return giveUp(id) }
        return send(id, now)
    }

    /// They could not be made durable.
    public mutating func persistFailed(_ id: ID) -> [Action] {
        pending.removeValue(forKey: id) == nil ? [] : [.answer(id, .notDurable)]
    }

    /// A commit was answered.
    public mutating func committed(_ id: ID, _ reply: RevokeReply, now: BootInstant) -> [Action] {
        guard let waiting = pending[id], waiting.phase == .sent else { return [] }
        switch reply {
        case .stored(let position, let registry):
            pending[id] = nil
            failures.succeeded()
            return [.answer(id, .stored(position, registry))]
        case .elsewhere(let other):
            // It was sent before this issuer came to that epoch itself.
            return other == epoch ? send(id, now) : elsewhere(id, waiting.attempts + 1, now)
        case .recovering: return elsewhere(id, waiting.attempts + 1, now)
        case .displaced: return giveUp(id)
        }
    }

    /// A commit failed: it may be stored or not. If it `isRefused`, the data may be the reason: the epoch ends when
    /// that repeats.
    public mutating func commitFailed(_ id: ID, isRefused: Bool = false, now: BootInstant) -> [Action] {
        guard pending[id] != nil else { return [] }
        return giveUp(id) + (isConnected ? failed(isRefused, now) ?? retry(now) : [])
    }

    private mutating func elsewhere(_ id: ID, _ attempts: Int, _ now: BootInstant) -> [Action] {
        pending[id]?.phase = .waiting
        pending[id]?.attempts = attempts
        let actions = attempts >= Self.maxAttempts ? giveUp(id) : []
        return actions + (run?.isBeginning == true ? [] : start(now))
    }

    private mutating func send(_ id: ID, _ now: BootInstant) -> [Action] {
        guard let epoch, let waiting = pending[id] else { return run == nil ? start(now) : [] }
        pending[id]?.phase = .sent
        return [.commit(id, waiting.commit, epoch)]
    }

    private mutating func giveUp(_ id: ID) -> [Action] {
        pending[id] = nil
        isDirty = true
        return [.answer(id, .unavailable)]
    }

    mutating func giveUpWaiting() -> [Action] {
        pending.filter { $0.value.phase == .waiting }.keys.sorted().flatMap { giveUp($0) }
    }

    // MARK: Epochs

    /// Commands can be sent to Redis (again).
    public mutating func connected(now: BootInstant) -> [Action] {
        isConnected = true
        return start(now)
    }

    /// The connection is gone; what was sent on it fails one by one.
    public mutating func disconnected() -> [Action] {
        isConnected = false
        epoch = nil
        if run != nil { isDirty = true }
        run = nil
        isRetrying = false
        superseded = nil
        return giveUpWaiting()
    }

    /// The feed was told that no epoch grants leases.
    public mutating func recoveryNeeded(now: BootInstant) -> [Action] {
        isConnected && run == nil && !isRetrying ? start(now) : []
    }

    /// The issuers that the epoch waits for before it opens; empty when it does not.
    public var waitingFor: [String] { run?.waitingFor ?? [] }

    /// An operator knows that these issuers will not come back, and takes what only they held for lost. Of use only
    /// while the epoch waits for them.
    public mutating func excuse(_ names: [String], now: BootInstant) -> [Action] {
        guard !waitingFor.isEmpty else { return [] }
        excused += names.filter { !excused.contains($0) }
        return deadlineReached(now: now)
    }

    mutating func start(_ now: BootInstant) -> [Action] {
        guard isConnected else { return [] }
        epoch = nil
        isRetrying = false
        if run != nil { isDirty = true }
        run = RecoveryRun()
        runNumber += 1
        // An old master would have been fenced by now: this one is none, and somebody has gone back to it on purpose.
        let followsDamage = pace.allows(at: now)
        let ending = followsDamage ? ending : nil
        let over = ending?.epoch ?? superseded.flatMap { now >= $0.since + fence ? $0.epoch : nil }
        return [.begin(over: over, unreadable: ending?.unreadable ?? [], followsDamage: followsDamage)]
    }

    private mutating func retry(_ now: BootInstant) -> [Action] { retry(at: now + Self.retryInterval) }

    mutating func retry(at instant: BootInstant) -> [Action] {
        guard run == nil, !isRetrying else { return [] }
        isRetrying = true
        return [.wake(at: instant)]
    }

    /// An old master, to which this issuer or another may have gone back, is fenced by now.
    private func isSteady(_ now: BootInstant) -> Bool { now >= enteredAt + fence }

    /// The instant of the last ``Action/wake(at:)`` has come.
    public mutating func deadlineReached(now: BootInstant) -> [Action] {
        if let epoch, !waitingFor.isEmpty {
            run?.declares()
            return [declaration(of: epoch, now)]
        }
        // Timers count in milliseconds, and may come a little early: what they say is believed.
        return isRetrying ? start(now) : []
    }

    /// What a run had asked for failed, on a connection that is still there. If it `isRefused`, the data may be the
    /// reason: the epoch ends when that repeats.
    public mutating func runFailed(isRefused: Bool = false, now: BootInstant) -> [Action] {
        failed(isRefused, now) ?? endRun() + retry(now)
    }

    mutating func endRun() -> [Action] {
        guard run != nil else { return [] }
        run = nil
        isDirty = true
        return epoch == nil ? giveUpWaiting() : []
    }

    // MARK: A run

    /// `begin` was answered.
    public mutating func begun(_ reply: BeginReply, now: BootInstant) -> [Action] {
        guard run?.isBeginning == true else { return [] }
        // Still there, and it is too soon to end it.
        if reply.epoch == ending?.epoch { return mayNotBegin(now: now) }
        let damage = reply.isNew ? reply.damage ?? ending?.how : nil
        ending = nil
        guard let damage else { return follow(reply, now) }
        pace.begun(at: now)
        return [.report(.damaged(damage))] + follow(reply, now)
    }

    private mutating func follow(_ reply: BeginReply, _ now: BootInstant) -> [Action] {
        if reply.epoch == entered.last { return enter(reply) }
        if entered.contains(reply.epoch) {
            if superseded?.epoch != reply.epoch { superseded = (reply.epoch, now) }
            return [.report(.superseded(reply.epoch))] + runFailed(now: now)
        }
        if !entered.isEmpty, !isSteady(now) {
            return [.report(.tooSoon(reply.epoch))] + endRun() + retry(at: enteredAt + fence)
        }
        run?.records(reply)
        return [.persistEpoch(reply.epoch)]
    }

    /// That the epoch was entered is durable.
    public mutating func persistedEpoch(_ epoch: Epoch, now: BootInstant) -> [Action] {
        guard let reply = run?.recorded, reply.epoch == epoch else { return [] }
        enteredAt = now
        entered = entered.suffix(Self.maxEntered - 1) + [epoch]
        isDirty = true
        // Whoever was excused in another epoch is waited for again.
        excused = []
        return enter(reply)
    }

    private mutating func enter(_ reply: BeginReply) -> [Action] {
        epoch = reply.epoch
        fence = max(fence, reply.fence)
        superseded = nil
        var actions: [Action] = [.entered(reply.epoch, lease: reply.lease, fence: reply.fence)]
        for id in pending.filter({ $0.value.phase == .waiting }).keys.sorted() {
            guard let waiting = pending[id] else { continue }
            pending[id]?.phase = .sent
            actions.append(.commit(id, waiting.commit, reply.epoch))
        }
        if reply.isOpen, !isDirty {
            run = nil
            return actions
        }
        // What becomes durable from here on is committed, and failing that makes it dirty again.
        isDirty = false
        run?.entered(reply.epoch, followsDamage: reply.damage != nil)
        return actions + [.readOutbox(run: runNumber)]
    }

    /// All that the outbox holds and that has not expired, for the run that asked for it.
    public mutating func outboxRead(_ revocations: [Revocation], run number: UInt64, now: BootInstant) -> [Action] {
        number == runNumber ? proceed(run?.outboxRead(revocations), now) : []
    }

    /// The directory of the live set was read.
    public mutating func received(_ directory: LiveDirectory, now: BootInstant) -> [Action] {
        proceed(run?.received(directory), now)
    }

    /// The page last asked for was read; nil when what is there is no part of a live set.
    public mutating func received(page bytes: [UInt8]?, now: ClockReading) -> [Action] {
        proceed(run?.received(page: bytes, now: now.wall), now.boot)
    }

    /// A part of what was missing was committed, or not.
    public mutating func restored(_ reply: RevokeReply, now: BootInstant) -> [Action] {
        guard run?.isRestoring == true else { return [] }
        guard case .stored = reply else { return runFailed(now: now) }
        failures.succeeded()
        return proceed(run?.restored(), now)
    }

    private mutating func proceed(_ step: RecoveryRun.Step?, _ now: BootInstant) -> [Action] {
        guard let step, let epoch else { return [] }
        switch step {
        case .nothing: return []
        case .readDirectory: return [.readDirectory]
        case .read(let page): return [.read(page)]
        case .restore(let parts, let total):
            let report: [Action] = total.map { [.report(.restoring($0))] } ?? []
            return report + parts.map { .restore($0, epoch) }
        case .declare: return [declaration(of: epoch, now)]
        case .startAgain: return runFailed(now: now)
        case .endEpoch(let unreadable): return end(epoch, because: .unreadable, unreadable: unreadable, now: now)
        }
    }

    /// Who is excused may run, and serve an old master's validators, until that is fenced.
    private func declaration(of epoch: Epoch, _ now: BootInstant) -> Action {
        .declareRestored(epoch, excused: isSteady(now) ? excused : [])
    }

    /// `restored` was answered.
    public mutating func declared(_ reply: RestoredReply, now: BootInstant) -> [Action] {
        guard let epoch, run?.isDeclaring == true else { return [] }
        switch reply {
        case .open:
            run = nil
            failures.succeeded()
            excused = []
            return [.report(.opened(epoch))] + (isDirty ? retry(now) : [])
        case .waiting(let names):
            run?.waits(for: names)
            return [.report(.waiting(names)), .wake(at: now + Self.retryInterval)]
        case .elsewhere, .recovering:
            return start(now)
        }
    }
}
