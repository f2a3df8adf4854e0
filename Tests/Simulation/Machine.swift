import Quash

/// Where one process runs: it can be stopped, killed and started, and its clocks are its own.
final class Machine {
    let name: String
    unowned let world: World
    var clock: NodeClock
    /// Counts the processes that ran here: what was planned for one does not happen to the next.
    private(set) var life = 0
    private(set) var isUp = true
    private var frozenUntil: Instant = 0
    private var deferred: [() -> Void] = []

    init(_ name: String, in world: World, clock: NodeClock) {
        self.name = name
        self.world = world
        self.clock = clock
    }

    var now: ClockReading { clock.reading(at: world.now) }
    var isFrozen: Bool { world.now < frozenUntil }
    var isRunning: Bool { isUp && !isFrozen }

    /// Does something in the process that runs now, after a while, unless it has ended by then.
    func after(_ delay: Int64, _ action: @escaping () -> Void) {
        let life = life
        world.plan(at: world.now + delay) { [self] in
            if life == self.life { run(action) }
        }
    }

    /// Does it now, or when the process goes on.
    func run(_ action: @escaping () -> Void) {
        guard isUp else { return }
        if isFrozen || !deferred.isEmpty { deferred.append(action) } else { action() }
    }

    func freeze(for length: Int64) {
        guard isUp else { return }
        frozenUntil = max(frozenUntil, world.now + length)
        world.plan(at: frozenUntil) { [self] in resume() }
    }

    private func resume() {
        guard !isFrozen else { return }
        while !deferred.isEmpty, isRunning {
            let action = deferred.removeFirst()
            action()
        }
    }

    func end() {
        isUp = false
        life += 1
        deferred = []
        frozenUntil = 0
    }

    func begin() {
        precondition(!isUp, "a process runs here already")
        isUp = true
    }
}
