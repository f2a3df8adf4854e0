public import Logging
import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT
import QuashLoop
import QuashRedis
import Synchronization

/// An issuer in this process: one loop for its listeners and its own connection to Redis, threads that sign, and the
/// same feed as every validator, by which it judges the tokens that it is given.
public final class Issuer: Sendable {
    private let configuration: IssuerConfiguration
    private let log: Logger
    private let loop: LoopThread
    private let feed: FeedThread
    let pool: SigningPool
    private let outbox: Outbox
    private let load: ListenerLoad
    private let listening: Listening
    private let adminListening: Listening
    private let state = LoopBound(State())
    private let isDraining = Atomic(false)
    /// Sessions whose end the session store has yet to be told; nil while that is unknown.
    private let endsToReplay = Locked<Int?>(nil)
    /// What keeps this issuer from committing, or what its outbox has lost.
    private let outboxProblem = Locked<String?>(nil)
    private let hasDropped: Locked<Bool>
    private let cannotCommit = Atomic(false)
    private let unnamedIssuers = Locked(UnnamedIssuers())
    private let metrics = IssuerMetrics()
    private let certificateExpiry: Int64?
    private let liveSetInterval: Duration

    /// What belongs to the loop.
    private final class State {
        var client: RedisClient?
        var publisher: RevocationPublisher?
        var observer: FleetObserver?
        var replay: SessionReplay?
        var auditor: LiveSetAuditor?
        var mint: TokenMint?
        var validator: Validator?
        var endpoints: TokenEndpoints?
        var status: StatusEndpoints?
        var servers: [HTTPServer] = []
        var adminServers: [HTTPServer] = []

        /// Lets go of everything on the loop that it belongs to.
        func clear() {
            publisher?.close()
            replay?.close()
            auditor?.close()
            (client, publisher, observer, replay, auditor) = (nil, nil, nil, nil, nil)
            (mint, validator, endpoints) = (nil, nil, nil)
            status?.close()
            status = nil
            servers = []
            adminServers = []
        }
    }

    /// Where clients come; with the port that the system chose where 0 was configured.
    public var addresses: [String] { listening.endpoints.map(\.description) }
    /// Where the administration is.
    public var adminAddresses: [String] { adminListening.endpoints.map(\.description) }

    /// Starts everything, and returns without waiting for Redis: until that is there, what needs it answers 503.
    ///
    /// - Throws: one line that says why it cannot start.
    public convenience init(_ configuration: IssuerConfiguration, log: Logger) throws {
        try self.init(configuration, liveSetInterval: LiveSetAudit.interval, log: log)
    }

    /// - Parameter liveSetInterval: between two looks at whether the live set has what this issuer holds.
    init(_ configuration: IssuerConfiguration, liveSetInterval: Duration, log: Logger) throws {
        self.configuration = configuration
        self.liveSetInterval = liveSetInterval
        self.log = log
        let common = configuration.common
        let keys = try Self.signingKeys(configuration)
        let clients = try Self.clients(configuration)
        metrics.usesKeys(writtenAt: SecretFile.modified(path: configuration.signingKeyFile))
        let tls = try TLSContext.listener(common, asksForClientCertificate: false)
        certificateExpiry = tls?.certificateExpiry
        // Each signing thread is a loop, and the feed has one.
        load = ListenerLoad(connections: LoopLimits.connections(loops: Loop.availableParallelism + 2), log: log)
        listening = try Listening(
            common.listen, loops: 1, tls: tls, share: load.serving, limits: .shared(requestsPerTurn: 64))
        adminListening = try Listening(
            common.adminListen, loops: 1, tls: try .listener(common, asksForClientCertificate: true),
            share: load.admin, limits: .shared(requestsPerTurn: 16))
        let status = FeedStatus()
        outbox = try Outbox(path: configuration.outboxFile, issuer: common.nodeID, log: log) {
            status.snapshot.clock.holds(at: .now())
        }
        let redis = try RedisOptions(common, clientName: "quash-issuer")
        loop = try LoopThread(name: "quash-issuer")
        pool = try SigningPool(home: loop, count: Loop.availableParallelism)
        var settings = FeedFollower.Settings(common, redis: redis)
        settings.node = Registry.issuerPrefix + settings.node
        let mirror = FeedMirror.Settings(
            sessionRetention: configuration.refreshTTL, seal: configuration.feedSeal,
            unsealed: configuration.unsealedEntries)
        hasDropped = mirror.hasDropped
        let (loop, state, outbox, metrics) = (loop, state, outbox, metrics)
        feed = try FeedThread(
            settings: settings, status: status,
            mirror: { FeedMirror(in: outbox, on: $0, mirror, metrics: metrics, log: log) }, log: log,
            recoveryNeeded: { loop.submit { _ in state.value.publisher?.recoveryNeeded() } },
            leaseBegan: { loop.submit { _ in state.value.observer?.read { _ in } } })
        let started = Locked<(any Error)?>(nil)
        let finished = Semaphore()
        loop.submit { [self] loop in
            do {
                try start(on: loop, redis: redis, keys: keys, clients: clients)
            } catch {
                started.withLock { $0 = error }
            }
            finished.signal()
        }
        finished.wait()
        if let error = started.withLock({ $0 }) { throw error }
        log.record(
            .issuerStarted,
            [
                "listen": "\(addresses.joined(separator: " "))", "admin": "\(adminAddresses.joined(separator: " "))",
                "version": "\(BuildVersion.current)",
            ])
    }

