/// What an issuer knows of the nodes that may accept tokens, and so whether a revocation is **confirmed**: applied by
/// each of them, or its lease has ended. A pure value; time is an argument, and it is this issuer's own CLOCK_BOOTTIME,
/// because no other clock can be trusted to say that a lease has ended.
///
/// A node that is granted a lease after a commit is granted it together with the commit. So only the nodes matter that
/// stood in the registry at the commit, and each of them is done with when
/// - it has said that it applied the commit, or
/// - the lease that it may have held is over: one length of it, and the clocks' error, after this issuer first saw that
///   grant, or
/// - it has given its lease back.
///
/// Whatever the registry says, all of that is true one lease after the commit.
public struct Fleet: Sendable {
    /// The greatest error of a clock's rate that is allowed for, in parts per million, for each of two clocks.
    static let maxRateErrorPPM = 500
    /// How much longer than its length a lease may last in real time: the jump of the clocks that a lease tolerates,
    /// and a little for the time between two events in the same millisecond.
    static let margin: Duration = LeaseGrant.maxClockJump + .milliseconds(10)
    /// How long a node whose lease has ended is still listed.
    static let listedAfterEnd: Duration = .seconds(60)
    /// Steps of one node's progress that are remembered, for receipts.
    static let maxSteps = 256

    /// One node.
    public struct Member: Equatable, Sendable {
        /// As it was last seen in the registry.
        public fileprivate(set) var entry: Registry.Entry
        /// Everything up to here is applied.
        public fileprivate(set) var applied: UInt64
        /// The first instant, by this issuer's clock, at which it certainly holds no lease that was seen.
        public fileprivate(set) var leaseEnds: BootInstant
        fileprivate var steps: [Step] = []
    }

    fileprivate struct Step: Equatable, Sendable {
        let applied: UInt64
        let at: WallInstant
    }

    /// What is waited for.
    public struct Confirmation: Equatable, Sendable {
        /// The commit.
        public let position: FeedPosition
        /// When this issuer had the answer that it was stored.
        public let committed: BootInstant
        /// Who stood in the registry then and was not found done with since. Who is done stays so: it has applied the
        /// commit, or is granted its next lease together with it.
        public fileprivate(set) var nodes: [String]
    }

    /// How far a confirmation has come.
    public enum Progress: Equatable, Sendable {
        case confirmed
        /// Look again when something is heard, and at this instant.
        case pending(until: BootInstant)
        /// The epoch is over: the revocation is restored into the next one, and has another position there.
        case superseded
    }

    /// What a receipt says of one node.
    public enum Receipt: Equatable, Sendable {
        /// Applied, as was heard at this time; nil when that is longer ago than is remembered.
        case applied(at: WallInstant?)
        /// It may not accept anything.
        case leaseEnded
        /// It may still accept what was revoked.
        case pending
    }

    private var fence: Duration
    private var longestLease: Duration
    /// Commits go to it, and its registry is what counts; nil before the first.
    public private(set) var epoch: Epoch?
    /// When this issuer first saw the epoch.
    private var began = BootInstant(nanoseconds: 0)
    /// By node, in ``epoch``.
    private var members: [String: Member] = [:]

    /// - Parameter lease: the longest that this issuer asks for.
    /// - Parameter fence: how long a Redis that was replaced may go on granting.
    public init(lease: Duration, fence: Duration) {
        longestLease = lease
        self.fence = fence
    }

    // MARK: Events

    /// Commits go to this epoch from now on.
    public mutating func entered(_ epoch: Epoch, lease: Duration, fence: Duration, now: BootInstant) {
        longestLease = max(longestLease, lease)
        self.fence = max(self.fence, fence)
        guard epoch != self.epoch else { return }
        self.epoch = epoch
        began = now
        members = [:]
    }

    /// The registry was read, and this had arrived at `now`.
    ///
    /// - Precondition: readings come in the order in which Redis answered them, as they do on one connection. An older
    ///   one after a newer would let a node go that a confirmation still waits for.
    public mutating func observed(_ registry: Registry, of epoch: Epoch, now: ClockReading) {
        guard epoch == self.epoch else { return }
        let present = Set(registry.entries.map(\.node))
        for entry in registry.entries { observed(entry, now) }
        // Who is gone has left, or was let go by an issuer that had measured its end.
        for node in members.keys where !present.contains(node) { members[node] = nil }
    }

