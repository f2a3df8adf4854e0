import Logging
import Quash
import QuashCrypto
import QuashLoop
import QuashRedis

/// Commits revocations to the feed, and restores it: the driver of ``FeedWriter`` on the issuer's loop.
final class RevocationPublisher {
    /// Where a revocation was stored, and who may hold a lease that was granted before.
    struct Stored {
        let position: FeedPosition
        let registry: Registry
        /// When the answer had arrived.
        let time: ClockReading
    }

    typealias Answer = (Result<Stored, any Error>) -> Void

    private static let timeout: Duration = .seconds(2)

    private let client: RedisClient
    private let outbox: Outbox
    private let registrar: IssuerRegistrar
    private let home: LoopThread
    private let lease: Duration
    private let maxClockDeviation: Duration
    private let metrics: IssuerMetrics
    private let log: Logger
    private var writer: FeedWriter
    private var answers: [FeedWriter.ID: Answer] = [:]
    private var timer: Timer?
    /// Told whenever that may have changed: whether nothing could be committed when it was last tried a few times.
    var failing: (Bool) -> Void = { _ in }

    /// Called whenever commits go to another epoch, or to the same one on another connection.
    var entered: (Epoch, _ lease: Duration, _ fence: Duration) -> Void = { _, _, _ in }
    /// Called when the feed is whole as far as this issuer knows, and leases are granted.
    var opened: () -> Void = {}

    /// - Parameter home: the thread of `loop`, to which the outbox answers.
    init(
        client: RedisClient, outbox: Outbox, registrar: IssuerRegistrar, on loop: Loop, home: LoopThread,
        settings: FeedWriter.Settings, lease: Duration, maxClockDeviation: Duration, metrics: IssuerMetrics,
        log: Logger
    ) {
        self.client = client
        self.registrar = registrar
        self.outbox = outbox
        self.home = home
        self.lease = lease
        self.maxClockDeviation = maxClockDeviation
        self.metrics = metrics
        self.log = log
        writer = FeedWriter(
            settings: settings, entered: outbox.enteredEpochs, now: .now, seed: .random(in: .min ... .max))
        timer = Timer(on: loop) { [weak self] in
            guard let self else { return }
            perform(writer.deadlineReached(now: .now))
        }
        registrar.registered = { [weak self] in
            guard let self else { return }
            perform(writer.connected(now: .now))
        }
        registrar.refused = { [weak self] in
            guard let self else { return }
            perform(writer.disconnected())
        }
    }

    func close() {
        timer?.close()
        registrar.close()
    }

    // MARK: What others ask for

    /// Commits `revocations`, in the order given.
    ///
    /// - Parameter ends: for how long the ends of the sessions among them are remembered by issuers.
    /// - Parameter requestID: a retry with the same one is answered as the first was, and stores nothing; empty for
    ///   none.
    /// - Parameter isAwaited: whether every validator shall report at once that it has applied them.
    /// - Parameter answer: where the last commit stands; or why it is not known to be stored, in which case the same
    ///   call may be made again.
    func publish(
        _ revocations: [Revocation], ends: [SessionEnd] = [], requestID: String = "", isAwaited: Bool = false,
        answer: @escaping Answer
    ) {
        precondition(!revocations.isEmpty, "nothing to revoke")
        // What only this outbox has would not be waited for.
        if let problem {
            return answer(.failure(FeedUnavailable(description: "\(problem)")))
        }
        let ends = Dictionary(ends.map { ($0.session, $0) }, uniquingKeysWith: { $1 })
        publish(RevocationCodec.commits(of: revocations)[...], ends, part: 0, requestID, isAwaited, answer)
    }

    private func publish(
        _ parts: ArraySlice<[Revocation]>, _ ends: [RevocationKey: SessionEnd], part: Int, _ requestID: String,
        _ isAwaited: Bool, _ answer: @escaping Answer
    ) {
        guard let first = parts.first else { preconditionFailure("no commit") }
        let commit = FeedWriter.Commit(
            revocations: first, ends: first.compactMap { ends[$0.key] },
            requestID: requestID.isEmpty || part == 0 ? requestID : "\(requestID)/\(part)",
            // Only the last is awaited: whoever has applied it has applied those before it.
            isAwaited: isAwaited && parts.count == 1)
        let (id, actions) = writer.publish(commit)
        answers[id] = { [weak self] result in
            guard let self, case .success = result, parts.count > 1 else { return answer(result) }
            publish(parts.dropFirst(), ends, part: part + 1, requestID, isAwaited, answer)
        }
        perform(actions)
    }

    /// Commands can be sent to Redis (again), or no more.
    func connectionChanged(isUp: Bool) {
        if !isUp { perform(writer.disconnected()) }
        registrar.connectionChanged(isUp: isUp)
    }

    /// The feed was told that no epoch is open.
    func recoveryNeeded() { perform(writer.recoveryNeeded(now: .now)) }

    /// Where commits go, when everything that is durable here was committed to it as far as is known.
    var settledEpoch: Epoch? { writer.settledEpoch }

