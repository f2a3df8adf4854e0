import Logging
import Quash
import QuashLoop
import QuashRedis

/// Issuers that hold a lease and that this one was not told of.
struct UnnamedIssuers {
    /// Nil before the registry was read while this one stood in it too: of two that come at once, the second finds the
    /// first.
    private(set) var names: [String]?
    /// Since there was none, others that come are the ones to be refused.
    private(set) var hasBeenNone = false

    /// The registry was read.
    mutating func found(_ names: [String]) {
        self.names = names
        hasBeenNone = hasBeenNone || names.isEmpty
    }
}

/// Watches who holds leases and how far each node has come, and says when a revocation is confirmed: the driver of
/// ``Confirmations`` on the issuer's loop.
final class FleetObserver {
    private static let timeout: Duration = .seconds(2)

    private let client: RedisClient
    private let log: Logger
    private let metrics: IssuerMetrics
    private var subscriber: RedisSubscriber?
    private var timer: Timer?
    private var confirmations: Confirmations
    private var answers: [Confirmations.ID: (Confirmations.Outcome) -> Void] = [:]
    /// The head of the feed as the registry was last read with it, and when that was.
    private(set) var lastHead: (position: FeedPosition, at: BootInstant)?
    /// Called after each reading of the registry.
    var wasRead: () -> Void = {}
    /// Called with the issuers of an open epoch, and whether all that the feed holds is in the outbox of this one.
    var issuersRead: ([RegisteredIssuer], _ isCaughtUp: Bool) -> Void = { _, _ in }
    private let issuers: Set<String>
    private let unnamedIssuers: Locked<UnnamedIssuers>
    private let leaseEpoch: () -> Epoch?
    private var hasUnreadableLines = false

    /// - Parameters:
    ///   - interval: between two looks at the registry while nobody waits.
    ///   - issuers: the node ids of all.
    ///   - unnamedIssuers: where to tell of others.
    ///   - leaseEpoch: the epoch of which all that the feed holds is in this issuer's outbox; nil for none.
    init(
        client: RedisClient, options: RedisOptions, on loop: Loop, fleet: Fleet, interval: Duration,
        issuers: [String], unnamedIssuers: Locked<UnnamedIssuers>, metrics: IssuerMetrics, log: Logger,
        leaseEpoch: @escaping () -> Epoch?
    ) {
        self.leaseEpoch = leaseEpoch
        self.issuers = Set(issuers)
        self.unnamedIssuers = unnamedIssuers
        self.client = client
        self.log = log
        self.metrics = metrics
        confirmations = Confirmations(fleet: fleet, interval: interval)
        timer = Timer(on: loop) { [weak self] in
            guard let self else { return }
            perform(confirmations.deadlineReached(now: .now))
        }
        subscriber = RedisSubscriber(
            on: loop, options: options, channels: [FeedScript.acknowledgementsChannel]
        ) { [weak self] event in
            guard let self, case .message(_, let payload) = event, let acknowledgement = Acknowledgement(payload) else {
                return
            }
            perform(confirmations.acknowledged(acknowledgement, now: .now()))
        }
    }

    func start() {
        subscriber?.start()
        perform(confirmations.started(now: .now))
    }

    /// Whoever waits is told that nothing is confirmed.
    func close() {
        subscriber?.close()
        timer?.close()
        for answer in answers.values { answer(.unconfirmed) }
        answers = [:]
    }

    // MARK: What others ask for

    func entered(_ epoch: Epoch, lease: Duration, fence: Duration) {
        confirmations.entered(epoch, lease: lease, fence: fence, now: .now)
    }

    /// Answers once no node accepts any more what was stored, or when the time for it is over.
    func confirm(
        _ stored: RevocationPublisher.Stored, within timeout: Duration,
        answer: @escaping (Confirmations.Outcome) -> Void
    ) {
        let (id, actions) = confirmations.confirm(
            stored.position, among: stored.registry, within: timeout, now: stored.time)
        answers[id] = answer
        perform(actions)
    }

