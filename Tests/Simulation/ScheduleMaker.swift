/// Makes a schedule of a seed.
struct ScheduleMaker {
    private let seed: UInt64
    private var random: Generator
    private var schedule: Schedule
    private var requests = 0

    /// Faults begin when everyone has a lease, most often.
    private static let first = 300 * Int64.millisecond
    private static let last = 2200 * Int64.millisecond

    init(seed: UInt64) {
        self.seed = seed
        random = Generator(seed &* 0x9E37_79B9 &+ 1)
        schedule = Schedule(seed: seed, validators: 1, issuers: 1, steps: [])
    }

    mutating func make() -> Schedule {
        schedule.validators = random.index(below: 4) + 1
        schedule.issuers = random.once(in: 2) ? 2 : 1
        schedule.logCommits = random.element(of: [1, 3, 8, 100])
        schedule.recordsPerRenewal = random.element(of: [1, 3, 500])
        schedule.isCalm = random.once(in: 10)
        schedule.isFleeting = !schedule.isCalm && random.once(in: 12)
        if random.once(in: 6) { schedule.redisWallError = random.element(of: [-800, 800]) * .millisecond }
        if random.once(in: 3) { schedule.fence = 300 * .millisecond }
        for _ in 0..<random.number(3...9) { add(revocation(), at: instant(from: 100 * .millisecond)) }
        if schedule.isCalm { makeCalm() } else { makeFaults() }
        if seed % 10 == 5, !schedule.isCalm { makeDamage() }
        schedule.steps.sort { $0.at < $1.at }
        return schedule
    }

    /// In every tenth schedule, and drawn from numbers of its own, so that the others are what they were.
    private mutating func makeDamage() {
        var random = Generator(seed &* 0xD1B5_4A33 &+ 1)
        // What has expired is not looked for.
        schedule.forgetsPeriods = random.once(in: 2) && !schedule.isFleeting
        for _ in 0..<random.number(schedule.forgetsPeriods ? 0...1 : 1...2) {
            let damages: [Schedule.Damage] = [
                .key(random.element(of: ModelRedis.Key.allCases)), .record, .record, .chunk, .bytes, .bytes, .moreBytes,
                .directory, .endlessDirectory,
            ]
            add(.damage(random.element(of: damages)), at: random.number(Self.first...Self.last))
        }
    }

    private var hour: Int64 { 3600 * .second }

    private mutating func add(_ event: Schedule.Event, at instant: Instant) {
        schedule.steps.append(Schedule.Step(at: instant, event: event))
    }

    private mutating func instant(from first: Instant = ScheduleMaker.first) -> Instant {
        random.number(first...Self.last)
    }

    private mutating func milliseconds(_ range: ClosedRange<Int64>) -> Int64 {
        random.number(range.lowerBound * .millisecond...range.upperBound * .millisecond)
    }

    private mutating func node() -> Schedule.Node { random.index(below: schedule.validators + schedule.issuers) }

    private mutating func validator() -> Schedule.Node { random.index(below: schedule.validators) }

    private mutating func issuer() -> Int { random.index(below: schedule.issuers) }

    /// Most often well below a lease, sometimes three of them.
    private mutating func span() -> Int64 {
        random.once(in: 3)
            ? random.number(Settings.lease...(3 * Settings.lease)) : random.number(.millisecond...Settings.lease)
    }

    private mutating func revocation() -> Schedule.Event {
        var request: Int?
        if random.once(in: 2) {
            requests += 1
            request = requests
        }
        return .revoke(
            token: random.index(below: Simulation.last), at: issuer(), isAwaited: !random.once(in: 3),
            request: request)
    }

    /// Outages that end early enough for a lease to be renewed: after an interval and an answer that did not come.
    private mutating func makeCalm() {
        let longest = Settings.lease - Settings.renewInterval * 12 / 10 - Settings.answerTimeout - 40 * .millisecond
        var at = World.warm
        while at < Self.last + .second {
            let length = random.number(.millisecond...longest)
            switch random.index(below: schedule.issuers == 1 ? 5 : 4) {
            case 0: add(.partition(node(), length), at: at)
            case 1: add(.disconnect(node()), at: at)
            case 2: add(.freezeRedis(length), at: at)
            case 3: add(.disturb(node(), mood(), random.number(.millisecond...(2 * .second))), at: at)
            default: add(.restartRedis(.everything, down: length / 2), at: at)
            }
            at += length + Settings.lease + milliseconds(0...300)
        }
    }

    private mutating func mood() -> Schedule.Mood {
        Schedule.Mood(drops: random.once(in: 2), repeats: random.once(in: 2), garbles: random.once(in: 4))
    }

    private mutating func makeFaults() {
        let count = random.number(1...8)
        for _ in 0..<count {
            let at = instant()
            switch random.index(below: 10) {
            case 0...3: addProcessFault(at: at)
            case 4...6: addNetworkFault(at: at)
            default: addRedisFault(at: at)
            }
        }
        if random.once(in: 6) { addLostIssuer() }
        if random.once(in: 6) { addWrongTime(at: instant()) }
    }