    /// Ends the epoch if its data is damaged: see ``FeedWriter/end(_:because:unreadable:now:)``.
    func end(_ epoch: Epoch, because how: EpochDamage, unreadable: [UInt32]) {
        perform(writer.end(epoch, because: how, unreadable: unreadable, now: .now))
    }

    /// The issuers that the epoch waits for before any lease is granted; empty when it does not.
    var waitingFor: [String] { writer.waitingFor }

    /// Why this issuer may not commit; nil while it may.
    var problem: IssuerRegistration.Problem? { registrar.registration.problem }

    /// Binds the name of this issuer to its outbox instead of this one.
    ///
    /// - Returns: false when it is not bound to that.
    func replace(_ outbox: Nonce) -> Bool { registrar.replace(outbox) }

    /// Opens the epoch without these issuers.
    func excuse(_ names: [String]) {
        log.record(.feedExcused, ["without": "\(names.joined(separator: " "))"])
        perform(writer.excuse(names, now: .now))
    }

    // MARK: What to do

    private func perform(_ actions: [FeedWriter.Action]) {
        for action in actions { perform(action) }
        failing(writer.isFailing)
    }

    private func perform(_ action: FeedWriter.Action) {
        switch action {
        case .persist(let id, let commit):
            outbox.append(commit.revocations, ends: commit.ends) { [home, this = LoopBound(self)] count in
                home.submit { _ in this.value.persisted(id, count) }
            }
        case .commit(let id, let commit, let epoch): send(id, commit, epoch)
        case .answer(let id, let outcome):
            let result = Self.result(outcome)
            metrics.committed(isStored: (try? result.get()) != nil)
            answers.removeValue(forKey: id)?(result)
        case .begin(let over, let unreadable, let followsDamage):
            begin(over: over, unreadable: unreadable, followsDamage: followsDamage)
        case .persistEpoch(let epoch):
            outbox.enter(epoch) { [home, this = LoopBound(self)] isDurable in
                home.submit { _ in this.value.persisted(epoch, isDurable) }
            }
        case .entered(let epoch, let lease, let fence): entered(epoch, lease, fence)
        case .readOutbox(let run):
            outbox.read { [home, this = LoopBound(self)] revocations in
                home.submit { _ in
                    let publisher = this.value
                    publisher.perform(publisher.writer.outboxRead(revocations, run: run, now: .now))
                }
            }
        case .readDirectory:
            run(RedisCommand("HGETALL", FeedScript.directoryKey), as: LiveDirectory.init) {
                $0.received($1, now: .now)
            }
        case .read(let page):
            client.send(FeedScript.pageCommand(page), timeout: Self.timeout) { [weak self] in
                self?.answered($0.page, { $0.bytes }) { $0.received(page: $1, now: ClockReading.now()) }
            }
        case .restore(let revocations, let epoch):
            let sessions = revocations.map(\.key).filter { $0.kind == .session }
            guard !sessions.isEmpty else { return restore(FeedWriter.Commit(revocations: revocations), epoch) }
            outbox.readEnds(of: sessions) { [home, this = LoopBound(self)] ends in
                home.submit { _ in this.value.restore(FeedWriter.Commit(revocations: revocations, ends: ends), epoch) }
            }
        case .declareRestored(let epoch, let excused):
            let arguments = FeedScript.restoredArguments(
                epoch, registrar.registration, issuers: writer.settings.issuers, excused: excused)
            run(FeedScript.restored, arguments, as: RestoredReply.init) { $0.declared($1, now: .now) }
        case .wake(let instant): timer?.start(after: max(.zero, instant - .now))
        case .report(let event): report(event)
        }
    }

    /// - Parameter count: how many commits the outbox holds with this one; nil when it does not hold this one.
    private func persisted(_ id: FeedWriter.ID, _ count: UInt64?) {
        if let count { registrar.appended(count) }
        perform(count == nil ? writer.persistFailed(id) : writer.persisted(id, now: .now))
    }

    private func persisted(_ epoch: Epoch, _ isDurable: Bool) {
        perform(isDurable ? writer.persistedEpoch(epoch, now: .now) : writer.runFailed(now: .now))
    }

    private func restore(_ commit: FeedWriter.Commit, _ epoch: Epoch) {
        revoke(commit, epoch) { publisher, result in
            switch result {
            case .success(let reply): publisher.perform(publisher.writer.restored(reply, now: .now))
            case .failure(let error): publisher.runFailed(error)
            }
        }
    }

    private func send(_ id: FeedWriter.ID, _ commit: FeedWriter.Commit, _ epoch: Epoch) {
        revoke(commit, epoch) { publisher, result in
            switch result {
            case .success(let reply): publisher.perform(publisher.writer.committed(id, reply, now: .now))
            case .failure(let error):
                publisher.log.record(.commitUncertain, ["error": "\(error)"])
                publisher.perform(publisher.writer.commitFailed(id, isRefused: error.isRefusal, now: .now))
            }
        }
    }

