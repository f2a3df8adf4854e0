/// The confirmations that an issuer waits for, as a pure state machine over its ``Fleet``: events and time in, actions
/// out.
///
/// Nodes say on a channel that they have applied what somebody waits for; what is lost there is found in the registry,
/// which is read now and then anyway.
///
/// A confirmation ends with a question to Redis. What this issuer knows may be about an epoch that is over: it was cut
/// off, excused from the recovery, and others went on without its revocation. So once the fleet says that a revocation
/// is confirmed, the registry is read again, and only if that is still of the same epoch, at a master that may write,
/// is the confirmation answered (invariant S1).
public struct Confirmations: Sendable {
    /// Confirmations that are waited for at once; more are told that theirs is not confirmed yet.
    static let maxWaiting = 10_000
    /// Nodes that are let go at once.
    static let maxForgotten = 100
    /// Between two looks at the registry while somebody waits.
    static let busyInterval: Duration = .milliseconds(50)
    /// Between two readings of the registry, however many confirmations come to their end meanwhile.
    static let leastInterval: Duration = .milliseconds(1)

    /// Tells one wait from another.
    public typealias ID = UInt64

    /// The end of a wait.
    public enum Outcome: Equatable, Sendable {
        /// No node accepts what was revoked; known this long after its commit was.
        case confirmed(after: Duration)
        /// The time given for it is over, or the epoch is.
        case unconfirmed
    }

    /// What the driver has to do.
    public enum Action: Equatable, Sendable {
        /// Read the registry, then call ``Confirmations/received(_:of:now:)`` or ``Confirmations/readFailed(now:)``.
        case readRegistry
        case answer(ID, Outcome)
        /// Let these go from the registry, unless they have changed.
        case forget([Registry.Entry])
        /// Two processes use each of these node ids.
        case reportDuplicates([String])
        /// Call ``Confirmations/deadlineReached(now:)`` then; replaces an earlier wish.
        case wake(at: BootInstant)
    }

    private struct Waiting {
        let id: ID
        var confirmation: Fleet.Confirmation
        let deadline: BootInstant
        /// The reading of the registry that may end it; nil while nodes are waited for.
        var reading: UInt64?
    }

    /// What is known of the nodes.
    public private(set) var fleet: Fleet
    private let interval: Duration
    /// In the order of their identifiers.
    private var waiting: [Waiting] = []
    private var nextID: ID = 1
    /// Counts the readings of the registry.
    private var reading: UInt64 = 0
    private var isReading = false
    private var nextWake = BootInstant(nanoseconds: 0)
    /// When the last reading ended.
    private var lastReading = BootInstant(nanoseconds: 0)
    /// When the registry is to be read though no confirmation asks for it.
    private var lookDue = BootInstant(nanoseconds: 0)
    private var duplicates: [String] = []

    /// Looks at the registry once each `interval` while nobody waits.
    public init(fleet: Fleet, interval: Duration) {
        self.fleet = fleet
        self.interval = interval
    }

    // MARK: Events

    /// The first look at the registry.
    public mutating func started(now: BootInstant) -> [Action] {
        lookDue = now + interval
        return [.wake(at: lookDue)]
    }

    /// Commits go to this epoch from now on.
    public mutating func entered(_ epoch: Epoch, lease: Duration, fence: Duration, now: BootInstant) {
        fleet.entered(epoch, lease: lease, fence: fence, now: now)
    }

    /// Waits until no node accepts what was committed; ``Action/answer(_:_:)`` with the same identifier follows.
    ///
    /// - Parameters:
    ///   - position: the commit.
    ///   - registry: as it was at the commit.
    ///   - timeout: after which it is answered that this is not confirmed yet.
    ///   - now: when it was known that it is stored.
    public mutating func confirm(
        _ position: FeedPosition, among registry: Registry, within timeout: Duration, now: ClockReading
    ) -> (ID, [Action]) {
        let id = nextID
        nextID += 1
        let confirmation = fleet.confirmation(of: position, among: registry, now: now)
        guard waiting.count < Self.maxWaiting else { return (id, [.answer(id, .unconfirmed)]) }
        if waiting.isEmpty { lookDue = min(lookDue, now.boot + Self.busyInterval) }
        waiting.append(Waiting(id: id, confirmation: confirmation, deadline: now.boot + timeout))
        return (id, settle(now.boot, from: waiting.count - 1))
    }

