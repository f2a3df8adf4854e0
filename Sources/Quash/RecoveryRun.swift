/// One run of an issuer through its outbox: everything that the live set lacks is committed to it.
///
/// ## States
/// beginning → recording the epoch → reading the outbox → reading the live set → restoring → declaring → waiting for
/// the other issuers, declaring again now and then.
struct RecoveryRun: Sendable {
    private enum State {
        case beginning
        case recording(BeginReply)
        case readingOutbox(Epoch, followsDamage: Bool)
        case loading(LiveSetLoad, missing: Set<Revocation>, unreadable: [UInt32])
        case restoring(remaining: ArraySlice<Revocation>, inFlight: Int)
        case declaring
        case waiting([String])
    }

    enum Step: Equatable {
        case nothing
        case readDirectory
        case read(LivePage)
        /// Commit each of these; the first time with how many revocations there are in all.
        case restore([[Revocation]], total: Int?)
        case declare
        case startAgain
        /// The live set cannot be read, in these periods or its directory: end the epoch, and begin the next without
        /// them.
        case endEpoch(unreadable: [UInt32])
    }

    /// Commits of one run that are under way at once.
    static let maxInFlight = 16

    private var state = State.beginning

    var isBeginning: Bool {
        if case .beginning = state { true } else { false }
    }
    var isDeclaring: Bool {
        if case .declaring = state { true } else { false }
    }
    var isRestoring: Bool {
        if case .restoring = state { true } else { false }
    }
    var waitingFor: [String] {
        if case .waiting(let names) = state { names } else { [] }
    }
    var recorded: BeginReply? {
        if case .recording(let reply) = state { reply } else { nil }
    }

    mutating func records(_ reply: BeginReply) { state = .recording(reply) }

    /// - Parameter followsDamage: whether the last epoch ended because its data was damaged.
    mutating func entered(_ epoch: Epoch, followsDamage: Bool) {
        state = .readingOutbox(epoch, followsDamage: followsDamage)
    }

    mutating func declares() { state = .declaring }

    mutating func waits(for names: [String]) { state = .waiting(names) }

    mutating func outboxRead(_ revocations: [Revocation]) -> Step {
        guard case .readingOutbox(let epoch, let followsDamage) = state else { return .nothing }
        // After damage the live set is read also where there is nothing to restore: whoever loads it must be able to.
        guard followsDamage || !revocations.isEmpty else { return declare() }
        // Only where the load ends matters for a reader; here nothing follows it.
        state = .loading(
            LiveSetLoad(start: FeedPosition(epoch: epoch, sequence: 0)), missing: Set(revocations), unreadable: [])
        return .readDirectory
    }

    mutating func received(_ directory: LiveDirectory) -> Step {
        guard case .loading(var load, let missing, let unreadable) = state else { return .nothing }
        return proceed(load.received(directory), &load, missing, unreadable)
    }

    /// - Parameter bytes: the page last asked for; nil when what is there is no part of a live set.
    mutating func received(page bytes: [UInt8]?, now: WallInstant) -> Step {
        guard case .loading(var load, var missing, var unreadable) = state else { return .nothing }
        state = .declaring
        let period = load.period
        guard let bytes, let (revocations, step) = try? load.received(page: bytes, now: now) else {
            // Nobody can tell what else of the period is as it was written: all of it comes back from the outboxes. The
            // others are read before that, so that one epoch is the end of all that is unreadable.
            if let period { unreadable.append(period) }
            return proceed(load.leavePeriod(), &load, missing, unreadable)
        }
        // In another period it would be forgotten with that.
        for revocation in revocations where LivePage.period(ofExpiry: revocation.expiresAtSeconds) == period {
            missing.remove(revocation)
        }
        return proceed(step, &load, missing, unreadable)
    }

    private mutating func proceed(
        _ step: LiveSetLoad.Step, _ load: inout LiveSetLoad, _ missing: Set<Revocation>, _ unreadable: [UInt32]
    ) -> Step {
        switch step {
        case .read(let page):
            state = .loading(load, missing: missing, unreadable: unreadable)
            return .read(page)
        case .damaged(.lost):
            // What was lost is just what the outbox brings back; a reader reports the damage.
            return proceed(load.leavePeriod(), &load, missing, unreadable)
        case .damaged: return .endEpoch(unreadable: [])
        case .restart: return .startAgain
        case .complete:
            guard unreadable.isEmpty else { return .endEpoch(unreadable: unreadable) }
            guard !missing.isEmpty else { return declare() }
            state = .restoring(remaining: Array(missing)[...], inFlight: 0)
            return fill(total: missing.count)
        }
    }

    /// One commit of this run was stored.
    mutating func restored() -> Step {
        guard case .restoring(let remaining, let inFlight) = state else { return .nothing }
        state = .restoring(remaining: remaining, inFlight: inFlight - 1)
        if remaining.isEmpty { return inFlight == 1 ? declare() : .nothing }
        return fill(total: nil)
    }

    private mutating func fill(total: Int?) -> Step {
        guard case .restoring(var remaining, var inFlight) = state else { return .nothing }
        var parts: [[Revocation]] = []
        while inFlight < Self.maxInFlight, !remaining.isEmpty {
            parts.append(Array(remaining.prefix(RevocationCodec.maxRevocationsPerCommit)))
            remaining = remaining.dropFirst(RevocationCodec.maxRevocationsPerCommit)
            inFlight += 1
        }
        state = .restoring(remaining: remaining, inFlight: inFlight)
        return .restore(parts, total: total)
    }

    private mutating func declare() -> Step {
        state = .declaring
        return .declare
    }
}
