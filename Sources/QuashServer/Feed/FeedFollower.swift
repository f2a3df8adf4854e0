import Logging
import Quash
import QuashLoop
import QuashRedis

/// Follows the feed: the driver of ``Feed`` on one loop, with a connection for commands and a subscribed one.
///
/// Validators and issuers run the same one, each on a thread of its own, so that a revocation never waits behind
/// requests. It owns the writer of the index: there is no other door into it.
final class FeedFollower {
    /// Longest wait for an answer: well below a lease, so that a hung connection is left before the lease ends.
    private static let answerTimeout: Duration = .seconds(2)
    private static let expiryInterval: Duration = .seconds(15)
    /// Between two looks at whether Redis may be used, and while it may not.
    private static let inspectionInterval: Duration = .seconds(15)
    private static let unfitInspectionInterval: Duration = .seconds(2)

    private let loop: Loop
    private let settings: Settings
    private let lease: Lease
    private let status: FeedStatus
    private let metrics: FeedMetrics
    private let log: Logger
    private let node: String
    private var feed: Feed
    private var writer: RevocationIndex.Writer
    private let clock: () -> ClockReading
    private var clockWatch: ClockWatch
    private var latestWall = WallInstant(milliseconds: 0)
    private var client: RedisClient?
    private var subscriber: RedisSubscriber?
    private var wakeTimer: Timer?
    private var expiryTimer: Timer?
    private var inspectionTimer: Timer?
    /// Whether the machine was told of this connection, because Redis was found fit on it.
    private var isFollowing = false
    private var hasFollowed = false
    private var isLeaving = false
    private var isOutageTold = false
    private var isCutTold = false
    private var decisionRate = RateMeter()
    /// The bytes of what is applied next: a mirror reads more of them.
    private var source: [[UInt8]] = []

    /// Called when no epoch is open; an issuer opens one.
    var recoveryNeeded: () -> Void = {}
    /// Called when an issuer says that its keys may have changed.
    var keysChanged: () -> Void = {}
    /// Called when a lease is granted after there was none.
    var leaseBegan: () -> Void = {}
    /// An issuer keeps what it hears, and states a position only once everything before it is durable.
    var mirror: FeedMirror?
    /// Counts renewals, because one that waits for the mirror may be overtaken by the next.
    private var renewals: UInt64 = 0

    init(
        on loop: Loop, settings: Settings, index: RevocationIndex, lease: Lease, status: FeedStatus,
        metrics: FeedMetrics, log: Logger
    ) {
        self.loop = loop
        self.settings = settings
        self.lease = lease
        self.status = status
        self.metrics = metrics
        self.log = log
        node = "\(settings.node)/\(hexadecimal(.random(in: .min ... .max)))"
        feed = Feed(settings: settings.feed, seed: .random(in: .min ... .max))
        clock = settings.clock
        clockWatch = ClockWatch(maxDeviation: settings.maxClockDeviation, status: status, log: log)
        writer = index.makeWriter(maxRevocations: settings.maxRevocations, clockSkew: settings.clockSkew)
    }

    func start() {
        wakeTimer = Timer(on: loop) { [weak self] in self?.wake() }
        expiryTimer = Timer(on: loop) { [weak self] in self?.expire() }
        expiryTimer?.start(after: .zero, repeating: Self.expiryInterval)
        inspectionTimer = Timer(on: loop) { [weak self] in self?.inspect() }
        client = RedisClient(on: loop, options: settings.redis) { [weak self] in self?.stateChanged($0) }
        subscriber = RedisSubscriber(on: loop, options: settings.redis, channels: [FeedScript.channel]) {
            [weak self] in self?.heard($0)
        }
        takeEnds { [weak self] in
            self?.subscriber?.start()
            self?.client?.start()
        }
    }

    /// Puts the ends of sessions that an issuer's outbox holds into the index, before any token is judged by it.
    private func takeEnds(then next: @escaping () -> Void) {
        guard let mirror else { return next() }
        mirror.ends { [weak self] ends in
            guard let self, !isLeaving, put(ends.map(\.revocation)) else { return }
            next()
        }
    }

    /// Gives the lease back: nothing is accepted from now on, and no confirmation waits for this node.
    ///
    /// - Parameter done: called once Redis has answered, or cannot.
    func leave(done: @escaping () -> Void) {
        isLeaving = true
        lease.drop()
        wakeTimer?.stop()
        guard let client else { return done() }
        let arguments = [FeedScript.text(node)]
        client.eval(FeedScript.leave, keys: FeedScript.keys, arguments: arguments, timeout: Self.answerTimeout) {
            [weak self] _ in
            self?.close()
            done()
        }
    }

    private func close() {
        client?.close()
        subscriber?.close()
        wakeTimer?.close()
        expiryTimer?.close()
        inspectionTimer?.close()
    }

    // MARK: What happens

