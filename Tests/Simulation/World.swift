import Quash

/// One course of a schedule: every machine, the network and Redis, on one thread, in virtual time.
final class World {
    let schedule: Schedule
    let settings: Settings
    let tokens: Tokens
    private(set) var now: Instant = 0
    var random: Generator
    private(set) var history: History!
    private(set) var traffic: Traffic!
    private var timeline = Timeline()
    /// What happened, in words; only when it is wanted.
    private var notes: [String]?
    /// Of everything that happened.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

    private(set) var master: RedisHost!
    /// Who is still with an old master, by name.
    private var staying: [String: RedisHost] = [:]
    private var cuts: [String: Instant] = [:]
    private var moods: [String: (mood: Schedule.Mood, until: Instant)] = [:]
    private(set) var machines: [Machine] = []
    private(set) var disks: [Disk] = []
    /// By issuer: what its callers asked it to revoke.
    var taken: [TokenSet] = []
    private(set) var issuers: [IssuerProcess?] = []
    private var validators: [SimulatedFollower?] = []
    /// Everything that ever ran, to be taken apart at the end.
    private var processes: [IssuerProcess] = []
    private var allFollowers: [SimulatedFollower] = []
    private var hosts: [RedisHost] = []
    private var boots = 0

    /// When all clocks were last wrong together; at the end of time while they are.
    private(set) var wrongUntil: Instant = -1

    /// The faults are over: the network and the disks are quick from now on.
    var isQuiet = false

    /// By then everyone has a lease, when nothing is in the way.
    static let warm = 700 * Int64.millisecond

    init(_ schedule: Schedule, isNoted: Bool) {
        self.schedule = schedule
        settings = Settings(schedule)
        tokens = schedule.isFleeting ? .fleeting : .lasting
        random = Generator(schedule.seed)
        notes = isNoted ? [] : nil
        history = History(self, tokens)
        traffic = Traffic(self)
        master = addRedis(data: nil, wallError: schedule.redisWallError)
        for node in 0..<schedule.validators + schedule.issuers {
            machines.append(makeMachine(schedule.name(node), index: node))
        }
        validators = Array(repeating: nil, count: schedule.validators)
        issuers = Array(repeating: nil, count: schedule.issuers)
        disks = (0..<schedule.issuers).map { _ in Disk(outbox: start()) }
        taken = Array(repeating: 0, count: schedule.issuers)
    }

    private func makeMachine(_ name: String, index: Int) -> Machine {
        Machine(
            name, in: self,
            clock: NodeClock(
                ratePPM: random.number(-500...500), boot: random.number(0...(1000 * .second)),
                wallError: random.number((-20 * .millisecond)...(20 * .millisecond))))
    }

    private func addRedis(data: ModelRedis?, wallError: Int64) -> RedisHost {
        let clock = NodeClock(ratePPM: random.number(-500...500), boot: 0, wallError: wallError)
        let redis = RedisHost(number: hosts.count + 1, in: self, data: data, clock: clock)
        hosts.append(redis)
        return redis
    }

    // MARK: Time

    func plan(at instant: Instant, _ action: @escaping () -> Void) { timeline.plan(at: max(now, instant), action) }

    /// Lets happen what happens until then.
    func run(until end: Instant) {
        while history.violation == nil, let next = timeline.next, next <= end,
            let first = timeline.popFirst()
        {
            now = first.at
            first.action()
        }
        if history.violation == nil { now = max(now, end) }
    }

    /// How long a timer takes that shall come then by the clock of a machine: never earlier, by that clock.
    func timerDelay(_ instant: BootInstant, on machine: Machine) -> Int64 {
        let wait = instant.nanoseconds - machine.now.boot.nanoseconds
        return max(0, wait + wait / 2000) + random.number(0...(.millisecond))
    }

    /// Sets the civil clocks of some machines, and back after a while; of none when that is zero.
    func setWalls(of machines: [Machine], by jump: Int64, for length: Int64) {
        for machine in machines { machine.clock.setWall(by: jump) }
        guard length > 0 else { return }
        plan(at: now + length) {
            for machine in machines { machine.clock.setWall(by: -jump) }
        }
    }

    /// Sets all of them.
    func setAllWalls(by jump: Int64, for length: Int64) {
        wrongUntil = .max
        setWalls(of: machines + [master.machine], by: jump, for: length)
        plan(at: now + length) { [self] in wrongUntil = now }
    }

    // MARK: Chance

    /// How long a client waits before it connects again, that many having failed before.
    func backoff(after failures: Int) -> Int64 {
        let whole = min(200 * Int64.millisecond, (5 * .millisecond) << Int64(min(failures, 10)))
        return whole / 2 + random.number(0...(whole / 2))
    }

    func hexadecimal(_ digits: Int) -> String {
        String((0..<digits).map { _ in Character(String(random.next() & 15, radix: 16)) })
    }

    func nonce() -> Epoch {
        guard let epoch = Epoch(hexadecimal(16)) else { preconditionFailure("16 hexadecimal digits are an epoch") }
        return epoch
    }

    /// Of an outbox, or of a start of an issuer.
    func start() -> Nonce {
        guard let nonce = Nonce(hexadecimal(16)) else { preconditionFailure("16 hexadecimal digits are a nonce") }
        return nonce
    }

