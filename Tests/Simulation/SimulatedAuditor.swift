import Quash

/// The driver of the shipped ``LiveSetAudit``, as `LiveSetAuditor`.
final class SimulatedAuditor {
    private let machine: Machine
    private let link: CommandLink
    private let outbox: SimulatedOutbox
    private let publisher: SimulatedPublisher
    private unowned let world: World
    private var audit: LiveSetAudit
    private var wakes: UInt64 = 0

    init(
        on machine: Machine, link: CommandLink, outbox: SimulatedOutbox, publisher: SimulatedPublisher, in world: World
    ) {
        self.machine = machine
        self.link = link
        self.outbox = outbox
        self.publisher = publisher
        self.world = world
        audit = LiveSetAudit(seed: world.random.next(), interval: .nanoseconds(Settings.auditInterval))
    }

    private var now: BootInstant { machine.now.boot }

    func start() { perform(audit.started(now: now)) }

    private func perform(_ actions: [LiveSetAudit.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: LiveSetAudit.Action) {
        switch action {
        case .readDigests(let first, let count):
            outbox.view { [self] held in
                let digests = held.digests(first: first, count: count)
                machine.after(0) { [self] in perform(audit.received(digests: digests, first: first, now: now)) }
            }
        case .readHeld(let periods):
            outbox.view { [self] held in
                let revocations = held.revocations(in: periods)
                machine.after(0) { [self] in perform(audit.received(held: revocations, now: machine.now)) }
            }
        case .readDirectory:
            link.read({ $0.liveDirectory }) { [self] in answered($0) { audit.received($0, now: now) } }
        case .read(let page):
            link.read({ $0.readPage(page) }) { [self] in
                answered($0) { audit.received(page: $0, now: machine.now) }
            }
        case .commit(let revocations): publisher.publish(FeedWriter.Commit(revocations: revocations)) { _ in }
        case .end(let epoch, let how, let missing, let unreadable):
            world.note("\(machine.name) finds the live set to be damaged: \(how), \(missing)")
            publisher.end(epoch, because: how, unreadable: unreadable)
        case .isWhole: break
        case .wake(let instant):
            wakes += 1
            machine.after(world.timerDelay(instant, on: machine)) { [self, wakes] in
                guard wakes == self.wakes else { return }
                perform(audit.deadlineReached(epoch: publisher.settledEpoch, now: machine.now))
            }
        }
    }

    private func answered<Reply>(_ result: Result<Reply, Failure>, then use: (Reply) -> [LiveSetAudit.Action]) {
        switch result {
        case .success(let reply): perform(use(reply))
        case .failure: perform(audit.failed(now: now))
        }
    }
}