    private mutating func observed(_ entry: Registry.Entry, _ now: ClockReading) {
        var member =
            members[entry.node] ?? Member(entry: entry, applied: entry.applied, leaseEnds: now.boot, steps: [])
        if members[entry.node] == nil || member.entry.grantedMilliseconds != entry.grantedMilliseconds {
            // No more is granted than the epoch allows, whatever somebody wrote there.
            member.leaseEnds = now.boot + Self.bound(min(entry.lease, longestLease))
        }
        member.entry = entry
        member.advance(to: entry.applied, at: now.wall)
        members[entry.node] = member
    }

    /// A node has said how far it is.
    public mutating func acknowledged(_ acknowledgement: Acknowledgement, now: ClockReading) {
        guard acknowledgement.position.epoch == epoch else { return }
        members[acknowledgement.node]?.advance(to: acknowledgement.position.sequence, at: now.wall)
    }

    // MARK: Confirmation

    /// What to wait for after a commit was stored.
    ///
    /// - Parameters:
    ///   - position: the commit.
    ///   - registry: as it was at the commit.
    ///   - now: when it was known that it is stored.
    public mutating func confirmation(
        of position: FeedPosition, among registry: Registry, now: ClockReading
    ) -> Confirmation {
        observed(registry, of: position.epoch, now: now)
        return Confirmation(position: position, committed: now.boot, nodes: registry.entries.map(\.node))
    }

    /// Whether no node accepts any more what was committed (invariant S1). All calls for one confirmation together:
    /// O(nodes).
    public func progress(of confirmation: inout Confirmation, now: BootInstant) -> Progress {
        guard confirmation.position.epoch == epoch else { return .superseded }
        // Leases of the epoch before are in no registry: they were granted before this one began, or, by a Redis that
        // was replaced, at most a fence later (invariant S5).
        let recovered = began + Self.bound(longestLease) + fence
        guard now >= recovered else { return .pending(until: recovered) }
        let until = confirmation.committed + Self.bound(longestLease)
        guard now < until else { return .confirmed }
        while let node = confirmation.nodes.last {
            if let member = members[node], member.applied < confirmation.position.sequence, now < member.leaseEnds {
                return .pending(until: min(until, member.leaseEnds))
            }
            confirmation.nodes.removeLast()
        }
        return .confirmed
    }

    /// What is known of each node with regard to one commit of this epoch, by node; nil for another epoch.
    public func receipt(of position: FeedPosition, now: BootInstant) -> [String: Receipt]? {
        guard position.epoch == epoch else { return nil }
        return members.mapValues { member in
            if member.applied >= position.sequence {
                let step = member.steps.first { $0.applied >= position.sequence }
                // The oldest step that is remembered says only that it was not later.
                let isKnown = step != member.steps.first || member.steps.count < Self.maxSteps
                return .applied(at: isKnown ? step?.at : nil)
            }
            return now >= member.leaseEnds ? .leaseEnded : .pending
        }
    }

    // MARK: The fleet

    /// Every node that is listed, in the order of their names.
    public var nodes: [Member] { members.values.sorted { $0.entry.node < $1.entry.node } }

    /// Node ids under which two processes hold leases at `now`: somebody copied a configuration.
    public func duplicates(now: BootInstant) -> [String] {
        Dictionary(grouping: living(now)) { String($0.id) }.filter { $0.value.count > 1 }.keys.sorted()
    }

    /// Nodes whose leases ended so long ago that the registry may let them go. Those whose lines cannot be read have no
    /// name by which they could be.
    public func forgettable(now: BootInstant) -> [Registry.Entry] {
        members.values.filter { now >= $0.leaseEnds + Self.listedAfterEnd }.map(\.entry).filter(\.isReadable)
    }

    /// The node ids of issuers that may hold a lease at `now`, in the order of their names.
    public func issuers(now: BootInstant) -> [String] {
        let ids = living(now).filter(\.isIssuer).map { String($0.id.dropFirst(Registry.issuerPrefix.count)) }
        return Set(ids).sorted()
    }

    /// Lines that cannot be read, in no order.
    public var unreadable: [Registry.Entry] { members.values.map(\.entry).filter { !$0.isReadable } }

    /// The nodes that may hold a lease.
    private func living(_ now: BootInstant) -> [Registry.Entry] {
        members.values.filter { now < $0.leaseEnds }.map(\.entry)
    }

    /// The longest that a lease of this length lasts by another clock, counted from when its grant was seen.
    private static func bound(_ lease: Duration) -> Duration {
        lease + lease * (2 * maxRateErrorPPM) / 1_000_000 + margin
    }
}

extension Fleet.Member {
    fileprivate mutating func advance(to position: UInt64, at time: WallInstant) {
        guard position > applied || steps.isEmpty else { return }
        applied = max(applied, position)
        if steps.count == Fleet.maxSteps { steps.removeFirst() }
        steps.append(Fleet.Step(applied: applied, at: time))
    }
}