    private func stateChanged(_ state: RedisClient.State) {
        switch state {
        case .up:
            let address = client?.server.map { "\($0)" } ?? "\(settings.redis)"
            log.record(.redisConnected, ["address": "\(address)"])
            status.update { $0.isConnected = true }
            inspect()
        case .down(let error):
            // Once for each outage; the first attempt of all, too.
            if status.snapshot.isConnected || !isOutageTold {
                log.record(.redisUnreachable, ["error": "\(error)"])
            }
            isOutageTold = true
            status.update { $0.isConnected = false }
            unfollow()
        }
    }

    private func unfollow() {
        isFollowing = false
        renewals += 1
        inspectionTimer?.stop()
        perform(feed.disconnected())
    }

    /// Asks Redis how it is configured. Before that is known to be safe nothing is renewed, so no lease is held for
    /// long.
    private func inspect() {
        client?.readServerFacts(timeout: Self.answerTimeout) { [weak self] result in
            guard let self, !isLeaving, client?.isUp == true else { return }
            switch result {
            case .success(let facts): inspected(facts)
            case .failure(let error):
                log.record(.redisSilent, ["error": "\(error)"])
                inspectionTimer?.start(after: Self.unfitInspectionInterval)
            }
        }
    }

    private func inspected(_ facts: ServerFacts) {
        let reason = facts.refusals.isEmpty ? nil : facts.refusals.joined(separator: "; ")
        if let reason, reason != status.snapshot.unfitServer { log.record(.redisUnfit, ["error": "\(reason)"]) }
        status.update { ($0.unfitServer, $0.evictedKeys) = (reason, facts.evictedKeys) }
        let outcome = clockWatch.compared(facts, at: clock())
        guard reason == nil, outcome != .differs else {
            lease.drop()
            unfollow()
            inspectionTimer?.start(after: Self.unfitInspectionInterval)
            return
        }
        if outcome == .agreesAnew, hasFollowed { return startAnew() }
        inspectionTimer?.start(after: Self.inspectionInterval)
        guard !isFollowing else { return }
        // An index that does not know the time has to keep all that it loads, which may be more than it can.
        expire()
        (isFollowing, hasFollowed) = (true, true)
        for warning in facts.warnings { log.record(.redisAtRisk, ["warning": "\(warning)"]) }
        perform(feed.connected(now: clock()))
    }

    /// The clock was corrected: what was read by it before, and what was dropped by that, does not count. The live set
    /// is read again, once whatever was asked before has been answered: replies come in the order of the commands.
    private func startAnew() {
        lease.drop()
        unfollow()
        perform(feed.discarded())
        latestWall = WallInstant(milliseconds: 0)
        writer.discardTime()
        mirror?.discardTime()
        expire()
        takeEnds { [weak self] in self?.inspect() }
    }

    private func heard(_ event: RedisSubscriber.Event) {
        switch event {
        case .subscribed:
            status.update { $0.isSubscribed = true }
            perform(feed.subscribed(now: clock()))
        case .message(_, FeedScript.keysChanged):
            keysChanged()
        case .message(_, let payload):
            guard let message = FeedMessage(payload) else {
                return perform(feed.receivedMalformedMessage(now: clock()))
            }
            source = [message.record]
            perform(feed.received(message, now: clock()))
            metrics.propagated(from: message.committedMicroseconds, to: clock())
        case .lost(let error):
            if status.snapshot.isSubscribed {
                log.record(.subscriptionLost, ["error": "\(error)"])
            }
            status.update { $0.isSubscribed = false }
        }
    }

    private func wake() { perform(feed.deadlineReached(now: clock())) }

    private func expire() {
        let now = clock()
        guard clockWatch.holds(at: now) else { return }
        latestWall = max(latestWall, now.wall)
        writer.expire(at: latestWall)
        tellIfCut()
    }

    // MARK: What to do

    private func perform(_ actions: [Feed.Action]) {
        guard !isLeaving else { return }
        for action in actions where !perform(action) { return }
        status.reached(feed.position)
    }

    /// - Returns: whether the actions after this one may be carried out.
    private func perform(_ action: Feed.Action) -> Bool {
        switch action {
        case .renew(let request): renew(request)
        case .readDirectory: readDirectory()
        case .read(let page): read(page)
        case .apply(let revocations): return apply(revocations)
        case .extend(let grant): extend(grant)
        case .dropLease: lease.drop()
        case .wake(let instant): wakeTimer?.start(after: max(.zero, instant - clock().boot))
        case .report(let event): report(event)
        }
        return true
    }

    private func apply(_ revocations: [Revocation]) -> Bool {
        let ends = mirror?.keep(source) ?? []
        guard put(revocations), put(ends.map(\.revocation)) else { return false }
        metrics.applied(revocations)
        return true
    }

