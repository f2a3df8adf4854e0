public import QuashJWT

/// Decides about tokens, on one thread, without a lock, a call to anyone, or a wait.
///
/// The order of a decision is its safety (invariant S0). First what never changes: the form, the key, the signature,
/// the claims. Then what only grows: the revocations. Then the time, by a clock reading that is taken after the
/// revocations were looked up; and last the lease, by the same reading. So a token is accepted only if at that instant
/// it was valid, nothing that this process was bound to know revoked it, and it had the right to say so.
public final class Validator {
    private let policy: TokenPolicy
    private let clockSkewSeconds: Int64
    private let issueToleranceMilliseconds: Int64
    private let maxClockDeviationMilliseconds: Int64
    private let maxClockDeviationNanoseconds: UInt64
    private let index: RevocationIndex
    private let reader: RevocationIndex.Reader
    private let lease: Lease
    private let clock: () -> ClockReading
    private let cache: TokenCache?
    private var verifier: TokenVerifier?
    /// Tokens that were verified because they were not remembered; good ones and others.
    package private(set) var verifications: UInt64 = 0
    /// Those of them that were not good, or had expired by then.
    package private(set) var failedVerifications: UInt64 = 0
    /// Judgements about tokens that were remembered.
    package private(set) var cacheHits: UInt64 = 0
    /// The greatest civil time seen: a clock that goes back does not make a token valid again.
    private var latestWall = WallInstant(milliseconds: 0)
    /// ``RevocationIndex/discards`` when that was last discarded here.
    private var discards: UInt64 = 0

    /// - Parameters:
    ///   - keys: nil when there are none yet; then nothing is decided.
    ///   - policy: what a token must be, and for whom.
    ///   - clockSkew: how far issuers' clocks may be off, in the token's favour; whole seconds.
    ///   - issueTolerance: how far ahead of this node's clock a token may be dated, and how much further than our bound
    ///     another issuer's tokens are caught; 0 to 60 s. One value for both, and judged here rather than stored: no
    ///     token that this validator accepted before a revocation is then dated beyond it.
    ///   - maxClockDeviation: how far the civil clock may be set without being compared with that of Redis again, and
    ///     how far the greatest time seen may be ahead of it.
    ///   - index: what is revoked.
    ///   - lease: without which nothing is accepted.
    ///   - cachedTokens: verified tokens that are remembered, about 1 KiB each; 0 for none. They are forgotten with the
    ///     keys, and everything that can change is judged anew for each decision.
    ///   - clock: read once for each decision, after the revocations were looked up.
    public init(
        keys: KeySet?, policy: TokenPolicy, clockSkew: Duration, issueTolerance: Duration = .seconds(5),
        maxClockDeviation: Duration = .seconds(1),
        index: RevocationIndex, lease: Lease, cachedTokens: Int = 0,
        clock: @escaping () -> ClockReading = ClockReading.now
    ) throws(JWTError) {
        self.policy = policy
        clockSkewSeconds = clockSkew.components.seconds
        precondition((.zero...IssueBound.maxTolerance).contains(issueTolerance), "a tolerance of \(issueTolerance)")
        issueToleranceMilliseconds = issueTolerance.wholeMilliseconds
        maxClockDeviationMilliseconds = maxClockDeviation.wholeMilliseconds
        maxClockDeviationNanoseconds = UInt64(maxClockDeviation.wholeNanoseconds)
        self.index = index
        self.lease = lease
        self.clock = clock
        cache = cachedTokens > 0 ? TokenCache(capacity: cachedTokens) : nil
        reader = RevocationIndex.Reader(index)
        if let keys { verifier = try TokenVerifier(keys: keys, policy: policy) }
    }

    /// Verifies with other keys from now on.
    public func replaceKeys(_ keys: KeySet) throws(JWTError) {
        verifier = try TokenVerifier(keys: keys, policy: policy)
        cache?.removeAll()
    }

