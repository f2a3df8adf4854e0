import Quash

/// Runs schedules and says what they break.
package enum Simulation {
    /// What a course of a schedule came to.
    package struct Outcome: Equatable, Sendable {
        /// The first promise that was broken.
        package let violation: Violation?
        /// Of all that happened.
        package let digest: UInt64
        /// What happened, when that was asked for.
        package let notes: [String]
        let confirmed: Int
        let answered: Int
    }

    /// After the last fault, until everything must be well again.
    static let settling = 2600 * Int64.millisecond
    /// After the last fault, until a validator is started that has heard of nothing.
    static let fresh = 1600 * Int64.millisecond
    /// Before that, where data was damaged.
    static let repairing = 4000 * Int64.millisecond
    /// The token that is revoked when all is well, and must be confirmed.
    static let last = Tokens.revocable - 1

    /// The schedule of a seed.
    package static func schedule(_ seed: UInt64) -> Schedule {
        var maker = ScheduleMaker(seed: seed)
        return maker.make()
    }

    /// Runs one schedule.
    ///
    /// - Parameter isNoted: whether what happens is written down.
    package static func run(_ schedule: Schedule, isNoted: Bool = false) -> Outcome {
        let world = World(schedule, isNoted: isNoted)
        defer { world.close() }
        let nodes = schedule.validators + schedule.issuers
        for node in 0..<nodes { world.plan(at: world.random.number(0...(50 * .millisecond))) { world.boot(node) } }
        for step in schedule.steps { world.plan(at: step.at) { world.perform(step.event) } }
        world.traffic.start()
        var end = max(schedule.end, World.warm)
        world.run(until: end)
        world.isQuiet = true
        if schedule.isDamaged {
            // Damage to the live set is found by who reads it; each epoch that follows is begun more slowly.
            world.note("a validator is started that reads all there is")
            _ = world.addValidator(named: "reader")
            end += repairing
            world.run(until: end)
        }
        world.run(until: end + fresh)
        if schedule.forgetsPeriods {
            world.note("every period is taken out of the directory")
            world.history.tookAway(world.master)
            world.master.data.directory = [:]
            end += repairing
            world.run(until: end + fresh)
        }
        if world.history.violation == nil {
            world.note("a validator is started that has heard of nothing")
            _ = world.addValidator(named: "fresh")
            world.traffic.revoke(last, at: 0, isAwaited: true, request: nil)
            world.run(until: end + settling)
            world.history.settle()
        }
        return Outcome(
            violation: world.history.violation, digest: world.digest, notes: world.noted,
            confirmed: world.history.confirmed.nonzeroBitCount, answered: world.history.answered.nonzeroBitCount)
    }
}

extension History {
    /// Liveness: when the faults are over, everyone follows at the head with a lease, and refuses what was revoked.
    func settle() {
        guard let redis = world.master.data.current, redis.isOpen, let head = world.master.data.sequence else {
            return violate("liveness", "no epoch is open")
        }
        let position = FeedPosition(epoch: redis.nonce, sequence: head)
        let durable = world.disks.reduce(0) { $0 | $1.tokens }
        let due = answered | (durable & asked)
        for follower in world.followers {
            guard follower.lease.holds(at: follower.machine.now) else {
                violate("liveness", "\(follower.node) has no lease")
                continue
            }
            if follower.feed.position != position {
                let place = follower.feed.position?.description ?? "nowhere"
                violate("liveness", "\(follower.node) stands at \(place), and the head is \(position)")
            }
            let good = world.tokens.compact[Tokens.count - 1]
            guard case .accepted = follower.validator.validate(good.span) else {
                violate("liveness", "\(follower.node) has a lease and does not accept a good token")
                continue
            }
            let accepted = acceptable(due, at: follower)
            if accepted != 0 {
                violate("liveness", "\(follower.node) still accepts tokens \(members(of: accepted))")
            }
        }
        if answered >> TokenSet(Simulation.last) & 1 == 0 { violate("liveness", "the last revocation is not stored") }
        if confirmed >> TokenSet(Simulation.last) & 1 == 0 {
            violate("liveness", "the last revocation is not confirmed")
        }
    }
}
