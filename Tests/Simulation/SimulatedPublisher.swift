import Quash

/// The driver of the shipped ``FeedWriter``, as `RevocationPublisher`.
final class SimulatedPublisher {
    struct Stored {
        let position: FeedPosition
        let registry: Registry
        let time: ClockReading
    }

    private let machine: Machine
    private unowned let world: World
    private let link: CommandLink
    private let outbox: SimulatedOutbox
    private let settings: FeedWriter.Settings
    private let disk: Disk
    private var registration: IssuerRegistration
    private var registrationTimers: UInt64 = 0
    private var writer: FeedWriter
    private var answers: [FeedWriter.ID: (Stored?) -> Void] = [:]
    private var wakes: UInt64 = 0
    /// The epochs that the writer was in. Its outbox may know more: of those that were over when they were durable.
    var entered: (Epoch, Duration) -> Void = { _, _ in }

    init(
        _ settings: FeedWriter.Settings, by identity: IssuerIdentity, on machine: Machine, link: CommandLink,
        outbox: SimulatedOutbox,
        disk: Disk, in world: World
    ) {
        self.settings = settings
        self.machine = machine
        self.link = link
        self.outbox = outbox
        self.world = world
        self.disk = disk
        registration = IssuerRegistration(
            identity: identity, bindings: disk.bindings, hasLostRecords: disk.hasLostRecords,
            settling: world.settings.feed.lease * 2)
        writer = FeedWriter(
            settings: settings, entered: Array(disk.entered.suffix(FeedWriter.maxEntered)), now: machine.now.boot)
    }

    func close() { answers = [:] }

    private var now: BootInstant { machine.now.boot }

    /// Commits a revocation; nil when it is not known to be stored.
    func publish(_ commit: FeedWriter.Commit, answer: @escaping (Stored?) -> Void) {
        guard registration.problem == nil else { return answer(nil) }
        let (id, actions) = writer.publish(commit)
        answers[id] = answer
        perform(actions)
    }

    func connectionChanged(isUp: Bool) {
        guard !isUp else { return perform(registration.connected(now: now)) }
        perform(writer.disconnected())
        registration.disconnected()
    }

    func observed(_ issuers: [RegisteredIssuer], isCaughtUp: Bool) {
        perform(registration.observed(issuers, isCaughtUp: isCaughtUp, now: now))
    }

    func recoveryNeeded() { perform(writer.recoveryNeeded(now: now)) }

    var waitingFor: [String] { writer.waitingFor }

    var settledEpoch: Epoch? { writer.settledEpoch }

    func end(_ epoch: Epoch, because how: EpochDamage, unreadable: [UInt32]) {
        perform(writer.end(epoch, because: how, unreadable: unreadable, now: now))
    }

    func excuse(_ names: [String]) { perform(writer.excuse(names, now: now)) }

