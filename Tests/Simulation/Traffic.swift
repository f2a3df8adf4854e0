import Quash

/// Clients that present tokens, and callers that revoke them.
final class Traffic {
    private unowned let world: World
    private var nested = 0

    private static let interval = 45 * Int64.millisecond

    init(_ world: World) { self.world = world }

    func start() { world.plan(at: world.now + world.random.number(1...(2 * Self.interval))) { [self] in present() } }

    private func present() {
        start()
        let followers = world.followers
        guard !followers.isEmpty else { return }
        decide(world.random.element(of: followers))
    }

    /// A decision may have begun before the node heard of Redis again, and end after.
    func followerConnected(_ follower: SimulatedFollower) {
        guard !world.schedule.isCalm, world.random.once(in: 2) else { return }
        follower.machine.after(world.random.number(0...(3 * .millisecond))) { [self] in
            decide(follower, pause: world.random.number(1...(40 * .millisecond)), freezes: false)
        }
    }

    private func decide(_ follower: SimulatedFollower) {
        let isIdle = world.schedule.isCalm || world.isQuiet || !world.random.once(in: 3)
        let pause = isIdle ? 0 : world.random.number(1...Settings.lease)
        decide(follower, pause: pause, freezes: world.random.once(in: 3))
    }

    private func token() -> Int {
        let candidates = members(of: world.history.forbidden)
        return candidates.isEmpty || world.random.once(in: 4)
            ? world.random.index(below: Tokens.count) : world.random.element(of: candidates)
    }

    /// - Parameter pause: how long the thread is stopped between the look-up and the look at the clock.
    /// - Parameter freezes: the whole process is.
    private func decide(_ follower: SimulatedFollower, pause: Int64, freezes: Bool) {
        let machine = follower.machine
        let history: History = world.history
        guard machine.isRunning, !follower.isLeaving, !follower.record.isDeciding else { return }
        let token = token()
        let bit: TokenSet = 1 << TokenSet(token)
        let (life, began) = (machine.life, world.now)
        let wasForbidden = history.forbidden & bit & ~history.exempt != 0
        let wasRevoked = history.isRevoked(token, at: follower)
        var held = false
        follower.record.isDeciding = true
        follower.clockIsRead = { [self] in
            if pause > 0, nested < 2 {
                nested += 1
                if freezes { machine.freeze(for: pause) }
                world.run(until: world.now + pause)
                nested -= 1
            }
            held = follower.lease.holds(at: machine.now)
        }
        let compact = world.tokens.compact[token]
        let verdict = follower.validator.validate(compact.span)
        follower.clockIsRead = {}
        follower.record.isDeciding = false
        guard life == machine.life else { return }
        switch verdict {
        case .accepted:
            let when = "began at \(Schedule.span(began)), token \(token)"
            if wasRevoked { history.violate("S0", "\(follower.node) accepts what it knows to be revoked: \(when)") }
            if !held { history.violate("S0", "\(follower.node) accepts without a lease: \(when)") }
            guard wasForbidden else { return }
            let invariant = history.confirmed & bit == 0 ? "S6" : "S1"
            history.violate(invariant, "\(follower.node) accepts what is forbidden: \(when)")
        case .refused(let refusal):
            guard token >= Tokens.revocable else { return }
            // By all clocks that there are it had expired.
            guard began > world.wrongUntil else { return }
            history.violate("401", "\(follower.node) refuses a valid token: \(refusal.name)")
        case .unavailable:
            guard token >= Tokens.revocable, world.schedule.isCalm, world.now > World.warm,
                follower.record.hasHeldLease
            else { return }
            history.violate("503", "\(follower.node) has no lease, and no outage was long")
        }
    }

    // MARK: Revocations

    func revoke(_ token: Int, at issuer: Int, isAwaited: Bool, request: Int?, attempt: Int = 0) {
        let history: History = world.history
        guard let process = world.issuers[issuer] else { return }
        history.asked |= 1 << TokenSet(token)
        world.taken[issuer] |= 1 << TokenSet(token)
        let commit = FeedWriter.Commit(
            revocations: [world.tokens.revocations[token]],
            requestID: request.map { "request-\($0)" } ?? "", isAwaited: isAwaited)
        process.machine.run { [self] in
            guard process.follower.isClockRight else {
                return retry(token, at: issuer, isAwaited: isAwaited, request: request, attempt: attempt)
            }
            process.publisher.publish(commit) { [self] stored in
                guard let stored else {
                    return retry(token, at: issuer, isAwaited: isAwaited, request: request, attempt: attempt)
                }
                history.answered(token, by: issuer)
                guard isAwaited else { return }
                process.observer.confirm(stored, within: .seconds(3)) { isConfirmed in
                    if isConfirmed { history.confirmed(token) }
                }
            }
        }
    }

    /// A caller that was told 503 asks again, there or at another issuer.
    private func retry(_ token: Int, at issuer: Int, isAwaited: Bool, request: Int?, attempt: Int) {
        world.note("token \(token) is answered 503")
        guard attempt < 4 else { return }
        let next = world.random.index(below: world.schedule.issuers)
        world.plan(at: world.now + world.random.number(.millisecond...(200 * .millisecond))) { [self] in
            revoke(token, at: next, isAwaited: isAwaited, request: request, attempt: attempt + 1)
        }
    }
}
