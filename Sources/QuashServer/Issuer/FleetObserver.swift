import Logging
import Quash
import QuashLoop
import QuashRedis

/// Watches who holds leases and how far each node has come, and says when a revocation is confirmed: the driver of
/// ``Fleet`` on the issuer's loop.
///
/// Nodes say on a channel that they have applied what somebody waits for; what is lost there is found in the registry,
/// which is read now and then anyway.
final class FleetObserver {
    private static let timeout: Duration = .seconds(2)
    /// Between two looks at the registry while somebody waits.
    private static let busyInterval: Duration = .milliseconds(50)
    /// Confirmations that are waited for at once; more are told that theirs is not confirmed yet.
    static let maxWaiting = 10_000

    /// The end of a wait.
    enum Outcome: Equatable {
        case confirmed
        /// The time given for it is over, or the epoch is.
        case unconfirmed
    }

    private final class Waiting {
        let confirmation: Fleet.Confirmation
        let deadline: BootInstant
        let answer: (Outcome) -> Void

        init(_ confirmation: Fleet.Confirmation, _ deadline: BootInstant, _ answer: @escaping (Outcome) -> Void) {
            self.confirmation = confirmation
            self.deadline = deadline
            self.answer = answer
        }
    }

    private let client: RedisClient
    private let interval: Duration
    private let log: Logger
    private let metrics: IssuerMetrics
    private var subscriber: RedisSubscriber?
    private var timer: Timer?
    private var fleet: Fleet
    private var waiting: [Waiting] = []
    private var isReading = false
    private var lastRead = BootInstant(nanoseconds: 0)
    private var duplicates: [String] = []

    /// - Parameter interval: between two looks at the registry while nobody waits.
    init(
        client: RedisClient, options: RedisOptions, on loop: Loop, fleet: Fleet, interval: Duration,
        metrics: IssuerMetrics, log: Logger
    ) {
        self.client = client
        self.fleet = fleet
        self.interval = interval
        self.log = log
        self.metrics = metrics
        timer = Timer(on: loop) { [weak self] in self?.look() }
        subscriber = RedisSubscriber(
            on: loop, options: options, channels: [FeedScript.acknowledgementsChannel]
        ) { [weak self] in self?.heard($0) }
    }

    func start() {
        subscriber?.start()
        timer?.start(after: interval)
    }

    /// Whoever waits is told that nothing is confirmed.
    func close() {
        subscriber?.close()
        timer?.close()
        for waiter in waiting { waiter.answer(.unconfirmed) }
        waiting = []
    }

    // MARK: What others ask for

    func entered(_ epoch: Epoch, lease: Duration, fence: Duration) {
        fleet.entered(epoch, lease: lease, fence: fence, now: .now)
    }

    /// Answers once no node accepts any more what was stored, or when the time for it is over.
    func confirm(_ stored: RevocationPublisher.Stored, within timeout: Duration, answer: @escaping (Outcome) -> Void) {
        fleet.observed(stored.registry, of: stored.position.epoch, now: stored.time)
        guard waiting.count < Self.maxWaiting else { return answer(.unconfirmed) }
        let confirmation = fleet.confirmation(
            of: stored.position, among: stored.registry, now: stored.time.boot)
        waiting.append(Waiting(confirmation, stored.time.boot + timeout, answer))
        settle()
    }

    /// What is known of each node with regard to one commit; nil when its epoch is over.
    func receipt(of position: FeedPosition) -> [String: Fleet.Receipt]? { fleet.receipt(of: position, now: .now) }

    /// The fleet as Redis knows it now.
    ///
    /// - Parameter answer: the head of the feed and the fleet; nil while no epoch is open.
    func read(answer: @escaping (Result<(head: FeedPosition, fleet: Fleet)?, any Error>) -> Void) {
        client.eval(FeedScript.nodes, keys: FeedScript.keys, arguments: [], timeout: Self.timeout) {
            [weak self] result in
            guard let self else { return }
            answer(
                Result {
                    guard let reply = try NodesReply(try result.get()) else { return nil }
                    fleet.observed(reply.registry, of: reply.head.epoch, now: .now())
                    return (reply.head, fleet)
                })
        }
    }

    // MARK: What happens

    private func heard(_ event: RedisSubscriber.Event) {
        guard case .message(_, let payload) = event, let acknowledgement = Acknowledgement(payload) else { return }
        fleet.acknowledged(acknowledgement, now: .now())
        settle()
    }

    /// Reads the registry where that is due, and answers whose time is over.
    private func look() {
        settle()
        let now = BootInstant.now
        guard client.isUp, !isReading, waiting.isEmpty == false || now >= lastRead + interval else { return arm() }
        isReading = true
        lastRead = now
        read { [weak self] result in
            guard let self else { return }
            isReading = false
            if case .failure(let error) = result {
                log.debug("the registry was not read", metadata: ["error": "\(error)"])
            } else {
                letGo()
            }
            settle()
            arm()
        }
    }

    private func arm() { timer?.start(after: waiting.isEmpty ? interval : Self.busyInterval) }

    /// Answers everybody whose wait is over, and looks again when the next may be.
    private func settle() {
        guard !waiting.isEmpty else { return }
        let now = BootInstant.now
        var next = now + Self.busyInterval
        var ended: [(Waiting, Outcome)] = []
        waiting.removeAll { waiter in
            switch fleet.progress(of: waiter.confirmation, now: now) {
            case .confirmed: ended.append((waiter, .confirmed))
            case .superseded: ended.append((waiter, .unconfirmed))
            case .pending(let until):
                if now < waiter.deadline {
                    next = min(next, until, waiter.deadline)
                    return false
                }
                ended.append((waiter, .unconfirmed))
            }
            return true
        }
        for (waiter, outcome) in ended {
            if outcome == .confirmed { metrics.confirmed(after: now - waiter.confirmation.committed) }
            waiter.answer(outcome)
        }
        if !waiting.isEmpty, !isReading { timer?.start(after: max(.zero, next - .now)) }
    }

    /// Lets go of nodes that are long dead, and tells of those that share an identity.
    private func letGo() {
        let now = BootInstant.now
        let forgettable = fleet.forgettable(now: now).prefix(100)
        if !forgettable.isEmpty {
            client.eval(
                FeedScript.forget, keys: FeedScript.keys, arguments: FeedScript.forgetArguments(Array(forgettable)),
                timeout: Self.timeout
            ) { _ in }
        }
        let found = fleet.duplicates(now: now)
        if found != duplicates, !found.isEmpty {
            log.warning(
                "two processes use one node-id; give each its own",
                metadata: ["nodes": "\(found.joined(separator: " "))"])
        }
        duplicates = found
    }
}
