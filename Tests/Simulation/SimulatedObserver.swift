import Quash

/// The driver of the shipped ``Fleet``, as `FleetObserver`.
final class SimulatedObserver {
    private final class Waiting {
        let confirmation: Fleet.Confirmation
        let deadline: BootInstant
        let answer: (Bool) -> Void

        init(_ confirmation: Fleet.Confirmation, _ deadline: BootInstant, _ answer: @escaping (Bool) -> Void) {
            self.confirmation = confirmation
            self.deadline = deadline
            self.answer = answer
        }
    }

    private static let busyInterval: Duration = .milliseconds(50)

    private let machine: Machine
    private unowned let world: World
    private let link: CommandLink
    private var subscription: Subscription!
    private var fleet: Fleet
    private var waiting: [Waiting] = []
    private var isReading = false
    private var lastRead = BootInstant(nanoseconds: 0)
    private var timers: UInt64 = 0

    init(on machine: Machine, link: CommandLink, in world: World) {
        self.machine = machine
        self.link = link
        self.world = world
        fleet = Fleet(lease: world.settings.feed.lease, fence: .nanoseconds(world.schedule.fence))
        subscription = Subscription(machine, to: .acknowledgements, in: world) { [unowned self] in heard($0) }
    }

    private var now: BootInstant { machine.now.boot }

    func start() {
        subscription.start()
        arm(after: world.settings.feed.renewInterval)
    }

    func close() { subscription.close() }

    func entered(_ epoch: Epoch, lease: Duration) {
        fleet.entered(epoch, lease: lease, fence: .zero, now: now)
    }

    func confirm(_ stored: SimulatedPublisher.Stored, within timeout: Duration, answer: @escaping (Bool) -> Void) {
        fleet.observed(stored.registry, of: stored.position.epoch, now: stored.time)
        let confirmation = fleet.confirmation(of: stored.position, among: stored.registry, now: stored.time.boot)
        waiting.append(Waiting(confirmation, stored.time.boot + timeout, answer))
        settle()
    }

    private func heard(_ event: Subscription.Event) {
        guard case .acknowledgement(let acknowledgement) = event else { return }
        fleet.acknowledged(acknowledgement, now: machine.now)
        settle()
    }

    private func arm(after delay: Duration) {
        timers += 1
        machine.after(world.timerDelay(now + delay, on: machine)) { [self, timers] in
            if timers == self.timers { look() }
        }
    }

    private func arm() { arm(after: waiting.isEmpty ? world.settings.feed.renewInterval : Self.busyInterval) }

    private func look() {
        settle()
        let now = now
        let isDue = !waiting.isEmpty || now >= lastRead + world.settings.feed.renewInterval
        guard link.isUp, !isReading, isDue else { return arm() }
        isReading = true
        lastRead = now
        link.evaluate({ $0.data.registryOfOpenEpoch }) { [self] result in
            isReading = false
            if case .success(let reply) = result {
                if let reply { fleet.observed(reply.registry, of: reply.head.epoch, now: machine.now) }
                letGo()
            }
            settle()
            arm()
        }
    }

    private func settle() {
        guard !waiting.isEmpty else { return }
        let now = now
        var next = now + Self.busyInterval
        var ended: [(Waiting, Bool)] = []
        waiting.removeAll { waiter in
            switch fleet.progress(of: waiter.confirmation, now: now) {
            case .confirmed: ended.append((waiter, true))
            case .superseded: ended.append((waiter, false))
            case .pending(let until):
                if now < waiter.deadline {
                    next = min(next, until, waiter.deadline)
                    return false
                }
                ended.append((waiter, false))
            }
            return true
        }
        for (waiter, isConfirmed) in ended { waiter.answer(isConfirmed) }
        if !waiting.isEmpty, !isReading { arm(after: max(.zero, next - now)) }
    }

    private func letGo() {
        let entries = fleet.forgettable(now: now)
        guard !entries.isEmpty else { return }
        link.evaluate({ $0.data.forget(entries) }) { _ in }
    }
}
