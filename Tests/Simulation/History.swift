import Quash

/// What the checker keeps of one node.
struct NodeRecord {
    struct Grant {
        /// The head of the feed when the lease was granted.
        let head: FeedPosition
        /// When the request for it left, by the node's clock.
        let sent: BootInstant
    }

    /// Of the reply that is being worked on.
    var grant: Grant?
    /// Everything up to here was seen to be in the index.
    var checked: FeedPosition?
    /// Tokens that the index was seen to revoke.
    var known: TokenSet = 0
    var isDeciding = false
    var hasHeldLease = false
}

/// A broken promise.
package struct Violation: Error, Equatable, Sendable, CustomStringConvertible {
    /// `S0` to `S6`, `401`, `503` or `liveness`.
    package let invariant: String
    let at: Instant
    let what: String

    package var description: String { "\(invariant) at \(Schedule.span(at)): \(what)" }
}

/// Everything that happened, by real time, held against the invariants as it happens.
final class History {
    unowned let world: World
    private let tokens: Tokens
    private(set) var violation: Violation?

    /// For each epoch the tokens of each of its commits.
    private var commits: [Epoch: [TokenSet]] = [:]
    /// By token: when it was first committed.
    private var committedAt: [Instant?] = Array(repeating: nil, count: Tokens.count)
    /// Answered as stored.
    private(set) var answered: TokenSet = 0
    /// Must be refused by whoever holds a lease: confirmed, or stored long enough ago.
    private(set) var forbidden: TokenSet = 0
    private(set) var confirmed: TokenSet = 0
    /// Somebody asked for their revocation.
    var asked: TokenSet = 0
    /// Lost with an issuer that an operator excused, so that it may be accepted until that issuer is back.
    private(set) var exempt: TokenSet = 0
    private var excused: Set<Int> = []
    /// For each epoch and issuer what its outbox held when the epoch began.
    private var obligations: [Epoch: [TokenSet]] = [:]
    private var opened: Set<Epoch> = []
    /// Epochs in which a fault took away what a script had written.
    private var damaged: Set<Epoch> = []

    init(_ world: World, _ tokens: Tokens) {
        self.world = world
        self.tokens = tokens
    }

    func violate(_ invariant: String, _ what: @autoclosure () -> String) {
        guard violation == nil else { return }
        violation = Violation(invariant: invariant, at: world.now, what: what())
        world.note("VIOLATION \(violation.map(\.description) ?? "")")
    }

    // MARK: In Redis

    func began(_ epoch: Epoch, at redis: RedisHost) {
        commits[epoch] = []
        obligations[epoch] = world.disks.map(\.tokens)
        world.note("epoch \(epoch) begins at \(redis.machine.name)")
    }

    /// - Parameter missing: the names of issuers that have not replayed, and are excused.
    func opened(_ epoch: Epoch, at redis: RedisHost, without missing: [String]) {
        world.note("epoch \(epoch) opens\(missing.isEmpty ? "" : " without \(missing.joined(separator: ", "))")")
        opened.insert(epoch)
        let live = redis.data.liveBytes.reduce(0) { $0 | tokens.set(of: $1) }
        var owed: TokenSet = 0
        for (issuer, held) in (obligations[epoch] ?? []).enumerated() {
            if missing.contains(world.issuerName(issuer)) {
                excused.insert(issuer)
                exempt |= world.taken[issuer] & ~live
            } else {
                excused.remove(issuer)
                owed |= held
            }
        }
        let lost = owed & ~live & ~expired
        if lost != 0, !damaged.contains(epoch) {
            violate("S5", "epoch \(epoch) opens and lacks tokens \(members(of: lost)) of the outboxes")
        }
    }

    /// - Returns: the head at the grant.
    func granted(by redis: RedisHost) -> FeedPosition? {
        guard let epoch = redis.data.serving?.nonce, let head = redis.data.sequence else { return nil }
        if !opened.contains(epoch) { violate("S5", "a lease is granted in epoch \(epoch), which is not open") }
        return FeedPosition(epoch: epoch, sequence: head)
    }

    func committed(_ revocations: [Revocation], at position: FeedPosition) {
        let set = tokens.set(of: revocations)
        commits[position.epoch, default: []].append(set)
        world.note("tokens \(members(of: set)) are committed at \(position)")
        if commits[position.epoch]?.count != Int(position.sequence) {
            violate("S3", "commit \(position) is number \(commits[position.epoch]?.count ?? 0) of its epoch")
        }
        for token in members(of: set) where committedAt[token] == nil { committedAt[token] = world.now }
    }

    func tookAway(_ redis: RedisHost) {
        if let epoch = redis.data.serving?.nonce { damaged.insert(epoch) }
    }

    /// Tokens that every clock sees as expired by more than what is kept for clocks that disagree.
    private var expired: TokenSet {
        let wall = NodeClock.startSeconds + world.now / .second
        return (0..<Tokens.count).reduce(0) { tokens.expiries[$1] + 600 < wall ? $0 | 1 << TokenSet($1) : $0 }
    }

    // MARK: At the callers

    func answered(_ token: Int, by issuer: Int) {
        answered |= 1 << TokenSet(token)
        world.note("token \(token) is answered as stored")
        if excused.contains(issuer) { exempt |= 1 << TokenSet(token) }
        if world.disks[issuer].tokens >> TokenSet(token) & 1 == 0 {
            violate("S5", "token \(token) is answered and not durable at \(world.issuerName(issuer))")
        }
        let stale = max(world.now, (committedAt[token] ?? world.now) + world.settings.staleness)
        world.plan(at: stale) { [self] in forbid(token, "S6", "was stored long ago") }
    }

