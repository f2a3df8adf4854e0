public import Logging
public import Quash
import QuashJWT
import QuashLoop
import QuashRedis
import Synchronization

/// Validation within a service's own process: the feed and the keys on threads of their own, and decisions on whatever
/// thread asks. What it refuses and when is as with a validator beside a gateway.
///
/// It is of the process that made it. In a child that fork(2) makes of that it accepts nothing; the child makes a node
/// of its own.
public final class EmbeddedNode: Sendable {
    private let configuration: ValidatorConfiguration
    private let feed: FeedThread
    private let background: LoopThread
    private let keys: KeyLoader
    private let shared = SharedKeys()
    private let birth = BirthProcess()
    /// Validators that nobody uses at this moment.
    private let resting = Locked<[Resting]>([])

    /// SAFETY of @unchecked: whoever takes it has it alone until it is put back, under the lock.
    private struct Resting: @unchecked Sendable {
        let validator: EmbeddedValidator
    }

    /// The keys as they are, and how often they changed.
    fileprivate final class SharedKeys: Sendable {
        private let current = Locked<KeySet?>(nil)
        private let changes = Atomic<UInt64>(0)

        var version: UInt64 { changes.load(ordering: .acquiring) }
        var keys: KeySet? { current.withLock { $0 } }

        func replace(with keys: KeySet) {
            current.withLock { $0 = keys }
            changes.add(1, ordering: .releasing)
        }
    }

    /// Starts the feed and loads the keys, and returns without waiting for either: until both are there, nothing is
    /// decided.
    ///
    /// - Parameter configuration: as of `quash validator`; what is about listeners and loops has no effect.
    /// - Parameter log: takes the events that the article on logs lists.
    /// - Throws: one line that says why it cannot start.
    public init(_ configuration: ValidatorConfiguration, log: Logger) throws {
        self.configuration = configuration
        let common = configuration.common
        let redis = try RedisOptions(common, clientName: "quash-embedded")
        background = try LoopThread(name: "quash-keys")
        keys = try KeyLoader(configuration.keySource, on: background, log: log)
        feed = try FeedThread(
            settings: FeedFollower.Settings(common, redis: redis), log: log, keysChanged: keys.noteChange)
        keys.start { [shared] in shared.replace(with: $0) }
    }

    deinit {
        guard !birth.isCurrent else { return }
        // What the threads of the parent had in hand cannot be put in order in a child: it is left as it is.
        _ = unsafe (Unmanaged.passRetained(feed), Unmanaged.passRetained(background), Unmanaged.passRetained(keys))
    }

    /// Whether `token` may be accepted now. On any thread, as of tasks that have none of their own; nothing in it waits
    /// but for a moment's lock. Who has a thread for each loop saves that with ``makeValidator()``.
    ///
    /// Calls at the same time take a validator each, and the last one to be put back is the first to be taken: so there
    /// are never more of them, each with its `token-cache`, than threads were here at once.
    ///
    /// - Parameter token: the compact form (RFC 7515 §3.1), as it was presented.
    public func validate(_ token: Span<UInt8>) -> Verdict {
        // In a forked child the lock may be held by a thread that is not there.
        guard birth.isCurrent else { return .unavailable(.leaseEnded) }
        guard let validator = resting.withLock({ $0.popLast() })?.validator ?? (try? makeValidator()) else {
            return .unavailable(.noKeys)
        }
        defer { resting.withLock { $0.append(Resting(validator: validator)) } }
        return validator.validate(token)
    }

    /// A validator for the thread that makes it. It remembers verified tokens of its own (`token-cache`).
    public func makeValidator() throws -> EmbeddedValidator {
        var policy = TokenPolicy()
        policy.issuer = configuration.common.issuerURL
        policy.audiences = configuration.common.audience
        let validator = try Validator(
            keys: nil, policy: policy, clockSkew: configuration.common.clockSkew,
            issueTolerance: configuration.common.issueTolerance,
            maxClockDeviation: configuration.common.maxClockDeviation, index: feed.index, lease: feed.lease,
            cachedTokens: configuration.tokenCache)
        return EmbeddedValidator(
            validator, shared, birth, unknownKey: keys.noteUnknownKey, tokenAhead: feed.tokensAhead.note)
    }

    /// Whether it can decide: keys loaded, feed caught up, lease held.
    public var isReady: Bool { birth.isCurrent && keys.isLoaded && feed.health.allSatisfy { $0.problem == nil } }

    /// Gives the lease back and ends the threads: from then on nothing is accepted. Blocks for as long as that takes.
    /// In a forked child, which has neither, does nothing.
    public func stop() {
        guard birth.isCurrent else { return }
        feed.leave {}
        feed.join()
        keys.stop()
        background.stop()
        background.join()
    }
}

/// Decides about tokens on one thread, without a call to anyone. See ``EmbeddedNode``.
public final class EmbeddedValidator {
    private let validator: Validator
    private let shared: EmbeddedNode.SharedKeys
    private let birth: BirthProcess
    private let unknownKey: () -> Void
    private let tokenAhead: () -> Void
    private var version: UInt64 = 0

    fileprivate init(
        _ validator: Validator, _ shared: EmbeddedNode.SharedKeys, _ birth: BirthProcess,
        unknownKey: @escaping () -> Void, tokenAhead: @escaping () -> Void
    ) {
        self.validator = validator
        self.shared = shared
        self.birth = birth
        self.unknownKey = unknownKey
        self.tokenAhead = tokenAhead
    }

    /// Whether `token` may be accepted now.
    ///
    /// - Parameter token: the compact form (RFC 7515 §3.1), as it was presented.
    public func validate(_ token: Span<UInt8>) -> Verdict {
        guard birth.isCurrent else { return .unavailable(.leaseEnded) }
        let latest = shared.version
        if latest != version, let keys = shared.keys {
            version = latest
            // A set that was parsed can be verified with: its keys were checked.
            try? validator.replaceKeys(keys)
        }
        let verdict = validator.validate(token)
        switch verdict {
        case .refused(.invalid(.unknownKey)): unknownKey()
        case .unavailable(.tokenAhead): tokenAhead()
        default: break
        }
        return verdict
    }
}

@available(*, unavailable)
extension EmbeddedValidator: Sendable {}