    /// Whether `token` may be accepted now.
    ///
    /// - Parameter token: the compact form (RFC 7515 §3.1), as it was presented.
    /// - Parameter type: what it must be; the policy's types when nil.
    public func validate(_ token: Span<UInt8>, as type: TokenType? = nil) -> Verdict {
        switch judge(token, as: type) {
        case .accepted(let known): .accepted(known.verified)
        case .refused(let refusal): .refused(refusal)
        case .unavailable(let reason): .unavailable(reason)
        }
    }

    /// A verdict with what is known of the token.
    package enum Judgement {
        case accepted(KnownToken)
        case refused(Refusal)
        case unavailable(Unavailability)
    }

    /// As ``validate(_:as:)``.
    package func judge(_ token: Span<UInt8>, as type: TokenType? = nil) -> Judgement {
        switch know(token) {
        case .accepted(let known): judge(known, as: type)
        case let other: other
        }
    }

    /// As ``validate(_:as:)``; nil when a signature would have to be verified for it.
    package func judgeRemembered(_ token: Span<UInt8>) -> Judgement? {
        guard token.count <= JWTLimits.maxTokenBytes, let known = remembered(cache?.key(of: token)) else { return nil }
        return judge(known, as: nil)
    }

    private func judge(_ known: KnownToken, as type: TokenType?) -> Judgement {
        if let type, known.verified.type != type { return .refused(.invalid(.wrongType)) }
        // Before the lease, which is dropped before that is counted.
        let discards = index.discards
        // Read before the revocations are looked up: if this thread is stopped after the look-up, the feed's thread may
        // apply what the look-up missed and extend the lease. That lease is not this decision's.
        let held = lease.snapshot
        if let kind = revocation(of: known) { return .refused(.revoked(kind)) }
        let now = clock()
        if let doubt = doubt(now, held, discards) { return .unavailable(doubt) }
        if let refusal = refusal(of: known, now.wall) { return .refused(.invalid(refusal)) }
        if isAhead(known, now.wall) {
            return known.isExact ? .unavailable(.tokenAhead) : .refused(.invalid(.issuedAhead))
        }
        if index.cutBy.seconds >= known.expiresAtSeconds + clockSkewSeconds { return .unavailable(.indexFull) }
        // What was dropped by a time that was discarded since is missing, and not refused as expired.
        guard index.discards == discards else { return .unavailable(.clock) }
        return held.holds(at: now) && lease.holds(at: now) ? .accepted(known) : .unavailable(.leaseEnded)
    }

    /// Why no time is judged by this reading; nil when the clock may be believed.
    private func doubt(_ now: ClockReading, _ held: Lease.Snapshot, _ discards: UInt64) -> Unavailability? {
        // Nobody has compared the clock before the first grant.
        guard held.hasBegun else { return .leaseEnded }
        guard !held.isClockSet(at: now, by: maxClockDeviationNanoseconds) else { return .clock }
        if discards != self.discards { (self.discards, latestWall) = (discards, WallInstant(milliseconds: 0)) }
        let wall = now.wall
        latestWall = max(latestWall, wall)
        let latest = max(latestWall, index.latest)
        return latest.milliseconds - wall.milliseconds <= maxClockDeviationMilliseconds ? nil : .clock
    }

    /// A token that was signed by a known key and has not expired, **revoked or not**: enough to end what it belongs
    /// to, never to let anyone in.
    ///
    /// - Parameters:
    ///   - token: the compact form (RFC 7515 §3.1), as it was presented.
    ///   - type: what it must be; the policy's types when nil.
    public func genuineToken(_ token: Span<UInt8>, as type: TokenType? = nil) -> VerifiedToken? {
        guard case .accepted(let known) = know(token), type == nil || known.verified.type == type,
            isGenuineNow(known)
        else { return nil }
        return known.verified
    }