    func confirmed(_ token: Int) {
        world.note("token \(token) is confirmed")
        confirmed |= 1 << TokenSet(token)
        forbid(token, "S1", "is confirmed")
    }

    private func forbid(_ token: Int, _ invariant: String, _ why: String) {
        forbidden |= 1 << TokenSet(token)
        for follower in world.followers { checkForbidden(follower, 1 << TokenSet(token), invariant, why) }
    }

    private func checkForbidden(_ follower: SimulatedFollower, _ set: TokenSet, _ invariant: String, _ why: String) {
        guard follower.machine.isUp else { return }
        let accepted = acceptable(set & ~exempt, at: follower)
        guard accepted != 0 else { return }
        violate(invariant, "\(follower.node) would accept tokens \(members(of: accepted)), which \(why)")
    }

    /// Those of `set` that the node would accept if it was asked now.
    func acceptable(_ set: TokenSet, at follower: SimulatedFollower) -> TokenSet {
        guard set != 0 else { return 0 }
        let reading = follower.machine.now
        guard follower.lease.holds(at: reading) else { return 0 }
        let latest = max(reading.wall, follower.index.droppedBy).seconds
        return members(of: set).reduce(0) { accepted, token in
            isRevoked(token, at: follower) || latest >= tokens.expiries[token]
                ? accepted : accepted | 1 << TokenSet(token)
        }
    }

    func isRevoked(_ token: Int, at follower: SimulatedFollower) -> Bool {
        follower.validator.revokes(tokens.revocations[token].key, issuedAt: Tokens.issued)
    }

    // MARK: At the nodes

    /// Those of `set` that the index lacks and has not dropped as expired.
    private func lacking(_ set: TokenSet, at follower: SimulatedFollower) -> TokenSet {
        members(of: set).reduce(0) { lacking, token in
            let isDropped = follower.index.droppedBy.seconds >= tokens.expiries[token] + 60
            return isDropped || isRevoked(token, at: follower) ? lacking : lacking | 1 << TokenSet(token)
        }
    }

    func applied(_ revocations: [Revocation], at follower: SimulatedFollower) {
        let set = tokens.set(of: revocations)
        follower.record.known |= set
        if lacking(set, at: follower) != 0 { violate("S3", "\(follower.node) lacks what it has just applied") }
        let unknown = set & ~asked
        if unknown != 0 { violate("401", "\(follower.node) applies tokens that nobody revoked") }
    }

    /// The node goes on as one that has only begun, but with what its index still has.
    func discarded(_ follower: SimulatedFollower) {
        follower.record.known = 0
        follower.record.checked = nil
    }

    func expired(_ follower: SimulatedFollower) {
        let lost = lacking(follower.record.known, at: follower)
        if lost != 0 { violate("S2", "\(follower.node) forgot tokens \(members(of: lost))") }
    }

    /// Invariant S3: what the position says to be applied is applied.
    func moved(_ follower: SimulatedFollower) {
        guard let position = follower.feed.position else { return }
        let checked = follower.record.checked
        guard position != checked else { return }
        let first = checked?.epoch == position.epoch ? Int(checked?.sequence ?? 0) : 0
        let all = commits[position.epoch] ?? []
        guard position.sequence <= all.count else {
            return violate("S3", "\(follower.node) stands at \(position), and \(all.count) are committed")
        }
        let set = all[min(first, Int(position.sequence))..<Int(position.sequence)].reduce(0, |)
        let lacking = lacking(set, at: follower)
        if lacking != 0 {
            violate("S3", "\(follower.node) stands at \(position) and lacks tokens \(members(of: lacking))")
        }
        follower.record.checked = position
    }

    /// Invariant S4: a lease begins when it was asked for, and after all that was committed before its grant.
    func extended(_ follower: SimulatedFollower, _ grant: LeaseGrant) {
        guard let known = follower.record.grant else {
            return violate("S4", "\(follower.node) extends its lease without a grant")
        }
        if grant.end > known.sent + .nanoseconds(Settings.lease) {
            violate("S4", "the lease of \(follower.node) ends later than a lease after its request was sent")
        }
        let set = (commits[known.head.epoch] ?? []).prefix(Int(known.head.sequence)).reduce(0, |)
        let lacking = lacking(set, at: follower)
        if lacking != 0 {
            violate("S4", "\(follower.node) extends its lease and lacks tokens \(members(of: lacking))")
        }
        follower.record.hasHeldLease = true
        let isStale = "is forbidden, when it extends its lease"
        checkForbidden(follower, forbidden & confirmed, "S1", isStale)
        checkForbidden(follower, forbidden, "S6", isStale)
    }

    /// An issuer states a position only when what it covers is on its disk.
    func stated(_ request: RenewRequest, at follower: SimulatedFollower) {
        guard let position = request.position, let disk = world.disk(of: follower) else { return }
        let set = (commits[position.epoch] ?? []).prefix(Int(position.sequence)).reduce(0, |)
        let lost = set & ~disk.tokens & ~expired
        if lost != 0 { violate("S5", "\(follower.node) states \(position) and \(members(of: lost)) are not durable") }
    }
}