    /// A node has said how far it is.
    public mutating func acknowledged(_ acknowledgement: Acknowledgement, now: ClockReading) -> [Action] {
        fleet.acknowledged(acknowledgement, now: now)
        // Each waits for one node at a time.
        let isAwaited = waiting.contains { $0.confirmation.nodes.last == acknowledgement.node }
        return isAwaited ? settle(now.boot) : []
    }

    /// The instant of the last ``Action/wake(at:)`` has come.
    public mutating func deadlineReached(now: BootInstant) -> [Action] {
        // What is settled here is known before this reading is asked for.
        let actions = settle(now)
        return (now >= lookDue ? startReading() : []) + actions
    }

    /// Somebody else has read the registry.
    public mutating func observed(_ registry: Registry, of epoch: Epoch, now: ClockReading) {
        fleet.observed(registry, of: epoch, now: now)
    }

    /// The registry of the epoch that is open was read.
    public mutating func received(_ registry: Registry, of epoch: Epoch, now: ClockReading) -> [Action] {
        fleet.observed(registry, of: epoch, now: now)
        var actions: [Action] = []
        waiting.removeAll { waiter in
            var confirmation = waiter.confirmation
            guard let needed = waiter.reading, needed <= reading, epoch == confirmation.position.epoch,
                fleet.progress(of: &confirmation, now: now.boot) == .confirmed
            else { return false }
            actions.append(.answer(waiter.id, .confirmed(after: now.boot - confirmation.committed)))
            return true
        }
        endReading(now.boot)
        return actions + letGo(now.boot) + settle(now.boot)
    }

    /// The registry could not be read, or no epoch is open.
    public mutating func readFailed(now: BootInstant) -> [Action] {
        endReading(now)
        return settle(now)
    }

    private mutating func startReading() -> [Action] {
        guard !isReading else { return [] }
        isReading = true
        reading += 1
        return [.readRegistry]
    }

    private mutating func endReading(_ now: BootInstant) {
        isReading = false
        lastReading = now
        lookDue = now + (waiting.isEmpty ? interval : Self.busyInterval)
    }

    // MARK: Progress

    /// Answers whose wait is over, and looks again when the next may be.
    ///
    /// - Parameter first: those before it were looked at, and nothing has changed for them.
    private mutating func settle(_ now: BootInstant, from first: Int = 0) -> [Action] {
        var ended: [Action] = []
        var kept: [Waiting] = []
        var next = now + interval
        if first > 0 { next = min(next, nextWake) }
        var asks = false
        for var waiter in waiting[first...] {
            let progress = fleet.progress(of: &waiter.confirmation, now: now)
            guard progress != .superseded, now < waiter.deadline else {
                ended.append(.answer(waiter.id, .unconfirmed))
                continue
            }
            next = min(next, waiter.deadline)
            switch progress {
            case .confirmed:
                // A reading under way was asked for before this was known: the next one counts.
                let needed = waiter.reading ?? reading + 1
                waiter.reading = needed
                if needed > reading { asks = true }
            case .pending(let until): next = min(next, until)
            case .superseded: break
            }
            kept.append(waiter)
        }
        waiting.replaceSubrange(first..., with: kept)
        var actions = ended
        if asks, now >= lastReading + Self.leastInterval { actions += startReading() }
        if !isReading { next = min(next, asks ? lastReading + Self.leastInterval : lookDue) }
        nextWake = max(next, now)
        return actions + [.wake(at: nextWake)]
    }

    /// Lets go of nodes that are long dead, and tells of those that share an identity.
    private mutating func letGo(_ now: BootInstant) -> [Action] {
        var actions: [Action] = []
        let forgettable = fleet.forgettable(now: now).prefix(Self.maxForgotten)
        if !forgettable.isEmpty { actions.append(.forget(Array(forgettable))) }
        let found = fleet.duplicates(now: now)
        if found != duplicates, !found.isEmpty { actions.append(.reportDuplicates(found)) }
        duplicates = found
        return actions
    }
}
