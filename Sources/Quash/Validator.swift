public import QuashJWT

/// Decides about tokens, on one thread, without a lock, a call to anyone, or a wait.
///
/// The order of a decision is its safety (invariant S0). First what never changes: the form, the key, the signature,
/// the claims. Then what only grows: the revocations. Then the time, by a clock reading that is taken after the
/// revocations were looked up; and last the lease, by the same reading. So a token is accepted only if at that instant
/// it was valid, nothing that this process was bound to know revoked it, and it had the right to say so.
public final class Validator {
    private let policy: TokenPolicy
    private let clockSkew: Duration
    private let index: RevocationIndex
    private let reader: RevocationIndex.Reader
    private let lease: Lease
    private let clock: () -> ClockReading
    private var verifier: TokenVerifier?
    /// The greatest civil time seen: a clock that goes back does not make a token valid again.
    private var latestWall = WallInstant(milliseconds: 0)

    /// - Parameter keys: nil when there are none yet; then nothing is decided.
    /// - Parameter clockSkew: how far issuers' clocks may be off, in the token's favour; whole seconds.
    public init(
        keys: KeySet?, policy: TokenPolicy, clockSkew: Duration, index: RevocationIndex, lease: Lease,
        clock: @escaping () -> ClockReading = ClockReading.now
    ) throws(JWTError) {
        self.policy = policy
        self.clockSkew = clockSkew
        self.index = index
        self.lease = lease
        self.clock = clock
        reader = RevocationIndex.Reader(index)
        if let keys { verifier = try TokenVerifier(keys: keys, policy: policy) }
    }

    /// Verifies with other keys from now on.
    public func replaceKeys(_ keys: KeySet) throws(JWTError) {
        verifier = try TokenVerifier(keys: keys, policy: policy)
    }

    /// Whether `token` may be accepted now.
    ///
    /// - Parameter token: the compact form (RFC 7515 §3.1), as it was presented.
    /// - Parameter type: what it must be; the policy's types when nil.
    public func validate(_ token: Span<UInt8>, as type: TokenType? = nil) -> Verdict {
        let verified: VerifiedToken
        switch verify(token, as: type) {
        case .accepted(let token): verified = token
        case let other: return other
        }
        // Read before the revocations are looked up: if this thread is stopped after the look-up, the feed's thread may
        // apply what the look-up missed and extend the lease. That lease is not this decision's.
        let held = lease.snapshot
        if let kind = revocation(of: verified) { return .refused(.revoked(kind)) }
        let now = clock()
        if let refusal = refusal(of: verified, now.wall) { return .refused(.invalid(refusal)) }
        return held.holds(at: now) && lease.holds(at: now) ? .accepted(verified) : .unavailable(.leaseEnded)
    }

    /// A token that was signed by a known key and has not expired, **revoked or not**: enough to end what it belongs
    /// to, never to let anyone in.
    public func genuineToken(_ token: Span<UInt8>, as type: TokenType) -> VerifiedToken? {
        guard case .accepted(let verified) = verify(token, as: type),
            refusal(of: verified, clock().wall) == nil
        else { return nil }
        return verified
    }

    /// Whether a revocation of this key catches what was issued at `issuedAt`. O(1).
    public func revokes(_ key: RevocationKey, issuedAt: WallInstant) -> Bool {
        reader.revokes(key, issuedAt: issuedAt)
    }

    /// The part of a decision that does not change with time.
    private func verify(_ token: Span<UInt8>, as type: TokenType?) -> Verdict {
        guard let verifier else { return .unavailable(.noKeys) }
        do {
            let verified = try verifier.verify(token)
            if let type, verified.type != type { return .refused(.invalid(.wrongType)) }
            return .accepted(verified)
        } catch {
            return .refused(.invalid(error))
        }
    }

    private func refusal(of token: VerifiedToken, _ wall: WallInstant) -> TokenRefusal? {
        latestWall = max(latestWall, wall, index.droppedBy)
        // Its revocation would be forgotten before it expires.
        let horizon = NumericDate(seconds: wall.seconds) + Retention.longestLifetime + clockSkew + Retention.margin
        if token.expiresAt > horizon { return .tooLongLived }
        return token.refusal(at: NumericDate(seconds: latestWall.seconds), skew: clockSkew)
    }

    /// The kind of a revocation that names this token, or nil. Kinds of which there are none cost one load each.
    private func revocation(of token: VerifiedToken) -> RevocationKind? {
        // One of ours says to the millisecond when it was issued; of another's, the start of its second counts, so that
        // "issued before" includes what was issued in the same second.
        let issued =
            token.tokenID.map { WallInstant(milliseconds: $0.issuedAtMilliseconds) }
            ?? WallInstant(seconds: token.issuedAt.seconds)
        for kind in RevocationKind.allCases where reader.has(kind) {
            guard let key = RevocationKey(kind, of: token) else { continue }
            if reader.revokes(key, issuedAt: issued) { return kind }
        }
        return nil
    }
}

@available(*, unavailable)
extension Validator: Sendable {}

extension RevocationKey {
    /// The key under which a revocation of this kind would name `token`; nil when the token says nothing of the kind.
    fileprivate init?(_ kind: RevocationKind, of token: VerifiedToken) {
        switch kind {
        case .token:
            self = token.tokenID.map(RevocationKey.token) ?? .hashed(.token, token.id)
        case .session:
            if let id = token.tokenID {
                self = .session(id.session)
            } else if !token.sessionID.isEmpty {
                let name = token.sessionID
                self = SessionID(name).map(RevocationKey.session) ?? .hashed(.session, name)
            } else {
                return nil
            }
        case .subject: self = .hashed(.subject, token.subject)
        case .client:
            guard !token.clientID.isEmpty else { return nil }
            self = .hashed(.client, token.clientID)
        case .key: self = .key(token.keyID)
        case .everything: self = .everything
        }
    }
}
