/// The reading side of the feed, as a pure state machine: events and time in, actions out.
///
/// One rule makes it safe: **renewing is the safety path, pub/sub only the fast path.** The reply that grants a lease
/// carries every commit that this node was missing; these are applied first and the lease is extended second. A message
/// that was lost, doubled, late or out of order can slow a revocation down, never lose it.
///
/// ## States
/// - **detached**: no position. The next renewal tells where the head is, and a load begins.
/// - **loading**: the live set is read, page by page. Messages that arrive meanwhile are applied, but do not advance.
/// - **following**: everything up to `position` is applied (S3). Only the very next commit of the same epoch advances
///   it.
/// - **halted**: the index took no more. Nothing is renewed any more, so the lease stays ended.
///
/// Data that is damaged ends its epoch: the node reports it with its next renewal, and is detached until there is
/// another epoch, into which the issuers have restored what was there.
///
/// The driver must carry out the actions in the order given, at once, and pass every reply to what it sent.
public struct Feed: Sendable {
    /// How long a lease lasts and how often it is renewed.
    public struct Settings: Sendable {
        /// Asked for with each renewal; the feed may grant less.
        public let lease: Duration
        /// Between renewals, give or take a tenth.
        public let renewInterval: Duration

        /// - Precondition: `lease` is at least twice `renewInterval`, and both are positive.
        public init(lease: Duration, renewInterval: Duration) {
            precondition(renewInterval > .zero && lease >= renewInterval * 2, "a lease lasts two renewals at least")
            self.lease = lease
            self.renewInterval = renewInterval
        }
    }

    /// What the driver has to do.
    public enum Action: Equatable, Sendable {
        case renew(RenewRequest)
        case readDirectory
        case read(LivePage)
        case apply([Revocation])
        /// What was missing has been applied by the actions before this one.
        case extend(LeaseGrant)
        case dropLease
        /// Call ``Feed/deadlineReached(now:)`` then; replaces an earlier wish.
        case wake(at: BootInstant)
        case report(Event)
    }

    /// What operators want to know.
    public enum Event: Equatable, Sendable {
        /// A message came whose predecessors had not.
        case gap
        case resync(ResyncCause)
        /// The live set holds less than was written to it.
        case damaged
        case recovering
        /// The feed has this layout, which this program does not read: nothing is accepted.
        case newer(FeedLayout)
        /// An entry cannot be read: nothing is accepted before the next epoch.
        case unreadable(RevocationCodecError)
        /// Redis refuses the same step again and again.
        case refused
        case malformedMessage
    }

    /// Why the live set is loaded.
    public enum ResyncCause: String, Sendable, CaseIterable {
        case start
        case epoch
        case trimmed
        /// The clock was corrected: what was dropped by it is read again.
        case clock
    }

    private enum State {
        case detached
        case loading(LiveSetLoad)
        case following(FeedPosition)
        case halted
    }

    private enum Outstanding: Equatable {
        case renewal(sent: ClockReading, after: UInt64)
        case load
    }

    private let settings: Settings
    private var state = State.detached
    private var isConnected = false
    private var outstanding: Outstanding?
    /// A renewal is wanted as soon as the outstanding one is answered.
    private var renewsAgain = false
    /// The greatest sequence that somebody waits for, until a renewal has stated it.
    private var awaited: UInt64 = 0
    /// The epoch whose data was found to be damaged, until a reply shows that this was reported.
    private var damaged: (epoch: Epoch, how: EpochDamage)?
    /// The epoch that was loaded last, or was to be.
    private var lastEpoch: Epoch?
    private var failures = RepeatedFailures()
    private var hasLoaded = false
    /// Since the live set was last loaded.
    private var isClockCorrected = false
    /// A renewal was answered in the epoch that was loaded. Before that, the epoch may have ended while its pages were
    /// read, and what another one has there may have made up the number of bytes of what was lost.
    private var isVouchedFor = false
    private var jitter: SystemJitter

    /// `seed` is that of the jitter between renewals.
    public init(settings: Settings, seed: UInt64) {
        self.settings = settings
        jitter = SystemJitter(state: seed)
    }

    /// Everything up to here is applied; nil while that cannot be said.
    public var position: FeedPosition? { isVouchedFor ? stated : nil }

    /// What a renewal states.
    private var stated: FeedPosition? {
        if case .following(let position) = state { position } else { nil }
    }

    /// The epoch that is loaded or followed.
    private var epoch: Epoch? {
        switch state {
        case .loading(let load): load.start.epoch
        case .following(let position): position.epoch
        case .detached, .halted: nil
        }
    }

    // MARK: Events