    private func revoke(
        _ commit: FeedWriter.Commit, _ epoch: Epoch,
        then use: @escaping (RevocationPublisher, Result<RevokeReply, any Error>) -> Void
    ) {
        let arguments = registrar.revokeArguments(commit, to: epoch)
        client.eval(FeedScript.revoke, keys: FeedScript.keys, arguments: arguments, timeout: Self.timeout) {
            [weak self] result in
            guard let self else { return }
            let reply = Result { try RevokeReply(try result.get()) }
            use(self, reply)
            if case .success(.displaced) = reply { registrar.displaced() }
        }
    }

    private static func result(_ outcome: FeedWriter.Outcome) -> Result<Stored, any Error> {
        switch outcome {
        case .stored(let position, let registry):
            .success(Stored(position: position, registry: registry, time: .now()))
        case .notDurable: .failure(FeedUnavailable(description: "the outbox cannot be written"))
        case .unavailable: .failure(FeedUnavailable(description: "the feed cannot be reached, or is being recovered"))
        }
    }

    /// In a Redis that may not hold revocations, or by a clock that may be wrong, no epoch is begun. The two commands
    /// go over one connection: if it is lost between them, the second fails.
    private func begin(over: Epoch?, unreadable: [UInt32], followsDamage: Bool) {
        client.readServerFacts(timeout: Self.timeout) { [weak self] result in
            guard let self else { return }
            do {
                let facts = try result.get()
                var refusals = facts.refusals
                if let lead = facts.clockLead, max(lead, .zero - lead) > maxClockDeviation {
                    refusals.append("the clocks of this issuer and of Redis differ: set them right")
                }
                guard refusals.isEmpty else { throw FeedUnavailable(description: refusals.joined(separator: "; ")) }
                let nonce = Epoch.random()
                run(
                    FeedScript.begin,
                    FeedScript.beginArguments(
                        nonce: nonce, lease: lease, fence: writer.settings.fence, over: over,
                        followsDamage: followsDamage, unreadable: unreadable),
                    as: BeginAnswer.init
                ) { [log] in
                    guard case .epoch(let reply) = $1 else { return $0.mayNotBegin(now: .now) }
                    if reply.isNew { log.record(.epochBegun, ["epoch": "\(reply.epoch)"]) }
                    return $0.begun(reply, now: .now)
                }
            } catch {
                runFailed(error)
            }
        }
    }

    private func run<Reply>(
        _ script: RedisScript, _ arguments: [[UInt8]], as decode: @escaping (RESPValue) throws -> Reply,
        then event: @escaping (inout FeedWriter, Reply) -> [FeedWriter.Action]
    ) {
        client.eval(script, keys: FeedScript.keys, arguments: arguments, timeout: Self.timeout) { [weak self] in
            self?.answered($0, decode, event)
        }
    }

    private func run<Reply>(
        _ command: RedisCommand, as decode: @escaping (RESPValue) throws -> Reply,
        then event: @escaping (inout FeedWriter, Reply) -> [FeedWriter.Action]
    ) {
        client.send(command, timeout: Self.timeout) { [weak self] in self?.answered($0, decode, event) }
    }

    private func answered<Reply>(
        _ result: Result<RESPValue, RedisError>, _ decode: (RESPValue) throws -> Reply,
        _ event: (inout FeedWriter, Reply) -> [FeedWriter.Action]
    ) {
        do {
            perform(event(&writer, try decode(try result.get())))
        } catch {
            runFailed(error)
        }
    }

    /// A connection that was lost says so by itself.
    private func runFailed(_ error: any Error) {
        log.record(.feedNotRestored, ["error": "\(error)"])
        if client.isUp { perform(writer.runFailed(isRefused: error.isRefusal, now: .now)) }
    }

    private func report(_ event: FeedWriter.Event) {
        switch event {
        case .restoring(let count):
            log.record(.feedRestoring, ["revocations": "\(count)"])
        case .opened(let epoch):
            log.record(.epochOpened, ["epoch": "\(epoch)"])
            opened()
        case .waiting(let names):
            log.record(.epochWaiting, ["waiting_for": "\(names.joined(separator: " "))"])
        case .tooSoon(let epoch):
            log.record(.epochFenced, ["epoch": "\(epoch)"])
        case .damaged(let how):
            log.record(.epochDamaged, ["cause": "\(how.rawValue)"])
            metrics.damaged(how)
        case .superseded(let epoch):
            log.record(.epochSuperseded, ["epoch": "\(epoch)"])
        }
    }
}

/// Why a revocation is not known to be stored.
struct FeedUnavailable: Error, CustomStringConvertible {
    let description: String
}

extension Epoch {
    /// A name that no epoch had before.
    static func random() -> Epoch {
        let bits = Random.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard let epoch = Epoch(hexadecimal(bits)) else { preconditionFailure("an epoch is 16 hexadecimal digits") }
        return epoch
    }
}

extension BootInstant {
    /// CLOCK_BOOTTIME, read now.
    static var now: BootInstant { ClockReading.now().boot }
}