    private func isGenuineNow(_ known: KnownToken) -> Bool {
        let (discards, held, now) = (index.discards, lease.snapshot, clock())
        // While no time can be judged it may have expired: ending what has ended does no harm.
        return doubt(now, held, discards) != nil || refusal(of: known, now.wall, isCut: false) == nil
    }

    /// Whether a revocation of this key catches what was issued at `issuedAt`. O(1).
    public func revokes(_ key: RevocationKey, issuedAt: WallInstant) -> Bool {
        reader.revokes(key, issuedAt: issuedAt)
    }

    /// The part of a decision that does not change with time.
    private func know(_ token: Span<UInt8>) -> Judgement {
        guard let verifier else { return .unavailable(.noKeys) }
        // A longer one was never verified: it is not even hashed.
        guard token.count <= JWTLimits.maxTokenBytes else { return .refused(.invalid(.tooLarge)) }
        let key = cache?.key(of: token)
        if let known = remembered(key) { return .accepted(known) }
        verifications += 1
        do {
            let known = KnownToken(try verifier.verify(token))
            // A flood of old tokens costs as much as one of forged tokens.
            if latestWall.seconds >= known.expiresAtSeconds + clockSkewSeconds { failedVerifications += 1 }
            if let key { cache?.insert(known, as: key, at: latestWall.seconds) }
            return .accepted(known)
        } catch {
            failedVerifications += 1
            return .refused(.invalid(error))
        }
    }

    private func remembered(_ key: TokenHash.Value?) -> KnownToken? {
        guard let key, let known = cache?.find(key) else { return nil }
        cacheHits += 1
        return known
    }

    /// - Parameter isCut: whether it is refused, too, as soon as its revocation may have been dropped.
    private func refusal(of token: KnownToken, _ wall: WallInstant, isCut: Bool = true) -> TokenRefusal? {
        // Its revocation would be forgotten before it expires: whenever it is presented, and whatever its issuer says.
        if token.livesTooLong { return .tooLongLived }
        if token.expiresAtSeconds > wall.seconds + Self.longestSeconds + clockSkewSeconds { return .tooLongLived }
        // RFC 7519 §4.1.4 and §4.1.5.
        let seconds = latestWall.seconds
        let endsAt = max(seconds, isCut ? index.droppedBy.seconds : 0)
        if endsAt >= token.expiresAtSeconds + clockSkewSeconds { return .expired }
        return seconds + clockSkewSeconds < token.notBeforeSeconds ? .notYetValid : nil
    }

    /// Whether it is dated further ahead than any clock may be. Accepted now, it would not be caught by a bound of now.
    private func isAhead(_ token: KnownToken, _ wall: WallInstant) -> Bool {
        token.issuedAt.milliseconds > wall.milliseconds + issueToleranceMilliseconds
    }

    private static let longestSeconds = (Retention.longestLifetime + Retention.margin).components.seconds

    /// The kind of a revocation that names this token, or nil. Kinds of which there are none cost one load each, and
    /// all of them together cost one while the index is as it was at the last look.
    private func revocation(of token: KnownToken) -> RevocationKind? {
        if let kind = token.revokedBy { return kind }
        // Before the look-ups: what is applied during them makes the next decision look again.
        let changes = index.changes
        guard token.unrevokedAt != changes else { return nil }
        for kind in RevocationKind.allCases where reader.has(kind) {
            guard let key = token.key(kind), isRevoked(token, by: key) else { continue }
            token.revokedBy = kind
            return kind
        }
        token.unrevokedAt = changes
        return nil
    }

    /// What is not exact is another issuer's, whose clock may be ahead of ours when that set the bound.
    private func isRevoked(_ token: KnownToken, by key: RevocationKey) -> Bool {
        reader.revokes(
            key, issuedAt: token.issuedAt, toleranceMilliseconds: token.isExact ? 0 : issueToleranceMilliseconds)
    }
}

@available(*, unavailable)
extension Validator: Sendable {}
