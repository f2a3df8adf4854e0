import Quash

/// The driver of the shipped ``Feed``, as `FeedFollower`, with the index, the lease and the validator of its process.
final class SimulatedFollower {
    let machine: Machine
    /// As the registry names it.
    let node: String
    let index = RevocationIndex()
    let lease = Lease()
    private(set) var validator: Validator!
    private(set) var feed: Feed
    private unowned let world: World
    private let outbox: SimulatedOutbox?
    private let link: CommandLink
    private var subscription: Subscription!
    private var writer: RevocationIndex.Writer
    private var latestWall = WallInstant(milliseconds: 0)
    private var wakes: UInt64 = 0
    private var renewals: UInt64 = 0
    private(set) var isLeaving = false
    /// Its process is gone.
    var isEnded = false
    private var isFollowing = false
    private var hasFollowed = false
    private var clock = ClockAgreement(maxDeviation: .seconds(1))
    private var inspections: UInt64 = 0
    /// Called when no epoch is open.
    var recoveryNeeded: () -> Void = {}
    /// Called when the validator looks at its clock.
    var clockIsRead: () -> Void = {}

    /// What the checker wants to know of this node.
    var record = NodeRecord()

    init(_ node: String, on machine: Machine, outbox: SimulatedOutbox? = nil, in world: World) {
        self.node = node
        self.machine = machine
        self.outbox = outbox
        self.world = world
        feed = Feed(settings: world.settings.feed, seed: world.random.next())
        writer = index.makeWriter(maxRevocations: 1000, clockSkew: Tokens.skew)
        link = CommandLink(machine, in: world)
        do {
            validator = try Validator(
                keys: world.tokens.keys, policy: Tokens.policy, clockSkew: Tokens.skew, index: index, lease: lease
            ) { [unowned self] in
                clockIsRead()
                return self.machine.now
            }
        } catch {
            preconditionFailure("the keys of the tokens are no keys: \(error)")
        }
        subscription = Subscription(machine, to: .feed, in: world) { [unowned self] in heard($0) }
        link.stateChanged = { [unowned self] in stateChanged(isUp: $0) }
    }

    func start() {
        subscription.start()
        link.start()
        expire()
    }

    /// Gives the lease back and ends.
    func leave(done: @escaping () -> Void) {
        isLeaving = true
        lease.drop()
        wakes += 1
        let node = node
        link.evaluate({ $0.data.leave(node) }) { [self] _ in
            close()
            done()
        }
    }

    func close() {
        link.close()
        subscription.close()
    }

    // MARK: What happens

    private func stateChanged(isUp: Bool) {
        if isUp {
            inspect()
        } else {
            unfollow()
        }
    }

    private func unfollow() {
        isFollowing = false
        renewals += 1
        inspections += 1
        perform(feed.disconnected())
    }

    /// Whether this process believes its civil clock.
    var isClockRight: Bool { clock.holds(at: machine.now) }

    /// Asks Redis for its time.
    private func inspect() {
        let sent = machine.now
        link.read({ $0.time }) { [self] result in
            guard !isLeaving, link.isUp else { return }
            switch result {
            case .success(let microseconds): inspected(microseconds * .microsecond, sent)
            case .failure: inspect(after: world.settings.unfitInspectionInterval)
            }
        }
    }

    private func inspect(after delay: Int64) {
        inspections += 1
        machine.after(delay) { [self, inspections] in
            if inspections == self.inspections { inspect() }
        }
    }

    private func inspected(_ redis: Int64, _ sent: ClockReading) {
        let now = machine.now
        let atArrival = now.wallNanoseconds - redis
        let roundTrip = now.boot.nanoseconds - sent.boot.nanoseconds
        let lead = atArrival <= 0 ? atArrival : max(0, atArrival - roundTrip)
        switch clock.compared(lead: .nanoseconds(lead), at: now) {
        case .differs:
            lease.drop()
            unfollow()
            inspect(after: world.settings.unfitInspectionInterval)
        case .agreesAnew where hasFollowed: startAnew()
        case .agrees, .agreesAnew:
            inspect(after: world.settings.inspectionInterval)
            guard !isFollowing else { return }
            (isFollowing, hasFollowed) = (true, true)
            world.traffic.followerConnected(self)
            perform(feed.connected(now: now))
        }
    }