    private func perform(_ actions: [IssuerRegistration.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: IssuerRegistration.Action) {
        switch action {
        case .register(let replaced):
            let (identity, count) = (registration.identity, disk.count)
            link.evaluate({ $0.data.register(identity, count: count, replacing: replaced) }) { [self] result in
                switch result {
                case .success(let reply): perform(registration.answered(reply, now: now))
                case .failure: perform(registration.failed(now: now))
                }
            }
        case .registered: perform(writer.connected(now: now))
        case .refused: perform(writer.disconnected())
        case .noteLoss(let count):
            disk.noteLoss(true, count: count)
            perform(registration.lossNoted(isDurable: true, now: now))
        case .noteRestored: disk.noteLoss(false)
        case .bind(let outbox, let name): disk.bind(outbox, to: name)
        // The simulation is of the first layout: the second adds what only issuers read.
        case .begin: break
        case .wake(let instant):
            registrationTimers += 1
            machine.after(world.timerDelay(instant, on: machine)) { [self, registrationTimers] in
                guard registrationTimers == self.registrationTimers else { return }
                perform(registration.deadlineReached(now: now))
            }
        }
    }

    private func perform(_ actions: [FeedWriter.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: FeedWriter.Action) {
        switch action {
        case .persist(let id, let commit):
            outbox.append(commit.revocations) { [self] isDurable in
                perform(isDurable ? writer.persisted(id, now: now) : writer.persistFailed(id))
            }
        case .commit(let id, let commit, let epoch): send(id, commit, epoch)
        case .answer(let id, let outcome): answer(id, outcome)
        case .begin(let over, let unreadable, let followsDamage):
            begin(over: over, unreadable: unreadable, followsDamage: followsDamage)
        case .persistEpoch(let epoch):
            outbox.enter(epoch) { [self] isDurable in
                perform(isDurable ? writer.persistedEpoch(epoch, now: now) : writer.runFailed(now: now))
            }
        case .entered(let epoch, let lease, _):
            entered(epoch, lease)
        case .readOutbox(let run):
            outbox.read { [self] in perform(writer.outboxRead($0, run: run, now: now)) }
        case .readDirectory:
            link.read({ $0.liveDirectory }) { [self] in answered($0) { writer.received($0, now: now) } }
        case .read(let page):
            link.read({ $0.readPage(page) }) { [self] in
                answered($0) { writer.received(page: $0, now: machine.now) }
            }
        case .restore(let revocations, let epoch):
            revoke(FeedWriter.Commit(revocations: revocations), epoch) { [self] in
                answered($0) { writer.restored($0, now: now) }
                guard case .success(.displaced) = $0 else { return }
                displaced()
            }
        case .declareRestored(let epoch, let excused): declare(epoch, excused)
        case .wake(let instant):
            wakes += 1
            machine.after(world.timerDelay(instant, on: machine)) { [self, wakes] in
                if wakes == self.wakes { perform(writer.deadlineReached(now: now)) }
            }
        case .report(let event): world.note("\(machine.name) reports: \(event)")
        }
    }

    private func answer(_ id: FeedWriter.ID, _ outcome: FeedWriter.Outcome) {
        guard case .stored(let position, let registry) = outcome else {
            answers.removeValue(forKey: id)?(nil)
            return
        }
        answers.removeValue(forKey: id)?(Stored(position: position, registry: registry, time: machine.now))
    }

    private func send(_ id: FeedWriter.ID, _ commit: FeedWriter.Commit, _ epoch: Epoch) {
        revoke(commit, epoch) { [self] result in
            switch result {
            case .success(let reply):
                perform(writer.committed(id, reply, now: now))
                if reply == .displaced { displaced() }
            case .failure: perform(writer.commitFailed(id, now: now))
            }
        }
    }

    private func displaced() {
        perform(writer.disconnected())
        perform(registration.displaced(now: now))
    }

    private func revoke(
        _ commit: FeedWriter.Commit, _ epoch: Epoch, answer: @escaping (Result<RevokeReply, Failure>) -> Void
    ) {
        let (world, limits) = (world, world.settings.limits)
        let (identity, count) = (registration.identity, disk.count)
        link.evaluate(
            { redis in
                let head = redis.data.sequence
                let (reply, message) = redis.data.revoke(commit, to: epoch, by: identity, count: count, limits)
                if case .stored(let position, _) = reply, redis.data.sequence != head {
                    world.history.committed(commit.revocations, at: position)
                }
                if let message { redis.publish(message) }
                return reply
            }, answer: answer)
    }

    private func begin(over: Epoch?, unreadable: [UInt32], followsDamage: Bool) {
        link.read({ $0.time }) { [self] facts in
            // To the second: what a round trip adds is of no account.
            guard case .success(let time) = facts, abs(time - machine.now.wallNanoseconds / 1000) <= 1_300_000 else {
                return runFailed()
            }
            let nonce = world.nonce()
            let (world, limits, lease) = (world, world.settings.limits, world.settings.leaseMilliseconds)
            link.evaluate({ redis in
                let reply = redis.data.begin(
                    nonce: nonce, over: over, leaseMilliseconds: lease, followsDamage: followsDamage,
                    unreadable: unreadable, limits)
                if reply?.isNew == true { world.history.began(nonce, at: redis) }
                return reply
            }) { [self] in
                answered($0) { $0.map { writer.begun($0, now: now) } ?? writer.mayNotBegin(now: now) }
            }
        }
    }

    private func declare(_ epoch: Epoch, _ excused: [String]) {
        let world = world
        let (issuer, needed) = (registration.restoredName, registration.needed(settings.issuers))
        let identity = registration.identity
        let bound =
            registration.hasLostRecords ? "" : IssuerRegistration.bound(identity.name, to: identity.outbox)
        link.evaluate({ redis in
            let wasOpen = redis.data.current?.isOpen ?? false
            let missing = excused.filter { redis.data.restored[$0] == nil }
            let reply = redis.data.restored(
                epoch, issuer: issuer, needed: needed, excused: excused, bound: bound)
            if reply == .open, !wasOpen { world.history.opened(epoch, at: redis, without: missing) }
            return reply
        }) { [self] in answered($0) { writer.declared($0, now: now) } }
    }

    private func answered<Reply>(_ result: Result<Reply, Failure>, then use: (Reply) -> [FeedWriter.Action]) {
        switch result {
        case .success(let reply): perform(use(reply))
        case .failure: runFailed()
        }
    }

    private func runFailed() {
        if link.isUp { perform(writer.runFailed(now: now)) }
    }
}
