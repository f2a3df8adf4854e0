import Logging
import Quash
import QuashLoop
import QuashRedis

/// Looks each minute whether the live set has what this issuer holds: the driver of ``LiveSetAudit`` on the issuer's
/// loop.
final class LiveSetAuditor {
    private static let timeout: Duration = .seconds(2)

    private let client: RedisClient
    private let outbox: Outbox
    private let publisher: RevocationPublisher
    private let home: LoopThread
    private let metrics: IssuerMetrics
    private let log: Logger
    private var audit: LiveSetAudit
    private var timer: Timer?

    /// - Parameters:
    ///   - home: the thread of `loop`, to which the outbox answers.
    ///   - interval: between two looks.
    init(
        client: RedisClient, outbox: Outbox, publisher: RevocationPublisher, on loop: Loop, home: LoopThread,
        interval: Duration, metrics: IssuerMetrics, log: Logger
    ) {
        self.client = client
        self.outbox = outbox
        self.publisher = publisher
        self.home = home
        self.metrics = metrics
        self.log = log
        audit = LiveSetAudit(seed: .random(in: .min ... .max), interval: interval)
        timer = Timer(on: loop) { [weak self] in
            guard let self else { return }
            perform(audit.deadlineReached(epoch: self.publisher.settledEpoch, now: .now()))
        }
    }

    func start() { perform(audit.started(now: .now)) }

    func close() { timer?.close() }

    private func perform(_ actions: [LiveSetAudit.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: LiveSetAudit.Action) {
        switch action {
        case .readDigests(let first, let count):
            outbox.view { [home, this = LoopBound(self)] held in
                let digests = held.digests(first: first, count: count)
                home.submit { _ in
                    this.value.perform(this.value.audit.received(digests: digests, first: first, now: .now))
                }
            }
        case .readHeld(let periods):
            outbox.view { [home, this = LoopBound(self)] held in
                let revocations = held.revocations(in: periods)
                home.submit { _ in this.value.perform(this.value.audit.received(held: revocations, now: .now())) }
            }
        case .readDirectory:
            client.send(RedisCommand("HGETALL", FeedScript.directoryKey), timeout: Self.timeout) { [weak self] in
                self?.answered($0, as: LiveDirectory.init) { $0.received($1, now: .now) }
            }
        case .read(let page):
            client.send(FeedScript.pageCommand(page), timeout: Self.timeout) { [weak self] in
                self?.answered($0.page, as: { $0.bytes }) { $0.received(page: $1, now: ClockReading.now()) }
            }
        case .commit(let revocations): publisher.publish(revocations) { _ in }
        case .end(let epoch, let how, let missing, let unreadable):
            log.record(missing > 0 ? .feedMissing : .feedDamaged, missing > 0 ? ["revocations": "\(missing)"] : [:])
            publisher.end(epoch, because: how, unreadable: unreadable)
        case .isWhole: metrics.checkedLiveSet(at: ClockReading.now().wall.seconds)
        case .wake(let instant): timer?.start(after: max(.zero, instant - .now))
        }
    }

    private func answered<Reply>(
        _ result: Result<RESPValue, RedisError>, as decode: (RESPValue) throws -> Reply,
        _ event: (inout LiveSetAudit, Reply) -> [LiveSetAudit.Action]
    ) {
        do {
            perform(event(&audit, try decode(try result.get())))
        } catch {
            log.record(.feedUnanswered, ["error": "\(error)"])
            perform(audit.failed(now: .now))
        }
    }
}