    /// - Returns: false when the index refused them.
    private func put(_ revocations: [Revocation]) -> Bool {
        do {
            try writer.apply(revocations)
            tellIfCut()
            return true
        } catch {
            log.record(.indexFull, ["error": "\(error)"])
            status.update { $0.halted = "\(error)" }
            perform(feed.applyFailed())
            return false
        }
    }

    private func tellIfCut() {
        guard writer.cutsTokensShort != isCutTold else { return }
        isCutTold.toggle()
        log.record(isCutTold ? .indexCut : .indexRoomy, ["max-revocations": "\(settings.maxRevocations)"])
    }

    private func extend(_ grant: LeaseGrant) {
        let hadLease = lease.holds(at: clock())
        lease.extend(grant)
        let position = feed.position
        status.update {
            $0.halted = nil
            $0.renewed = grant.sent
            $0.head = position?.sequence ?? 0
        }
        if !hadLease {
            log.record(
                .leaseHeld,
                [
                    "epoch": "\(position?.epoch.description ?? "")", "sequence": "\(position?.sequence ?? 0)",
                    "entries": "\(writer.count)",
                ])
            leaseBegan()
        }
    }

    private func renew(_ request: RenewRequest) {
        guard let mirror else { return send(request) }
        renewals += 1
        mirror.flush { [weak self, renewals] isDurable in
            guard let self, renewals == self.renewals, !isLeaving else { return }
            if isDurable { send(request) } else { perform(feed.failed(now: clock())) }
        }
    }

    private func send(_ request: RenewRequest) {
        guard clockWatch.holds(at: clock()) else {
            // It was set. No lease is asked for by it before it is compared again.
            lease.drop()
            unfollow()
            return inspect()
        }
        let arguments = FeedScript.renewArguments(
            node: node, request, lease: settings.feed.lease, figures: figures())
        client?.eval(FeedScript.renew, keys: FeedScript.keys, arguments: arguments, timeout: Self.answerTimeout) {
            [weak self] result in
            self?.answered(result, as: RenewReply.init) { [weak self] reply in
                guard let self else { return }
                if case .entries(let records, _, _) = reply { source = records }
                perform(feed.renewed(reply, now: clock()))
            }
        }
    }

    private func figures() -> NodeFigures {
        var figures = NodeFigures(version: BuildVersion.current, entries: writer.count)
        if let decisions = settings.decisions {
            decisionRate.observe(decisions(), now: .now)
            figures.decisionsPerSecond = decisionRate.perSecond
        }
        return figures
    }

    private func readDirectory() {
        let command = RedisCommand("HGETALL", FeedScript.directoryKey)
        client?.send(command, timeout: Self.answerTimeout) { [weak self] result in
            self?.answered(result, as: LiveDirectory.init) { [weak self] directory in
                guard let self else { return }
                // What Redis says there may be anything.
                let bytes = directory.bytes.values.reduce(0) { sum, bytes in
                    sum.addingReportingOverflow(bytes).overflow ? .max : sum + bytes
                }
                writer.reserve(bytes / RevocationCodec.plainBytes)
                perform(feed.received(directory, now: clock()))
            }
        }
    }

    private func read(_ page: LivePage) {
        client?.send(FeedScript.pageCommand(page), timeout: Self.answerTimeout) { [weak self] result in
            self?.answered(result.page, as: { $0.bytes }) { [weak self] bytes in
                guard let self else { return }
                source = [bytes ?? []]
                perform(feed.received(page: bytes, now: clock()))
            }
        }
    }

    /// Passes an answer on, or a failure if the connection is still there: one that was lost says so by itself.
    private func answered<Answer>(
        _ result: Result<RESPValue, RedisError>, as decode: (RESPValue) throws -> Answer,
        then use: (Answer) -> Void
    ) {
        do {
            use(try decode(try result.get()))
        } catch {
            log.record(.feedUnanswered, ["error": "\(error)"])
            if client?.isUp == true { perform(feed.failed(isRefused: error.isRefusal, now: clock())) }
        }
    }

    private func report(_ event: Feed.Event) {
        switch event {
        case .gap:
            metrics.missed()
            log.record(.feedGap)
        case .resync(let cause):
            metrics.resynced(cause)
            log.record(.feedResync, ["cause": "\(cause.rawValue)"])
        case .damaged:
            log.record(.feedDamaged)
        case .recovering:
            log.record(.feedRecovering)
            recoveryNeeded()
        case .newer(let layout):
            status.update { $0.halted = "the feed has layout \(layout.rawValue): upgrade this node" }
            log.record(.layoutNewer, ["layout": "\(layout.rawValue)"])
        case .unreadable(let error):
            status.update { $0.halted = "\(error)" }
            log.record(.feedUnreadable, ["error": "\(error)"])
        case .refused:
            log.record(.feedRefused)
        case .malformedMessage:
            log.record(.feedForeignMessage)
        }
    }
}
