import Quash
import QuashCrypto
import QuashJWT
import QuashLoop
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// A civil clock that is set, and set right again, at a node that follows a real Redis.
@Suite struct ClockFaultTests {
    /// The clocks of this machine, and a civil time that a test sets.
    private final class SetClock: Sendable {
        private let step = Locked<Duration>(.zero)

        func set(by step: Duration) { self.step.withLock { $0 = step } }

        func now() -> ClockReading {
            let now = ClockReading.now()
            let (seconds, attoseconds) = step.withLock { $0.components }
            return ClockReading(
                boot: now.boot,
                wallNanoseconds: now.wallNanoseconds + seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        }
    }

    private let script: ScriptCaller
    private let clock = SetClock()
    private let record = LogRecorder()
    private let signer: TokenSigner

    init() throws {
        script = try ScriptCaller()
        try script.open()
        signer = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8)))
    }

    private func follow() throws -> FeedThread {
        var settings = FeedFollower.Settings(
            redis: try RedisOptions(url: RedisURL(script.redis.url)), node: "node",
            feed: Feed.Settings(lease: .seconds(2), renewInterval: .milliseconds(100)), maxRevocations: 1000,
            clockSkew: .zero)
        settings.clock = clock.now
        return try FeedThread(settings: settings, log: record.logger)
    }

    private func validator(_ feed: FeedThread) throws -> Validator {
        try Validator(
            keys: KeySet([signer.publicKey]), policy: TokenPolicy(), clockSkew: .zero, index: feed.index,
            lease: feed.lease, cachedTokens: 64, clock: clock.now)
    }

    private func token(_ id: String) throws -> [UInt8] {
        let now = ClockReading.now().wall.seconds
        let claims = Claims(
            subject: "alice", issuedAt: NumericDate(seconds: now), expiresAt: NumericDate(seconds: now + 600), id: id)
        return try signer.sign(claims, type: .access)
    }

    /// What a validator says, in a word.
    private func word(_ verdict: Verdict) -> String {
        switch verdict {
        case .accepted: "accepted"
        case .refused(let refusal): refusal.name
        case .unavailable(let reason): reason.rawValue
        }
    }

    private func count(_ event: LoggedEvent) -> Int { record.lines.all.count { $0.message == event.text } }

    /// Through the fault and after it no valid token is refused and no revoked one accepted; and the node serves again
    /// by itself.
    @Test(arguments: [3600, -3600, 691_200, 2] as [Int64])
    func S1_aClockThatWasWrongForAWhileIsForgotten(seconds: Int64) throws {
        let feed = try follow()
        defer {
            feed.leave {}
            feed.join()
        }
        let validator = try validator(feed)
        let (good, revoked) = (try token("good"), try token("revoked"))
        let expiry = UInt32(ClockReading.now().wall.seconds + 600)
        _ = try script.revoke([Revocation(key: .token("revoked"), expiresAtSeconds: expiry)])
        func isServing() -> Bool {
            let words = (word(validator.validate(good.span)), word(validator.validate(revoked.span)))
            #expect(["accepted", "clock", "lease_ended"].contains(words.0))
            #expect(words.1 != "accepted" || feed.index.count(of: .token) == 0)
            return words == ("accepted", "revoked") && feed.health.allSatisfy { $0.problem == nil }
        }
        #expect(poll(isServing))

        clock.set(by: .seconds(seconds))
        #expect(word(validator.validate(good.span)) == "clock", "noticed without asking anyone")
        let side = seconds < 0 ? "behind" : "ahead of"
        let isTold = poll {
            !isServing() && feed.health.contains { $0.problem?.hasSuffix("ms \(side) that of Redis") ?? false }
        }
        #expect(isTold, "\(feed.health)")
        #expect(count(.clockWrong) == 1)
        let lead = feed.status.snapshot.clock.lead ?? .zero
        #expect((seconds < 0 ? lead < .seconds(-1) : lead > .seconds(1)), "\(lead)")

        clock.set(by: .zero)
        #expect(poll(within: .seconds(10), isServing))
        #expect(count(.clockWrong) == 1 && count(.clockRight) == 1)
        #expect(record.lines.all.contains { $0.message == LoggedEvent.feedResync.text })
    }

    /// It never held a lease by which its clock could be judged.
    @Test func aNodeThatStartsWithAWrongClockDecidesNothing() throws {
        clock.set(by: .seconds(3600))
        let feed = try follow()
        defer {
            feed.leave {}
            feed.join()
        }
        let validator = try validator(feed)
        let good = try token("good")
        #expect(poll { feed.health.contains { $0.problem?.hasSuffix("ahead of that of Redis") ?? false } })
        #expect(word(validator.validate(good.span)) == "lease_ended")
        clock.set(by: .zero)
        #expect(poll { self.word(validator.validate(good.span)) == "accepted" })
    }
}

/// An outbox and a clock that may be wrong.
@Suite struct OutboxClockTests {
    @Test(arguments: [true, false])
    func nothingIsForgottenByAClockThatMayBeWrong(isRight: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("outbox")
        let expired = Revocation.token(1, expiresAtSeconds: 1_600_000_000)
        let alive = Revocation.token(2, expiresAtSeconds: UInt32(ClockReading.now().wall.seconds + 3600))
        func contents(isClockRight: Bool, adding: [Revocation] = []) throws -> Set<Revocation> {
            let outbox = try Outbox(path: path, issuer: "a", log: Fleet.silent) { isClockRight }
            defer { outbox.close() }
            let (done, read) = (Recorder<Bool>(), Recorder<[Revocation]>())
            outbox.append(adding) { done.record($0 != nil) }
            #expect(try done.wait(count: 1) == [true])
            outbox.read { read.record($0) }
            return Set(try read.wait(count: 1)[0])
        }
        #expect(
            try contents(isClockRight: isRight, adding: [expired, alive]) == (isRight ? [alive] : [expired, alive]))
        _ = try contents(isClockRight: isRight)
        let kept = try contents(isClockRight: false)
        #expect(kept == (isRight ? [alive] : [expired, alive]), "each start writes the file anew")
    }
}