    /// From one machine to another, most often quickly.
    func delay() -> Int64 {
        let usual = random.number((50 * .microsecond)...(800 * .microsecond))
        if schedule.isCalm || isQuiet { return usual }
        if random.once(in: 200) { return random.number((20 * .millisecond)...(150 * .millisecond)) }
        return random.once(in: 20) ? random.number(.millisecond...(20 * .millisecond)) : usual
    }

    /// Of one synchronisation of a file.
    func syncDelay() -> Int64 {
        let isSlow = !schedule.isCalm && !isQuiet && random.once(in: 15)
        return random.number((100 * .microsecond)...((isSlow ? 60 : 2) * .millisecond))
    }

    // MARK: Who is there

    var issuerNames: [String] { (0..<schedule.issuers).map(issuerName) }

    func issuerName(_ number: Int) -> String { machines[schedule.validators + number].name }

    /// Every node that may accept tokens.
    var followers: [SimulatedFollower] { allFollowers.filter { $0.machine.isUp && !$0.isEnded } }

    func disk(of follower: SimulatedFollower) -> Disk? {
        issuers.firstIndex { $0?.follower === follower }.map { disks[$0] }
    }

    func route(_ machine: Machine) -> RedisHost { staying[machine.name] ?? master }

    func cutEnd(_ machine: Machine, _ redis: RedisHost) -> Instant? {
        guard !cuts.isEmpty, let end = cuts["\(machine.name) \(redis.machine.name)"], end > now else { return nil }
        return end
    }

    func mood(of machine: Machine) -> Schedule.Mood {
        guard let (mood, until) = moods[machine.name], now < until else { return Schedule.Mood() }
        return mood
    }

    // MARK: Telling

    func note(_ text: @autoclosure () -> String) {
        let line = text()
        for byte in line.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
        digest = (digest ^ UInt64(bitPattern: now)) &* 0x100_0000_01B3
        notes?.append("\(Schedule.span(now)): \(line)")
    }

    var noted: [String] { notes ?? [] }

    // MARK: Processes

    func boot(_ node: Schedule.Node) {
        let machine = machines[node]
        if !machine.isUp { machine.begin() }
        boots += 1
        note("\(machine.name) starts")
        if node < schedule.validators {
            validators[node] = startValidator("\(machine.name)/\(boots)", on: machine)
        } else {
            let issuer = node - schedule.validators
            let process = IssuerProcess(machine.name, boot: boots, on: machine, disks[issuer], in: self)
            issuers[issuer] = process
            processes.append(process)
            allFollowers.append(process.follower)
            process.start()
        }
    }

    @discardableResult
    private func startValidator(_ node: String, on machine: Machine) -> SimulatedFollower {
        let follower = SimulatedFollower(node, on: machine, in: self)
        allFollowers.append(follower)
        follower.start()
        return follower
    }

    /// A process of its own, on a machine of its own.
    func addValidator(named name: String) -> SimulatedFollower {
        boots += 1
        let machine = makeMachine("\(name)#\(boots)", index: machines.count)
        return startValidator("\(name)/\(boots)", on: machine)
    }

    func end(_ node: Schedule.Node) {
        let machine = machines[node]
        guard machine.isUp else { return }
        machine.end()
        follower(node)?.isEnded = true
        guard node >= schedule.validators else { return }
        issuers[node - schedule.validators] = nil
        disks[node - schedule.validators].crash(keeps: random.once(in: 2), tokens)
    }

    func follower(_ node: Schedule.Node) -> SimulatedFollower? {
        node < schedule.validators ? validators[node] : issuers[node - schedule.validators]?.follower
    }

    // MARK: The network

    func cut(_ machine: Machine, for length: Int64) {
        let redis = route(machine)
        cuts["\(machine.name) \(redis.machine.name)"] = now + length
        plan(at: now + length) { [self] in
            if random.once(in: 3) { redis.disconnect(machine) }
        }
    }

    func disturb(_ machine: Machine, _ mood: Schedule.Mood, for length: Int64) {
        moods[machine.name] = (mood, now + length)
    }

    /// A replica takes over; who stays sees the old master for a while.
    func failOver(lag: Int64, staying nodes: [Schedule.Node], for length: Int64) {
        let old: RedisHost = master
        guard !old.isDown else { return }
        master = addRedis(data: old.past(lag), wallError: schedule.redisWallError)
        note("\(master.machine.name) takes over from \(old.machine.name)")
        old.fencedFrom = now + random.number(0...schedule.fence)
        for node in nodes { staying[machines[node].name] = old }
        for machine in machines where staying[machine.name] == nil { old.disconnect(machine) }
        for follower in allFollowers where !machines.contains(where: { $0 === follower.machine }) {
            old.disconnect(follower.machine)
        }
        plan(at: now + length) { [self] in
            for machine in machines where staying[machine.name] === old { staying[machine.name] = nil }
            if !old.isDown { old.stop() }
        }
    }

    /// Back to the master that was replaced last, for a while.
    func revisit(_ machine: Machine, for length: Int64) {
        guard let old = hosts.last(where: { $0 !== master && !$0.isDown }), staying[machine.name] == nil else { return }
        staying[machine.name] = old
        master.disconnect(machine)
        plan(at: now + length) { [self] in
            guard staying[machine.name] === old else { return }
            staying[machine.name] = nil
            old.disconnect(machine)
        }
    }

    /// Takes everything apart, so that nothing holds itself.
    func close() {
        timeline = Timeline()
        for process in processes { process.close() }
        for follower in allFollowers { follower.close() }
        for redis in hosts where !redis.isDown { redis.stop() }
    }
}
