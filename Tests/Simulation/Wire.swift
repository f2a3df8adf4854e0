import Quash

/// One TCP connection: in order both ways, and as slow as its time of day. What a partition holds up arrives when that
/// is over; what was on its way to Redis when the client closed is carried out all the same.
final class Wire {
    let machine: Machine
    let redis: RedisHost
    private let redisLife: Int
    private let machineLife: Int
    private unowned let world: World
    private(set) var isServerOpen = true
    private(set) var isClientOpen = true
    private var clearUp: Instant = 0
    private var clearDown: Instant = 0
    /// Called once, at the client, when the server has closed.
    var lost: () -> Void = {}

    init(_ machine: Machine, to redis: RedisHost, in world: World) {
        self.machine = machine
        self.redis = redis
        self.world = world
        redisLife = redis.life
        machineLife = machine.life
        redis.accepted(self)
    }

    func send(_ action: @escaping () -> Void) {
        clearUp = max(world.now + world.delay(), clearUp + 1)
        world.plan(at: clearUp) { [self] in arriveAtServer(action) }
    }

    private func arriveAtServer(_ action: @escaping () -> Void) {
        guard isServerOpen, redis.life == redisLife else { return }
        if let end = world.cutEnd(machine, redis) {
            clearUp = max(end + world.delay(), clearUp + 1)
            world.plan(at: clearUp) { [self] in arriveAtServer(action) }
        } else {
            redis.machine.run { [self] in
                if isServerOpen { action() }
            }
        }
    }

    func reply(_ action: @escaping () -> Void) {
        clearDown = max(world.now + world.delay(), clearDown + 1)
        world.plan(at: clearDown) { [self] in arriveAtClient(action) }
    }

    private func arriveAtClient(_ action: @escaping () -> Void) {
        guard isClientOpen, machine.life == machineLife else { return }
        if let end = world.cutEnd(machine, redis) {
            clearDown = max(end + world.delay(), clearDown + 1)
            world.plan(at: clearDown) { [self] in arriveAtClient(action) }
        } else {
            machine.run { [self] in
                if isClientOpen { action() }
            }
        }
    }

    func closeByClient() { isClientOpen = false }

    /// Replies that are on their way may be lost with it.
    func closeByServer() {
        guard isServerOpen else { return }
        isServerOpen = false
        let end = { [self] in
            isClientOpen = false
            lost()
        }
        if world.random.once(in: 2) { reply(end) } else { reset(end) }
    }

    private func reset(_ end: @escaping () -> Void) {
        guard isClientOpen, machine.life == machineLife else { return }
        let at = max(world.now, world.cutEnd(machine, redis) ?? 0) + world.delay()
        world.plan(at: at) { [self] in
            guard isClientOpen, machine.life == machineLife else { return }
            machine.run { [self] in
                if isClientOpen { end() }
            }
        }
    }
}
