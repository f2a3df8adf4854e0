public import Logging
import Quash
import QuashCrypto
import QuashHTTP
import QuashJWT
import QuashLoop
import QuashRedis
import Synchronization

/// A validator in this process: loops that decide, each with everything it needs; the feed on its own thread; and the
/// administration with the keys on another, so that neither a scrape nor a key fetch is ever in a request's way.
public final class ValidatorNode: Sendable {
    private let configuration: ValidatorConfiguration
    private let log: Logger
    private let feed: FeedThread
    private let loops: [ServingLoop]
    private let admin: LoopThread
    private let keys: KeyLoader
    private let load: ListenerLoad
    private let gateway: Listening
    private let adminListening: Listening
    private let adminServers: LoopBound<AdminBox>
    private let isDraining = Atomic(false)
    private let certificateExpiry: Int64?

    private final class AdminBox {
        var servers: [HTTPServer] = []
    }

    /// Where gateways ask; with the port that the system chose where 0 was configured.
    public var addresses: [String] { gateway.endpoints.map(\.description) }
    /// Where health and metrics are.
    public var adminAddresses: [String] { adminListening.endpoints.map(\.description) }

    /// Starts everything, and returns without waiting for Redis or keys: until both are there, it answers 503.
    ///
    /// - Throws: one line that says why it cannot start.
    public init(_ configuration: ValidatorConfiguration, log: Logger) throws {
        self.configuration = configuration
        self.log = log
        let common = configuration.common
        let tls = try TLSContext.listener(common, asksForClientCertificate: true)
        certificateExpiry = tls?.certificateExpiry
        // The feed and the administration have a loop each.
        load = ListenerLoad(connections: LoopLimits.connections(loops: configuration.loops + 2), log: log)
        gateway = try Listening(common.listen, loops: configuration.loops, tls: tls, share: load.serving)
        adminListening = try Listening(common.adminListen, loops: 1, tls: tls, share: load.admin)
        let redis = try RedisOptions(common, clientName: "quash-validator")
        let families = DecisionMetrics.Families()
        var settings = FeedFollower.Settings(common, redis: redis)
        settings.decisions = { families.total }
        admin = try LoopThread(name: "quash-admin")
        keys = try KeyLoader(configuration.keySource, on: admin, log: log)
        feed = try FeedThread(settings: settings, log: log, keysChanged: keys.noteChange)
        adminServers = LoopBound(AdminBox())
        loops = try (0..<configuration.loops).map { try ServingLoop(number: $0, families: families) }
        try startLoops()
        startAdmin(families)
        keys.start { [loops] keys in for loop in loops { loop.replaceKeys(keys) } }
        log.record(
            .validatorStarted,
            [
                "listen": "\(addresses.joined(separator: " "))", "admin": "\(adminAddresses.joined(separator: " "))",
                "loops": "\(loops.count)", "version": "\(BuildVersion.current)",
            ])
    }

    private func startLoops() throws {
        var policy = TokenPolicy()
        policy.issuer = configuration.common.issuerURL
        policy.audiences = configuration.common.audience
        // Less than the administration asks for: while Redis is away, the rest of the lease is to be used.
        let canDecide: @Sendable () -> Bool = { [keys, feed] in keys.isLoaded && feed.lease.holds(at: .now()) }
        for loop in loops {
            loop.start(
                gateway, configuration, feed: feed, policy: policy, keys: keys, canDecide: canDecide, log: log)
        }
    }

    private func startAdmin(_ families: DecisionMetrics.Families) {
        let known = MetricFamily<Gauge>("quash_keys", "Keys that tokens are verified with; at 0 nothing is accepted.")
        known.observe { [keys] in Double(keys.count) }
        let page = MetricsPage(
            feed.metrics.sources + families.page + [known] + load.sources + certificateMetric(certificateExpiry)
                + [buildInfo(version: BuildVersion.current)])
        admin.submit { [self] loop in
            let health = HealthEndpoints(
                on: loop, checks: { [self] in checks }, metrics: { page.render() }, threads: threads, load: load)
            do {
                adminServers.value.servers = try adminListening.serve(
                    on: loop, ValidatorAdminRoutes(health))
            } catch {
                log.record(.adminListenerFailed, ["error": "\(error)"])
            }
        }
    }