    /// Commands can be sent to Redis (again).
    public mutating func connected(now: ClockReading) -> [Action] {
        isConnected = true
        outstanding = nil
        return renew(now)
    }

    /// The connection for commands is gone, with whatever was asked on it.
    public mutating func disconnected() -> [Action] {
        isConnected = false
        outstanding = nil
        renewsAgain = false
        if case .loading = state { state = .detached }
        return []
    }

    /// The clock was corrected, and what was dropped by the time that it showed is missing: stands nowhere until all of
    /// that is read again.
    ///
    /// - Precondition: ``disconnected()`` came before, and ``connected(now:)`` comes once no reply to anything sent
    ///   before is on its way.
    public mutating func discarded() -> [Action] {
        if case .halted = state { return [] }
        state = .detached
        isVouchedFor = false
        isClockCorrected = hasLoaded
        return [.dropLease]
    }

    /// The channel is subscribed (again): what was published while it was not must be fetched.
    public mutating func subscribed(now: ClockReading) -> [Action] { renew(now) }

    /// A published message arrived.
    public mutating func received(_ message: FeedMessage, now: ClockReading) -> [Action] {
        // Another epoch may have begun; or it is another feed's, for channels are shared by all databases of a Redis. A
        // renewal tells, and brings everything.
        guard let epoch else { return [] }
        guard message.position.epoch == epoch else { return renew(now) }
        // Whoever may publish here may publish anything: what counts is what the log says.
        guard let revocations = try? RevocationCodec.decode(message.record) else {
            return receivedMalformedMessage(now: now)
        }
        var actions: [Action] = [.apply(revocations)]
        guard case .following(let position) = state else { return actions }
        if message.awaitingNodes > 0 { awaited = max(awaited, message.position.sequence) }
        if message.position.sequence == position.sequence + 1 {
            state = .following(message.position)
        } else if message.position.sequence > position.sequence {
            return actions + [.report(.gap)] + renew(now)
        }
        if message.awaitingNodes > 0 {
            actions += renew(among: message.awaitingNodes, now)
        }
        return actions
    }

    /// Something arrived on the channel that is no message: what it should have been is asked for.
    public mutating func receivedMalformedMessage(now: ClockReading) -> [Action] {
        [.report(.malformedMessage)] + renew(now)
    }

    /// The outstanding renewal was answered.
    public mutating func renewed(_ reply: RenewReply, now: ClockReading) -> [Action] {
        guard case .renewal(let sent, let after)? = outstanding else { return [] }
        outstanding = nil
        damaged = nil
        if case .halted = state { return [] }
        switch reply {
        case .recovering:
            return [.report(.recovering), wakeForRetry(now)]
        case .newer(let layout):
            state = .detached
            return [.dropLease, .report(.newer(layout)), wakeForRenewal(now)]
        case .elsewhere(let head):
            return load(from: head, because: isClockCorrected ? .clock : hasLoaded ? .epoch : .start)
        case .gap(let head):
            return load(from: head, because: .trimmed)
        case .entries(let records, let head, let lease):
            let grant = lease.map { LeaseGrant(sent: sent, length: min($0, settings.lease)) }
            return merge(records, after: after, head: head, grant, now)
        }
    }

    /// The directory of the live set was read.
    public mutating func received(_ directory: LiveDirectory, now: ClockReading) -> [Action] {
        guard case .load? = outstanding, case .loading(var load) = state else { return [] }
        let step = load.received(directory)
        state = .loading(load)
        return advance(load, step, now)
    }

    /// The page of the live set last asked for was read; nil when what is there is no part of a live set.
    public mutating func received(page bytes: [UInt8]?, now: ClockReading) -> [Action] {
        guard case .load? = outstanding, case .loading(var load) = state else { return [] }
        guard let bytes else { return met(.noBytes, now) }
        do {
            let (revocations, step) = try load.received(page: bytes, now: now.wall)
            state = .loading(load)
            // The next page is on its way while this one is applied.
            if case .read = step { return advance(load, step, now) + [.apply(revocations)] }
            return [.apply(revocations)] + advance(load, step, now)
        } catch {
            return met(error, now)
        }
    }

    /// What was outstanding failed, on a connection that is still there. If it `isRefused`, the data may be the reason:
    /// it is reported as damaged when that repeats.
    public mutating func failed(isRefused: Bool = false, now: ClockReading) -> [Action] {
        outstanding = nil
        renewsAgain = false
        if case .loading = state { state = .detached }
        if failures.failed(isRefused: isRefused), let lastEpoch {
            damaged = (lastEpoch, .refused)
            return [.report(.refused), wakeForRetry(now)]
        }
        return [wakeForRetry(now)]
    }