    private func startAnew() {
        world.note("\(node) discards what it read by its clock")
        lease.drop()
        unfollow()
        perform(feed.discarded())
        latestWall = WallInstant(milliseconds: 0)
        writer.discardTime()
        outbox?.discardTime()
        world.history.discarded(self)
        inspect()
    }

    private func heard(_ event: Subscription.Event) {
        switch event {
        case .subscribed: perform(feed.subscribed(now: machine.now))
        case .message(let message): perform(feed.received(message, now: machine.now))
        case .malformed: perform(feed.receivedMalformedMessage(now: machine.now))
        case .acknowledgement: break
        }
    }

    private func expire() {
        if isClockRight {
            latestWall = max(latestWall, machine.now.wall)
            writer.expire(at: latestWall, atOnce: true)
            world.history.expired(self)
        }
        machine.after(world.settings.expiryInterval) { [self] in expire() }
    }

    // MARK: What to do

    private func perform(_ actions: [Feed.Action]) {
        guard !isLeaving else { return }
        for action in actions where !perform(action) { return }
        world.history.moved(self)
    }

    private func perform(_ action: Feed.Action) -> Bool {
        switch action {
        case .renew(let request): renew(request)
        case .readDirectory:
            link.read({ $0.liveDirectory }) { [self] in answered($0) { feed.received($0, now: machine.now) } }
        case .read(let page):
            link.read({ $0.readPage(page) }) { [self] in answered($0) { feed.received(page: $0, now: machine.now) } }
        case .apply(let revocations): return apply(revocations)
        case .extend(let grant):
            lease.extend(grant)
            world.history.extended(self, grant)
        case .dropLease: lease.drop()
        case .wake(let instant):
            wakes += 1
            machine.after(world.timerDelay(instant, on: machine)) { [self, wakes] in
                if wakes == self.wakes { perform(feed.deadlineReached(now: machine.now)) }
            }
        case .report(let event):
            world.note("\(node): \(event)")
            if event == .recovering { recoveryNeeded() }
        }
        return true
    }

    private func apply(_ revocations: [Revocation]) -> Bool {
        do {
            outbox?.mirror(revocations)
            try writer.apply(revocations)
            world.history.applied(revocations, at: self)
            return true
        } catch {
            perform(feed.applyFailed())
            return false
        }
    }

    private func renew(_ request: RenewRequest) {
        guard let outbox else { return send(request) }
        renewals += 1
        outbox.flush { [self, renewals] isDurable in
            guard renewals == self.renewals, !isLeaving else { return }
            if isDurable { send(request) } else { perform(feed.failed(now: machine.now)) }
        }
    }

    private func send(_ request: RenewRequest) {
        guard isClockRight else {
            lease.drop()
            unfollow()
            return inspect()
        }
        let sent = machine.now.boot
        let (node, limits, lease, world) = (node, world.settings.limits, world.settings.leaseMilliseconds, world)
        world.history.stated(request, at: self)
        link.evaluate({ redis -> (reply: RenewReply, head: FeedPosition?) in
            let (reply, acknowledgement) = redis.data.renew(
                node, request, leaseMilliseconds: lease, version: "1", limits)
            if let acknowledgement { redis.publish(acknowledgement) }
            guard case .entries(_, _, .some) = reply else { return (reply, nil) }
            return (reply, world.history.granted(by: redis))
        }) { [self] result in
            answered(result) { answer in
                record.grant = answer.head.map { NodeRecord.Grant(head: $0, sent: sent) }
                return feed.renewed(answer.reply, now: machine.now)
            }
        }
    }

    private func answered<Reply>(_ result: Result<Reply, Failure>, then use: (Reply) -> [Feed.Action]) {
        switch result {
        case .success(let reply): perform(use(reply))
        case .failure: if link.isUp { perform(feed.failed(now: machine.now)) }
        }
    }
}