    /// What is known of each node with regard to one commit; nil when its epoch is over.
    func receipt(of position: FeedPosition) -> [String: Fleet.Receipt]? {
        confirmations.fleet.receipt(of: position, now: .now)
    }

    /// The fleet as it was last read.
    var fleet: Fleet { confirmations.fleet }

    /// The fleet as Redis knows it now.
    ///
    /// - Parameter answer: the head of the feed and the fleet; nil while no epoch is open.
    func read(answer: @escaping (Result<(head: FeedPosition, fleet: Fleet)?, any Error>) -> Void) {
        readRegistry { [weak self] result in
            guard let self else { return }
            answer(
                result.map { reply in
                    guard let reply else { return nil }
                    confirmations.observed(reply.registry, of: reply.head.epoch, now: .now())
                    lastHead = (reply.head, .now)
                    return (reply.head, confirmations.fleet)
                })
        }
    }

    // MARK: What to do

    private func readRegistry(answer: @escaping (Result<NodesReply?, any Error>) -> Void) {
        let leaseEpoch = leaseEpoch()
        client.eval(FeedScript.nodes, keys: FeedScript.keys, arguments: [], timeout: Self.timeout) {
            [weak self] result in
            let reply = Result { try NodesReply(try result.get()) }
            answer(reply)
            guard let self, let nodes = try? reply.get(), nodes.head.epoch == fleet.epoch else { return }
            issuersRead(nodes.issuers, nodes.head.epoch == leaseEpoch)
            inspect(standsInIt: nodes.head.epoch == leaseEpoch)
        }
    }

    private func perform(_ actions: [Confirmations.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: Confirmations.Action) {
        switch action {
        case .readRegistry: readRegistry { [weak self] in self?.received($0) }
        case .answer(let id, let outcome):
            switch outcome {
            case .confirmed(let time): metrics.confirmed(after: time)
            case .unconfirmed: metrics.unconfirmed()
            }
            answers.removeValue(forKey: id)?(outcome)
        case .forget(let entries):
            client.eval(
                FeedScript.forget, keys: FeedScript.keys, arguments: FeedScript.forgetArguments(entries),
                timeout: Self.timeout
            ) { _ in }
        case .reportDuplicates(let nodes):
            log.record(.nodeDuplicate, ["nodes": "\(nodes.joined(separator: " "))"])
        case .wake(let instant): timer?.start(after: max(.zero, instant - .now))
        }
    }

    private func received(_ result: Result<NodesReply?, any Error>) {
        switch result {
        case .success(let reply?):
            perform(confirmations.received(reply.registry, of: reply.head.epoch, now: .now()))
            metrics.observed(confirmations.fleet)
            lastHead = (reply.head, .now)
            wasRead()
        case .success(nil): perform(confirmations.readFailed(now: .now))
        case .failure(let error):
            log.record(.registryUnread, ["error": "\(error)"])
            perform(confirmations.readFailed(now: .now))
        }
    }

    /// Tells, once, what is wrong with the registry itself.
    ///
    /// - Parameter standsInIt: whether this issuer certainly did when it was read.
    private func inspect(standsInIt: Bool) {
        let before = unnamedIssuers.withLock { $0.names }
        guard standsInIt || before != nil else { return }
        let unnamed = fleet.issuers(now: .now).filter { !issuers.contains($0) }
        unnamedIssuers.withLock { $0.found(unnamed) }
        if !unnamed.isEmpty, unnamed != before {
            log.record(.issuerUnnamed, ["issuers": "\(unnamed.joined(separator: " "))"])
        }
        let unreadable = fleet.unreadable
        if !hasUnreadableLines, let first = unreadable.first {
            log.record(.registryUnreadable, ["lines": "\(unreadable.count)", "first": "\(first.node)"])
        }
        hasUnreadableLines = !unreadable.isEmpty
    }
}