    /// The instant of the last ``Action/wake(at:)`` has come.
    public mutating func deadlineReached(now: ClockReading) -> [Action] {
        outstanding == nil ? renew(now) : []
    }

    /// The index refused what it was given: nothing may be accepted from here on.
    public mutating func applyFailed() -> [Action] {
        state = .halted
        return [.dropLease]
    }

    // MARK: Steps

    private mutating func renew(_ now: ClockReading) -> [Action] {
        if case .halted = state { return [] }
        guard isConnected else { return [] }
        guard outstanding == nil else { return queueRenewal() }
        let position = stated
        outstanding = .renewal(sent: now, after: position?.sequence ?? 0)
        let acknowledges = awaited > 0 && (position?.sequence ?? 0) >= awaited
        if acknowledges { awaited = 0 }
        return [
            .renew(
                RenewRequest(
                    position: position, damagedEpoch: damaged?.epoch, damage: damaged?.how ?? .lost,
                    acknowledges: acknowledges))
        ]
    }

    private mutating func queueRenewal() -> [Action] {
        renewsAgain = true
        return []
    }

    /// - Parameter after: the sequence that the request stated; the records are the commits directly after it.
    private mutating func merge(
        _ records: [[UInt8]], after: UInt64, head: UInt64, _ grant: LeaseGrant?, _ now: ClockReading
    ) -> [Action] {
        guard case .following(let position) = state else { return [wakeForRenewal(now)] }
        var revocations: [Revocation] = []
        do {
            for record in records { revocations += try RevocationCodec.decode(record) }
        } catch {
            return met(error, now)
        }
        failures.succeeded()
        var actions: [Action] = revocations.isEmpty ? [] : [.apply(revocations)]
        // Messages may have carried the position beyond what the request stated.
        let reached = max(position.sequence, after + UInt64(records.count))
        state = .following(FeedPosition(epoch: position.epoch, sequence: reached))
        isVouchedFor = true
        // A grant promises that nothing up to the head is missing: one that does not keep it is no grant.
        if let grant, reached >= head { actions.append(.extend(grant)) }
        let isAwaited = awaited > 0 && reached >= awaited
        if renewsAgain || isAwaited || (grant == nil && !records.isEmpty) {
            renewsAgain = false
            return actions + renew(now)
        }
        return actions + [wakeForRenewal(now)]
    }

    private mutating func load(from head: FeedPosition, because cause: ResyncCause) -> [Action] {
        awaited = 0
        lastEpoch = head.epoch
        state = .loading(LiveSetLoad(start: head))
        outstanding = .load
        return [.report(.resync(cause)), .readDirectory]
    }

    private mutating func advance(_ load: LiveSetLoad, _ step: LiveSetLoad.Step, _ now: ClockReading) -> [Action] {
        switch step {
        case .read(let page):
            return [.read(page)]
        case .complete:
            outstanding = nil
            hasLoaded = true
            isClockCorrected = false
            isVouchedFor = false
            state = .following(load.start)
            return renew(now)
        case .damaged(let how):
            outstanding = nil
            state = .detached
            damaged = (load.start.epoch, how)
            return [.report(.damaged), wakeForRenewal(now)]
        case .restart:
            outstanding = nil
            state = .detached
            return [wakeForRenewal(now)]
        }
    }

    /// Bytes of the epoch that this node is in are no revocations. It neither goes on behind them nor keeps its lease:
    /// it cannot know what it would accept.
    private mutating func met(_ error: RevocationCodecError, _ now: ClockReading) -> [Action] {
        guard let epoch else { return [] }
        outstanding = nil
        state = .detached
        damaged = (epoch, .unreadable)
        return [.report(.unreadable(error)), .dropLease] + renew(now)
    }

    /// Well before the next renewal is due, because a lease is running out meanwhile.
    private mutating func wakeForRetry(_ now: ClockReading) -> Action {
        let interval = settings.renewInterval
        return .wake(at: now.boot + interval / 20 + jitter.next(below: interval / 10))
    }

    private mutating func wakeForRenewal(_ now: ClockReading) -> Action {
        let interval = settings.renewInterval
        return .wake(at: now.boot + interval * 9 / 10 + jitter.next(below: interval / 5))
    }

    /// Soon, because somebody waits for this node's position; a fleet spreads it out, because all of it does this at
    /// once.
    private mutating func renew(among awaitingNodes: Int, _ now: ClockReading) -> [Action] {
        let spread = min(Duration.microseconds(20) * awaitingNodes, .milliseconds(10))
        guard outstanding == nil, spread >= .milliseconds(1) else { return renew(now) }
        return [.wake(at: now.boot + jitter.next(below: spread))]
    }
}
