import Quash

/// The driver of the shipped ``Confirmations``, as `FleetObserver`.
final class SimulatedObserver {
    private let machine: Machine
    private unowned let world: World
    private let link: CommandLink
    private var subscription: Subscription!
    private var confirmations: Confirmations
    private var answers: [Confirmations.ID: (Bool) -> Void] = [:]
    private var timers: UInt64 = 0
    var issuersRead: (Epoch, [RegisteredIssuer]) -> Void = { _, _ in }

    init(on machine: Machine, link: CommandLink, in world: World) {
        self.machine = machine
        self.link = link
        self.world = world
        confirmations = Confirmations(
            fleet: Fleet(lease: world.settings.feed.lease, fence: .nanoseconds(world.schedule.fence)),
            interval: world.settings.feed.renewInterval)
        subscription = Subscription(machine, to: .acknowledgements, in: world) { [unowned self] event in
            guard case .acknowledgement(let acknowledgement) = event else { return }
            perform(confirmations.acknowledged(acknowledgement, now: machine.now))
        }
    }

    private var now: BootInstant { machine.now.boot }

    func start() {
        subscription.start()
        perform(confirmations.started(now: now))
    }

    func close() { subscription.close() }

    func entered(_ epoch: Epoch, lease: Duration) {
        confirmations.entered(epoch, lease: lease, fence: .zero, now: now)
    }

    func confirm(_ stored: SimulatedPublisher.Stored, within timeout: Duration, answer: @escaping (Bool) -> Void) {
        let (id, actions) = confirmations.confirm(
            stored.position, among: stored.registry, within: timeout, now: stored.time)
        answers[id] = answer
        perform(actions)
    }

    private func perform(_ actions: [Confirmations.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: Confirmations.Action) {
        switch action {
        case .readRegistry:
            link.evaluate({ $0.data.registryOfOpenEpoch }) { [self] result in
                if case .success(let reply?) = result {
                    issuersRead(reply.head.epoch, reply.issuers)
                    perform(confirmations.received(reply.registry, of: reply.head.epoch, now: machine.now))
                } else {
                    perform(confirmations.readFailed(now: now))
                }
            }
        case .answer(let id, let outcome): answers.removeValue(forKey: id)?(outcome != .unconfirmed)
        case .forget(let entries): link.evaluate({ $0.data.forget(entries) }) { _ in }
        case .reportDuplicates: break
        case .wake(let instant):
            timers += 1
            machine.after(world.timerDelay(instant, on: machine)) { [self, timers] in
                if timers == self.timers { perform(confirmations.deadlineReached(now: now)) }
            }
        }
    }
}