    private var checks: [HealthCheck] {
        [HealthCheck("keys", problem: keys.isLoaded ? nil : "not loaded")] + feed.health + [
            HealthCheck(
                "draining", problem: isDraining.load(ordering: .relaxed) ? "this node is shutting down" : nil)
        ]
    }

    /// Whether it can decide: keys loaded, feed caught up, lease held.
    public var isReady: Bool { problems.isEmpty }

    /// What is missing for that, in words.
    public var problems: [String] { checks.compactMap(\.failure) }

    /// Calls back, on whatever thread, once each of its loops has answered.
    public func probe(_ answered: @escaping @Sendable () -> Void) {
        LoopThread.probe(threads, answered)
    }

    /// Those that serve gateways first.
    var threads: [LoopThread] { loops.map(\.thread) + [feed.thread, admin] }

    /// Reads the keys anew.
    public func reload() {
        AuditLog(log).record(.keysReload, by: .process, result: "begun")
        keys.reload()
    }

    /// Becomes unready, stops accepting connections, answers what is in flight, gives the lease back, and ends. Blocks
    /// for as long as that takes, at most a little longer than the configured drain.
    public func stop() {
        isDraining.store(true, ordering: .relaxed)
        for loop in loops { loop.drain(deadline: configuration.common.drain) }
        for loop in loops { loop.join() }
        feed.leave {}
        feed.join()
        keys.stop()
        admin.submit { [adminServers, admin] _ in
            for server in adminServers.value.servers { server.close() }
            adminServers.value.servers = []
            admin.stop()
        }
        admin.join()
        log.record(.validatorStopped)
    }
}

/// One loop that decides, with its own validator. Nothing of it is touched from another thread.
private final class ServingLoop: Sendable {
    private final class State {
        var validator: Validator?
        var servers: [HTTPServer] = []
        var keys: KeySet?
    }

    let thread: LoopThread
    private let state = LoopBound(State())
    private let metrics: DecisionMetrics

    init(number: Int, families: DecisionMetrics.Families) throws(LoopError) {
        thread = try LoopThread(name: "quash-decide-\(number)")
        metrics = DecisionMetrics(families)
    }

    func start(
        _ listening: Listening, _ configuration: ValidatorConfiguration, feed: FeedThread, policy: TokenPolicy,
        keys: KeyLoader, canDecide: @escaping @Sendable () -> Bool, log: Logger
    ) {
        thread.submit { [state, metrics] loop in
            do {
                let validator = try Validator(
                    keys: state.value.keys, policy: policy, clockSkew: configuration.common.clockSkew,
                    issueTolerance: configuration.common.issueTolerance,
                    maxClockDeviation: configuration.common.maxClockDeviation, index: feed.index, lease: feed.lease,
                    cachedTokens: configuration.tokenCache)
                let endpoints = AuthorizationEndpoints(
                    on: loop, validator: validator, metrics: metrics, canDecide: canDecide,
                    hasReached: feed.status.hasReached, tokenAhead: feed.tokensAhead.note
                ) { keys.noteUnknownKey() }
                state.value.validator = validator
                state.value.servers = try listening.serve(on: loop, endpoints)
            } catch {
                log.record(.loopFailed, ["error": "\(error)"])
            }
        }
    }

    func replaceKeys(_ keys: KeySet) {
        thread.submit { [state] _ in
            state.value.keys = keys
            // A set that was parsed can be verified with: its keys were checked.
            try? state.value.validator?.replaceKeys(keys)
        }
    }

    func drain(deadline: Duration) {
        thread.submit { [state, thread] _ in
            QuashServer.drain(state.value.servers, deadline: deadline) {
                state.value.servers = []
                state.value.validator = nil
                thread.stop()
            }
        }
    }

    func join() { thread.join() }
}

/// A validator's admin listener: health and metrics.
private final class ValidatorAdminRoutes: HTTPResponder {
    private let health: HealthEndpoints

    init(_ health: HealthEndpoints) { self.health = health }

    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int { 0 }

    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        if !health.respond(to: request, exchange) {
            exchange.send(Problem(.notFound, "a validator has /livez, /readyz and /metrics here"))
        }
    }
}