    private mutating func addProcessFault(at instant: Instant) {
        switch random.index(below: 12) {
        case 0...2: add(.freeze(node(), span()), at: instant)
        case 3, 4: addClockFault(at: instant)
        case 5...7: add(.crash(node(), down: milliseconds(20...600)), at: instant)
        case 8: add(.leave(node(), down: milliseconds(20...400)), at: instant)
        case 9: add(.copy(validator()), at: instant)
        default: add(.fillDisk(issuer: issuer(), milliseconds(20...600)), at: instant)
        }
    }

    /// The clocks of a machine are set or frozen, never both: a jump that makes up for a pause cannot be seen.
    private mutating func addClockFault(at instant: Instant) {
        let node = node()
        if schedule.isFleeting {
            return add(.setWall(validator(), random.element(of: [-80, 80]) * .second, for: wrongTime()), at: instant)
        }
        if node % 2 == 0 {
            let isNoticed = random.once(in: 2)
            let length =
                isNoticed
                ? milliseconds(120...1500)
                : random.number(.millisecond...(95 * .millisecond))
            add(.pauseMachine(node, length), at: instant)
        } else {
            let sign = random.element(of: [-1, 1] as [Int64])
            if random.once(in: 4) {
                add(.setWall(node, sign * random.number(.millisecond...(200 * .millisecond)), for: 0), at: instant)
            } else {
                add(.setWall(node, sign * random.element(of: [hour, 48 * hour]), for: wrongTime()), at: instant)
            }
        }
    }

    private mutating func wrongTime() -> Int64 { milliseconds(10...900) }

    /// The tokens expire by all clocks, and indices drop their revocations; outboxes and Redis do not yet.
    private mutating func addWrongTime(at instant: Instant) {
        guard !schedule.isFleeting else { return }
        add(.setAllWalls(24 * hour + random.number((70 * .second)...(500 * .second)), for: wrongTime()), at: instant)
    }

    private mutating func addNetworkFault(at instant: Instant) {
        switch random.index(below: 8) {
        case 0...3: add(.partition(node(), span()), at: instant)
        case 4: add(.disconnect(node()), at: instant)
        default: add(.disturb(node(), mood(), span()), at: instant)
        }
    }

    private mutating func addRedisFault(at instant: Instant) {
        let down = milliseconds(5...500)
        switch random.index(below: 16) {
        case 0: add(.restartRedis(.everything, down: down), at: instant)
        case 1, 2: add(.restartRedis(.all(butTheLast: milliseconds(0...400)), down: down), at: instant)
        case 3: add(.restartRedis(.nothing, down: down), at: instant)
        case 4: add(.restartRedis(.all(butTheLast: random.number(.second...(2 * .second))), down: down), at: instant)
        case 5: add(.freezeRedis(span()), at: instant)
        case 6: add(.flush, at: instant)
        case 7: add(.delete(random.element(of: ModelRedis.Key.allCases)), at: instant)
        case 8: add(.deleteChunk, at: instant)
        case 9: add(.trim, at: instant)
        case 10: add(.failScripts(milliseconds(10...400)), at: instant)
        case 11:
            guard !schedule.isFleeting else { return }
            add(.setRedisWall(random.element(of: [-1, 1]) * hour, for: wrongTime()), at: instant)
        default: addFailOver(at: instant)
        }
    }

    private mutating func addFailOver(at instant: Instant) {
        guard schedule.fence > 0 else { return add(.flush, at: instant) }
        let nodes = 0..<schedule.validators + schedule.issuers
        let staying = nodes.filter { _ in random.once(in: 3) }
        let lag = random.once(in: 2) ? 0 : milliseconds(0...300)
        let isRevisited = random.once(in: 2)
        let length = isRevisited ? milliseconds(300...700) : milliseconds(10...700)
        add(.failOver(lag: lag, staying: Array(staying), for: length), at: instant)
        guard isRevisited else { return }
        let (issuer, later) = (issuer(), instant + milliseconds(20...250))
        add(.revisit(schedule.validators + issuer, milliseconds(20...300)), at: later)
        let token = random.index(below: Simulation.last)
        add(.revoke(token: token, at: issuer, isAwaited: true, request: nil), at: later + milliseconds(5...60))
        guard random.once(in: 2) else { return }
        // What it stored there is on its disk alone.
        add(.crash(schedule.validators + issuer, down: milliseconds(900...1500)), at: later + milliseconds(40...160))
    }

    /// An issuer dies, Redis loses its data, and an operator says that the issuer will not come back; then it does.
    private mutating func addLostIssuer() {
        guard schedule.issuers == 2 else { return }
        let (lost, at) = (issuer(), random.number(Self.first...(1200 * .millisecond)))
        add(.crash(schedule.validators + lost, down: milliseconds(400...1200)), at: at)
        add(.restartRedis(.nothing, down: 10 * .millisecond), at: at + milliseconds(0...100))
        add(.excuse(issuer: lost, at: 1 - lost), at: at + milliseconds(150...700))
    }
}
