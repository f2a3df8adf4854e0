import Quash

/// What an issuer has on its disk: it outlives the process.
final class Disk {
    let outbox: Nonce
    private(set) var starts: [Nonce] = []
    /// Commits that this issuer appended itself.
    private(set) var count: UInt64 = 0
    private(set) var bindings: [Nonce: String] = [:]
    private(set) var hasLostRecords = false
    private(set) var entered: [Epoch] = []
    private(set) var revocations: [Revocation] = []
    /// What this issuer took itself or heard, as a set.
    private(set) var tokens: TokenSet = 0
    /// Nothing more can be written until then.
    var fullUntil: Instant = 0

    func append(_ revocations: [Revocation], _ tokens: TokenSet) {
        self.revocations += revocations
        self.tokens |= tokens
    }

    init(outbox: Nonce) { self.outbox = outbox }

    func enter(_ epoch: Epoch) { entered.append(epoch) }

    func begin(_ start: Nonce) { starts.append(start) }

    func counted() { count += 1 }

    func bind(_ outbox: Nonce, to name: String?) { bindings[outbox] = name }

    func noteLoss(_ hasLostRecords: Bool, count: UInt64 = 0) {
        self.hasLostRecords = hasLostRecords
        self.count = max(self.count, count)
    }

    /// Written, and not yet known to be durable.
    var inFlight: [Revocation] = []

    /// The machine goes down: what was in flight may be there or not.
    func crash(keeps: Bool, _ tokens: Tokens) {
        if keeps { append(inFlight, tokens.set(of: inFlight)) }
        inFlight = []
    }
}

/// The driver of the file: as `Outbox`, which writes what has come meanwhile with one synchronisation.
final class SimulatedOutbox {
    private enum Job {
        case append([Revocation], done: (Bool) -> Void)
        case enter(Epoch, done: (Bool) -> Void)
        case mirror([Revocation])
        case flush(done: (Bool) -> Void)
        case read(done: ([Revocation]) -> Void)
        case view((borrowing RevocationIndex.Writer) -> Void)
        case discardTime
    }

    private let machine: Machine
    private let disk: Disk
    private unowned let world: World
    private let index = RevocationIndex()
    private var durable: RevocationIndex.Writer
    private var jobs: [Job] = []
    private var isScheduled = false
    private var backlog: [Revocation] = []

    /// Whether anything may be forgotten by the civil clock.
    var isClockRight: () -> Bool = { false }

    /// As `Outbox.retention`.
    private static let retention = 600 * Int64.second

    init(_ machine: Machine, _ disk: Disk, in world: World) {
        self.machine = machine
        self.disk = disk
        self.world = world
        durable = index.makeWriter(maxRevocations: .max, clockSkew: .nanoseconds(Self.retention))
        add(disk.revocations)
    }

    func append(_ revocations: [Revocation], done: @escaping (Bool) -> Void) {
        submit(.append(revocations, done: done))
    }

    func enter(_ epoch: Epoch, done: @escaping (Bool) -> Void) { submit(.enter(epoch, done: done)) }

    func mirror(_ revocations: [Revocation]) { submit(.mirror(revocations)) }

    func flush(done: @escaping (Bool) -> Void) { submit(.flush(done: done)) }

    func read(done: @escaping ([Revocation]) -> Void) { submit(.read(done: done)) }

    func view(_ body: @escaping (borrowing RevocationIndex.Writer) -> Void) { submit(.view(body)) }
    func discardTime() { submit(.discardTime) }

    private func submit(_ job: Job) {
        jobs.append(job)
        guard !isScheduled else { return }
        isScheduled = true
        machine.after(world.random.number(0...(50 * .microsecond))) { [self] in work() }
    }

    private func add(_ revocations: [Revocation]) {
        do {
            try durable.apply(revocations)
        } catch {
            preconditionFailure("an index without a ceiling is full")
        }
    }

    private func work() {
        let batch = jobs
        jobs = []
        var mirrored = backlog
        backlog = []
        var appended: [Revocation] = []
        var isWriting = !mirrored.isEmpty
        for job in batch {
            switch job {
            case .mirror(let revocations):
                let new = revocations.filter { !durable.covers($0) }
                mirrored += new
                add(new)
                if !new.isEmpty { isWriting = true }
            case .append(let revocations, _):
                appended += revocations
                isWriting = true
            case .enter: isWriting = true
            case .discardTime: durable.discardTime()
            case .flush, .read, .view: break
            }
        }
        let isFull = isWriting && world.now < disk.fullUntil
        let cost = isWriting && !isFull ? world.syncDelay() : 0
        let tokens = world.tokens.set(of: mirrored)
        disk.inFlight = isFull ? [] : mirrored + appended
        let finish = { [self] in
            disk.inFlight = []
            if isFull { backlog = mirrored } else { disk.append(mirrored, tokens) }
            for job in batch { done(job, isFull: isFull) }
            if !isFull, isClockRight() { durable.expire(at: machine.now.wall, atOnce: true) }
            isScheduled = false
            if !jobs.isEmpty {
                isScheduled = true
                machine.after(0) { [self] in work() }
            }
        }
        if cost == 0 { finish() } else { machine.after(cost, finish) }
    }

    private func done(_ job: Job, isFull: Bool) {
        switch job {
        case .append(let revocations, let done):
            if !isFull {
                disk.append(revocations, world.tokens.set(of: revocations))
                disk.counted()
                add(revocations)
            }
            answer { done(!isFull) }
        case .enter(let epoch, let done):
            if !isFull { disk.enter(epoch) }
            answer { done(!isFull) }
        case .mirror, .discardTime: break
        case .flush(let done):
            answer { done(!isFull) }
        case .read(let done):
            let milliseconds = machine.now.wall.milliseconds - Self.retention / .millisecond
            let revocations = durable.revocations(
                from: WallInstant(milliseconds: isClockRight() ? milliseconds : 0))
            answer { done(revocations) }
        case .view(let body): body(durable)
        }
    }

    /// On the thread that asked.
    private func answer(_ action: @escaping () -> Void) {
        machine.after(world.random.number(0...(20 * .microsecond)), action)
    }
}