    /// The epoch of which all that the feed holds is in the outbox; nil for none.
    private var mirroredEpoch: Epoch? {
        guard feed.lease.holds(at: .now()), !hasDropped.withLock({ $0 }) else { return nil }
        return feed.status.snapshot.position?.epoch
    }

    private func start(on loop: Loop, redis: RedisOptions, keys: [RSAPrivateKey], clients: ClientRegistry) throws {
        let common = configuration.common
        let client = RedisClient(on: loop, options: redis) { [state] in
            switch $0 {
            case .up:
                state.value.publisher?.connectionChanged(isUp: true)
                // It may have started with other keys than before, or changed them while Redis was away.
                Self.publishKeysChanged(state.value.client)
            case .down: state.value.publisher?.connectionChanged(isUp: false)
            }
        }
        let writers = FeedWriter.Settings(
            issuer: common.nodeID, issuers: configuration.issuers, fence: configuration.fence)
        let registrar = IssuerRegistrar(
            client: client, outbox: outbox, on: loop, home: self.loop, lease: common.lease,
            seal: configuration.feedSeal, unsealed: configuration.unsealedEntries, problem: outboxProblem, log: log)
        let publisher = RevocationPublisher(
            client: client, outbox: outbox, registrar: registrar, on: loop, home: self.loop, settings: writers,
            lease: common.lease, maxClockDeviation: common.maxClockDeviation, metrics: metrics, log: log)
        let observer = FleetObserver(
            client: client, options: redis, on: loop,
            fleet: Fleet(lease: common.lease, fence: configuration.fence), interval: common.renewInterval,
            issuers: writers.issuers, unnamedIssuers: unnamedIssuers, metrics: metrics, log: log
        ) { [weak self] in self?.mirroredEpoch }
        let store = SessionStore(
            client: client, tombstone: configuration.accessTTL + common.clockSkew + Retention.margin)
        let replay = SessionReplay(
            outbox: outbox, store: store, on: loop, home: self.loop, remaining: endsToReplay, log: log)
        publisher.entered = { [weak observer, weak replay] in
            observer?.entered($0, lease: $1, fence: $2)
            replay?.entered($0)
        }
        observer.issuersRead = { [weak registrar] in registrar?.observed($0, isCaughtUp: $1) }
        publisher.opened = { [weak observer] in observer?.read { _ in } }
        publisher.failing = { [weak self] in self?.cannotCommit.store($0, ordering: .relaxed) }
        let mint = try TokenMint(issuer: common.issuerURL, audience: common.audience, keys: keys, pool: pool)
        let keySet = try KeySet(keys.map { JSONWebKey($0.publicKey) })
        let validator = try makeValidator(keySet)
        let service = IssuerService(
            settings: IssuerService.Settings(
                accessLifetime: configuration.accessTTL, refreshLifetime: configuration.refreshTTL,
                rotationGrace: configuration.rotationGrace, issueTolerance: common.issueTolerance,
                maxClockDeviation: common.maxClockDeviation),
            store: store, publisher: publisher, observer: observer, recent: RecentRevocations(), mint: mint,
            replay: replay, validator: validator, tokensAhead: feed.tokensAhead,
            clockProblem: { [feed] in feed.status.snapshot.clock.problem(at: .now()) },
            feedPosition: { [feed] in feed.status.snapshot.position }, metrics: metrics, log: log)
        let audit = AuditLog(log)
        let credential = common.adminToken.map { SecretDigest(of: $0.bytes) }
        let endpoints = TokenEndpoints(
            service: service, clients: clients, adminToken: credential,
            metadata: common.issuerURL.map { ServerMetadata(issuer: $0) }, keySet: keySet.serialized(), audit: audit,
            load: load, on: loop)
        state.value.servers = try listening.serve(on: loop, PublicRoutes(endpoints))
        let admin = AdminEndpoints(service: service, observer: observer, publisher: publisher, audit: audit)
        try serve(admin, of: service, credential: credential, audit: audit, on: loop)
        state.value.client = client
        state.value.publisher = publisher
        state.value.observer = observer
        state.value.replay = replay
        state.value.auditor = LiveSetAuditor(
            client: client, outbox: outbox, publisher: publisher, on: loop, home: self.loop,
            interval: liveSetInterval, metrics: metrics, log: log)
        state.value.mint = mint
        state.value.validator = validator
        state.value.endpoints = endpoints
        client.start()
        observer.start()
        state.value.auditor?.start()
    }

