import Quash

/// Why a command was not answered as it should be.
enum Failure: Error, Equatable {
    /// The connection went before the answer: whether the command was carried out is not known.
    case lost
    case timedOut
    /// There was no connection.
    case unavailable
    case refused(String)
}

/// One Redis process after another on one machine, with the data that it keeps.
final class RedisHost {
    let machine: Machine
    let number: Int
    private unowned let world: World
    var data: ModelRedis
    /// Counts the processes.
    private(set) var life = 0
    private(set) var isDown = false
    /// From then on it refuses to write: too few replicas follow it.
    var fencedFrom: Instant = .max
    /// A share of scripts fails until then.
    var failsScriptsUntil: Instant = 0
    private var wires: [Wire] = []
    private var subscriptions: [Subscription] = []
    /// What a restart may find, oldest first.
    private var snapshots: [(at: Instant, data: ModelRedis)] = []

    static let snapshotInterval = 20 * Int64.millisecond

    init(number: Int, in world: World, data: ModelRedis?, clock: NodeClock) {
        self.world = world
        self.number = number
        machine = Machine("redis-\(number)", in: world, clock: clock)
        self.data = data ?? ModelRedis(runID: "")
        self.data.runID = world.hexadecimal(40)
        if world.schedule.needsSnapshots { takeSnapshots() }
    }

    private func takeSnapshots() {
        if !isDown { snapshots.append((world.now, data)) }
        world.plan(at: world.now + Self.snapshotInterval) { [self] in takeSnapshots() }
    }

    /// The data as it was some time ago.
    func past(_ age: Int64) -> ModelRedis {
        snapshots.last { $0.at <= world.now - age }?.data ?? ModelRedis(runID: "")
    }

    // MARK: Connections

    var isAccepting: Bool { !isDown }

    func accepted(_ wire: Wire) { wires.append(wire) }

    func subscribed(_ subscription: Subscription, on wire: Wire) {
        subscriptions.removeAll { $0 === subscription }
        subscriptions.append(subscription)
    }

    /// Ends every connection from `machine`, or from everyone.
    func disconnect(_ machine: Machine? = nil) {
        for wire in wires where machine.map({ $0 === wire.machine }) ?? true { wire.closeByServer() }
        forgetClosed()
    }

    func forgetClosed() {
        wires.removeAll { !$0.isServerOpen }
        subscriptions.removeAll { $0.wire?.isServerOpen != true }
    }

    // MARK: Work

    private func tick() {
        data.time = machine.now.wallNanoseconds / 1000
        data.expire()
    }

    /// One command that only reads.
    func read<Reply>(_ body: (inout ModelRedis) -> Reply) -> Result<Reply, Failure> {
        tick()
        return .success(body(&data))
    }

    /// One script.
    func evaluate<Reply>(_ body: (RedisHost) -> Reply) -> Result<Reply, Failure> {
        guard world.now < fencedFrom else { return .failure(.refused("NOREPLICAS")) }
        if world.now < failsScriptsUntil, world.random.once(in: 3) { return .failure(.refused("OOM")) }
        tick()
        return .success(body(self))
    }

    func publish(_ message: FeedMessage) {
        for subscription in subscriptions { subscription.publish(.feed(message)) }
    }

    func publish(_ acknowledgement: Acknowledgement) {
        for subscription in subscriptions { subscription.publish(.acknowledgement(acknowledgement)) }
    }

    // MARK: Faults

    /// The process ends.
    func stop() {
        isDown = true
        life += 1
        disconnect()
        wires = []
        subscriptions = []
        machine.end()
    }

    /// Another process begins with this data.
    func start(with data: ModelRedis) {
        guard isDown else { return }
        machine.begin()
        self.data = data
        self.data.runID = world.hexadecimal(40)
        isDown = false
    }
}
