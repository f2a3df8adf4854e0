import Logging
import Quash
import QuashLoop
import QuashRedis

/// Registers this issuer in Redis before it commits anything: the driver of ``IssuerRegistration``, on the issuer's
/// loop.
final class IssuerRegistrar {
    private static let timeout: Duration = .seconds(2)

    private let client: RedisClient
    private let outbox: Outbox
    private let home: LoopThread
    private let seal: FeedSeal?
    private let log: Logger
    private var timer: Timer?
    private(set) var registration: IssuerRegistration
    /// Commits that the outbox holds.
    private(set) var count: UInt64
    /// For other threads: what keeps this issuer from working, or what its outbox lost.
    private let problem: Locked<String?>

    /// Called when commits may be made on the connection that is there.
    var registered: () -> Void = {}
    /// Called when no commit may be made any more.
    var refused: () -> Void = {}

    /// - Parameter home: the thread of `loop`, to which the outbox answers.
    /// - Parameter lease: as nodes are configured.
    /// - Parameter seal: for what this issuer writes; nil when no secret is configured.
    /// - Parameter unsealed: with ``UnsealedEntries/drop`` nothing may be written in a layout without seals.
    /// - Parameter problem: where to say what keeps this issuer from being ready.
    init(
        client: RedisClient, outbox: Outbox, on loop: Loop, home: LoopThread, lease: Duration, seal: FeedSeal?,
        unsealed: UnsealedEntries, problem: Locked<String?>, log: Logger
    ) {
        self.seal = seal
        self.client = client
        self.outbox = outbox
        self.home = home
        self.problem = problem
        self.log = log
        count = outbox.count
        registration = IssuerRegistration(
            identity: outbox.identity, bindings: outbox.bindings, hasLostRecords: outbox.isDamaged,
            layout: unsealed == .drop ? .second : .first, settling: lease * 2)
        timer = Timer(on: loop) { [weak self] in
            guard let self else { return }
            perform(registration.deadlineReached(now: .now))
        }
        describe()
    }

    func close() { timer?.close() }

    /// What the script `revoke` is told of this issuer.
    func revokeArguments(_ commit: FeedWriter.Commit, to epoch: Epoch) -> [[UInt8]] {
        FeedScript.revokeArguments(
            commit, to: epoch, by: registration.identity, count: count,
            FeedEncoder(layout: registration.layout, seal: seal))
    }

    // MARK: Events

    /// The outbox holds this many commits.
    func appended(_ count: UInt64) { self.count = max(self.count, count) }

    func connectionChanged(isUp: Bool) {
        if isUp { perform(registration.connected(now: .now)) } else { registration.disconnected() }
    }

    func displaced() {
        refused()
        perform(registration.displaced(now: .now))
    }

    /// The registry of issuers was read in an open epoch.
    ///
    /// - Parameter isCaughtUp: whether everything of that epoch is in the outbox.
    func observed(_ issuers: [RegisteredIssuer], isCaughtUp: Bool) {
        perform(registration.observed(issuers, isCaughtUp: isCaughtUp, now: .now))
    }

    /// An operator gives up another outbox.
    ///
    /// - Returns: false when nothing is to be replaced, or not this one.
    func replace(_ other: Nonce) -> Bool {
        guard let outbox = registration.problem?.outbox, outbox == other else { return false }
        log.record(.issuerReplaces, ["outbox": "\(other)"])
        perform(registration.replace(other, now: .now))
        return true
    }

    // MARK: What to do

    private func perform(_ actions: [IssuerRegistration.Action]) {
        for action in actions { perform(action) }
        describe()
    }

    private func perform(_ action: IssuerRegistration.Action) {
        switch action {
        case .register(let replaced): register(replacing: replaced)
        case .registered: registered()
        case .refused(let problem):
            log.record(.issuerRefused, ["error": "\(problem)"])
            refused()
        case .noteLoss(let known):
            log.record(.outboxBehindRedis, ["known": "\(known)", "held": "\(count)"])
            count = max(count, known)
            outbox.noteLoss(count: known) { [home, this = LoopBound(self)] isDurable in
                home.submit { _ in
                    let registrar = this.value
                    registrar.perform(registrar.registration.lossNoted(isDurable: isDurable, now: .now))
                }
            }
        case .noteRestored:
            log.record(.outboxRestored)
            outbox.noteRestored()
        case .bind(let outbox, let name): self.outbox.bind(outbox, to: name)
        case .begin(let layout): begin(layout)
        case .wake(let instant): timer?.start(after: max(.zero, instant - .now))
        }
    }

    /// In a Redis that may not hold revocations nothing is registered. The two commands go over one connection: if that
    /// is lost between them, the second fails.
    private func register(replacing replaced: Nonce?) {
        client.readServerFacts(timeout: Self.timeout) { [weak self] result in
            guard let self else { return }
            do {
                let refusals = try result.get().refusals
                guard refusals.isEmpty else { throw FeedUnavailable(description: refusals.joined(separator: "; ")) }
                send(replacing: replaced)
            } catch {
                failed(error)
            }
        }
    }

    private func failed(_ error: any Error) {
        log.record(.issuerUnregistered, ["error": "\(error)"])
        perform(registration.failed(now: .now))
    }

    private func send(replacing replaced: Nonce?) {
        let arguments = FeedScript.registerArguments(
            registration.identity, count: count, replacing: replaced, layout: registration.layout)
        client.eval(FeedScript.register, keys: FeedScript.keys, arguments: arguments, timeout: Self.timeout) {
            [weak self] result in
            guard let self else { return }
            do {
                perform(registration.answered(try RegisterReply(try result.get()), now: .now))
            } catch {
                failed(error)
            }
        }
    }

    private func begin(_ newest: FeedLayout) {
        let arguments = [FeedScript.text(newest.rawValue)]
        client.eval(FeedScript.layout, keys: FeedScript.keys, arguments: arguments, timeout: Self.timeout) {
            [weak self] result in
            guard let self, let reply = try? LayoutReply(result.get()), let layout = reply.layout else { return }
            let before = registration.layout
            registration.began(layout)
            if registration.layout > before { log.record(.layoutBegun, ["layout": "\(layout.rawValue)"]) }
        }
    }

    private func describe() {
        let lost = "records of the outbox were lost, and are restored from the feed once an epoch is open"
        // Of an outbox that is damaged nobody can tell whether it is a copy.
        let all = (registration.hasLostRecords ? [lost] : []) + [registration.problem?.description].compactMap(\.self)
        problem.withLock { $0 = all.isEmpty ? nil : all.joined(separator: "; ") }
    }
}