    /// By the same feed as every validator, of its own tokens.
    private func makeValidator(_ keySet: KeySet) throws -> Validator {
        let common = configuration.common
        var policy = TokenPolicy(types: [.access, .refresh])
        policy.issuer = common.issuerURL
        return try Validator(
            keys: keySet, policy: policy, clockSkew: common.clockSkew, issueTolerance: common.issueTolerance,
            maxClockDeviation: common.maxClockDeviation, index: feed.index, lease: feed.lease)
    }

    private func serve(
        _ admin: AdminEndpoints, of service: IssuerService, credential: SecretDigest?, audit: AuditLog, on loop: Loop
    ) throws {
        let common = configuration.common
        let unnamed = MetricFamily<Gauge>(
            "quash_issuers_unnamed", "Issuers that hold a lease and that the setting issuers does not name.")
        unnamed.observe { [unnamedIssuers] in Double(unnamedIssuers.withLock { $0.names?.count ?? 0 }) }
        let page = MetricsPage(
            feed.metrics.sources + metrics.sources + [unnamed] + load.sources + certificateMetric(certificateExpiry)
                + [buildInfo(version: BuildVersion.current)])
        let health = HealthEndpoints(
            on: loop, checks: { [self] in checks }, metrics: { page.render() }, threads: threads, load: load)
        let fleet = FleetStatus(
            name: common.nodeID, observer: service.observer, publisher: service.publisher, recent: service.recent,
            feedPosition: service.feedPosition, checks: { [self] in checks })
        let status = StatusEndpoints(fleet, on: loop, isCredentialNeeded: credential != nil)
        state.value.status = status
        state.value.adminServers = try adminListening.serve(
            on: loop,
            AdminRoutes(
                admin, health: health, status: status, credential: credential,
                asksForClientCertificate: common.tlsClientCAFile != nil, audit: audit))
    }

    private var checks: [HealthCheck] {
        feed.health + [
            HealthCheck("outbox", problem: outboxProblem.withLock { $0 }),
            HealthCheck("issuers", problem: issuersProblem), HealthCheck("sessions", problem: sessionsProblem),
            HealthCheck(
                "commits",
                problem: cannotCommit.load(ordering: .relaxed) ? "redis stores nothing: see the log" : nil),
            HealthCheck(
                "draining", problem: isDraining.load(ordering: .relaxed) ? "this issuer is shutting down" : nil),
        ]
    }

