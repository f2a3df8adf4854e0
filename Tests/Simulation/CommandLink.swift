import Quash

/// What `RedisClient` is to a role: one connection for commands, made again whenever it is lost.
final class CommandLink {
    private final class Pending {
        let fail: (Failure) -> Void
        var isDone = false

        init(fail: @escaping (Failure) -> Void) { self.fail = fail }
    }

    private let machine: Machine
    private unowned let world: World
    private var wire: Wire?
    private(set) var isUp = false
    private var isClosed = false
    private var pending: [Pending] = []
    private var failures = 0
    private var attempt = 0
    /// Called when commands can be sent, or no more.
    var stateChanged: (Bool) -> Void = { _ in }

    init(_ machine: Machine, in world: World) {
        self.machine = machine
        self.world = world
    }

    func start() { connect() }

    func close() {
        isClosed = true
        isUp = false
        wire?.closeByClient()
        wire?.lost = {}
        wire = nil
        pending = []
    }

    private func connect() {
        guard !isClosed else { return }
        attempt += 1
        let number = attempt
        let redis = world.route(machine)
        machine.after(world.settings.answerTimeout) { [self] in
            if attempt == number, !isUp, !isClosed { retry() }
        }
        guard world.cutEnd(machine, redis) == nil, !redis.machine.isFrozen else { return }
        machine.after(2 * world.delay()) { [self] in
            guard attempt == number, !isUp, !isClosed else { return }
            guard redis.isAccepting else { return retry() }
            wire = Wire(machine, to: redis, in: world)
            wire?.lost = { [self] in drop(.lost) }
            isUp = true
            failures = 0
            world.note("\(machine.name) is connected to \(redis.machine.name)")
            stateChanged(true)
        }
    }

    private func retry() {
        attempt += 1
        machine.after(world.backoff(after: failures)) { [self] in connect() }
        failures += 1
    }

    /// Ends the connection; who waits is told after that it is down.
    func drop(_ failure: Failure) {
        guard isUp, !isClosed else { return }
        wire?.closeByClient()
        wire?.lost = {}
        wire = nil
        isUp = false
        world.note("\(machine.name) is disconnected: \(failure)")
        let failing = pending
        pending = []
        stateChanged(false)
        for request in failing where !request.isDone {
            request.isDone = true
            request.fail(failure)
        }
        retry()
    }

    /// Sends one command; the answer comes once, never before this returns.
    func send<Reply>(
        _ body: @escaping (RedisHost) -> Result<Reply, Failure>,
        answer: @escaping (Result<Reply, Failure>) -> Void
    ) {
        guard isUp, let wire else {
            return machine.after(0) { answer(.failure(.unavailable)) }
        }
        let request = Pending { answer(.failure($0)) }
        pending.append(request)
        let redis = wire.redis
        wire.send { [self] in
            let result = body(redis)
            wire.reply { [self] in
                guard !request.isDone else { return }
                request.isDone = true
                pending.removeAll { $0 === request }
                answer(result)
            }
        }
        machine.after(world.settings.answerTimeout) { [self] in
            if !request.isDone { drop(.timedOut) }
        }
    }

    /// Calls a script.
    func evaluate<Reply>(
        _ body: @escaping (RedisHost) -> Reply, answer: @escaping (Result<Reply, Failure>) -> Void
    ) {
        send({ $0.evaluate(body) }, answer: answer)
    }

    /// Sends a command that only reads.
    func read<Reply>(
        _ body: @escaping (inout ModelRedis) -> Reply, answer: @escaping (Result<Reply, Failure>) -> Void
    ) {
        send({ $0.read(body) }, answer: answer)
    }
}