    /// Two issuers that do not know of each other do not wait for each other when Redis loses its data, and what only
    /// one knew would be accepted again. So the second does not become ready. The first goes on, and says so.
    private var issuersProblem: String? {
        let unnamed = unnamedIssuers.withLock { $0 }
        guard !unnamed.hasBeenNone else { return nil }
        guard let names = unnamed.names else { return "the registry has not been read yet" }
        let some = names.prefix(10).joined(separator: ", ")
        return "\(some) writes to this feed too: name all in the setting issuers of each"
    }

    /// Until the session store knows of every end, no refresh token is taken.
    private var sessionsProblem: String? {
        guard let remaining = endsToReplay.withLock({ $0 }) else { return "the feed has not been entered yet" }
        return remaining == 0 ? nil : "\(remaining) sessions that had ended are being ended in Redis again"
    }

    /// Whether it can do all its work.
    public var isReady: Bool { problems.isEmpty }

    /// What is missing for that, in words.
    public var problems: [String] { checks.compactMap(\.failure) }

    /// Calls back, on whatever thread, once each of its loops has answered.
    public func probe(_ answered: @escaping @Sendable () -> Void) {
        LoopThread.probe(threads, answered)
    }

    private var threads: [LoopThread] { [feed.thread, loop] }

    /// Reads the signing keys and the clients anew. If either cannot be used that is logged, and both stay as they
    /// were.
    public func reload() {
        do {
            let clients = try Self.clients(configuration)
            let keys = try Self.signingKeys(configuration)
            let keySet = try KeySet(keys.map { JSONWebKey($0.publicKey) })
            let written = SecretFile.modified(path: configuration.signingKeyFile)
            loop.submit { [self] _ in
                do {
                    try state.value.mint?.replaceKeys(keys)
                    try state.value.validator?.replaceKeys(keySet)
                    metrics.usesKeys(writtenAt: written)
                    state.value.endpoints?.keySet = keySet.serialized()
                    state.value.endpoints?.clients = clients
                    Self.publishKeysChanged(state.value.client)
                    let names = keySet.keys.map(\.keyID)
                    log.record(.signingLoaded, ["kids": "\(names.joined(separator: " "))"])
                    AuditLog(log).record(.keysReload, by: .process, result: "done", targets: names)
                } catch {
                    notReloaded(error)
                }
            }
        } catch {
            notReloaded(error)
        }
    }

    private func notReloaded(_ error: any Error) {
        log.record(.signingKept, ["error": "\(error)"])
        AuditLog(log).record(.keysReload, by: .process, result: "refused", [("error", "\(error)")])
    }

    /// Becomes unready, stops accepting connections, answers what is in flight, gives the lease back, and ends. Blocks
    /// for as long as that takes, at most a little longer than the configured drain.
    public func stop() {
        isDraining.store(true, ordering: .relaxed)
        let deadline = configuration.common.drain
        loop.submit { [state, feed, loop] _ in
            drain(state.value.servers + state.value.adminServers, deadline: deadline) {
                feed.leave {
                    loop.submit { _ in
                        state.value.observer?.close()
                        state.value.client?.close()
                        state.value.clear()
                    }
                    loop.stop()
                }
            }
        }
        loop.join()
        feed.join()
        pool.stop()
        outbox.close()
        log.record(.issuerStopped)
    }

    /// Validators that hear it fetch the keys at once. Those that do not, or when Redis is away, fetch them when a
    /// token names one that they do not have, or with their next look.
    private static func publishKeysChanged(_ client: RedisClient?) {
        let command = RedisCommand([Array("PUBLISH".utf8), Array(FeedScript.channel.utf8), FeedScript.keysChanged])
        client?.send(command, timeout: .seconds(2)) { _ in }
    }

    private static func signingKeys(_ configuration: IssuerConfiguration) throws -> [RSAPrivateKey] {
        try RSAPrivateKey.loadAll(path: configuration.signingKeyFile)
    }

    private static func clients(_ configuration: IssuerConfiguration) throws -> ClientRegistry {
        guard let path = configuration.clientsFile else { return ClientRegistry() }
        do {
            let bytes = try PlainFile.read(path: path, maxBytes: ClientRegistry.maxFileBytes)
            return try ClientRegistry(parsing: bytes, file: path)
        } catch {
            throw StartFailure("clients-file: \(error)")
        }
    }
}
