import Logging
import Quash
import QuashCrypto
import QuashJWT
import QuashLoop

/// What the issuer does, without HTTP: sign-in, refresh, logout, revocation, introspection. On one loop; every answer
/// comes on that loop.
///
/// The order that makes an ending safe: the session is marked as ended in Redis first, its revocation is published
/// second, and only then is the caller told. If the second step fails, the caller hears so and may repeat the call, and
/// any later use of the session's refresh tokens repeats the second step too.
final class IssuerService {
    struct Settings: Sendable {
        var accessLifetime: Duration
        var refreshLifetime: Duration
        var rotationGrace: Duration
        /// How far ahead of this issuer's clock a token, or the bound of a revocation, may be dated.
        var issueTolerance: Duration
        /// How far this issuer's clock may be from that of Redis.
        var maxClockDeviation: Duration
    }

    /// A pair of tokens, as RFC 6749 §5.1 answers it.
    struct TokenPair: Sendable {
        let access: [UInt8]
        let refresh: [UInt8]
        let expiresInSeconds: Int64
        let scope: String?
        let session: SessionID
    }

    enum Failure: Error, Equatable {
        /// The refresh token is dead, for whatever reason: RFC 6749 §5.2 `invalid_grant`.
        case invalidGrant
        /// More was asked for than was granted: `invalid_scope`.
        case invalidScope
        /// It is the issuer that cannot, for now.
        case unavailable(String)
    }

    typealias Answer<Value> = (Result<Value, Failure>) -> Void

    let settings: Settings
    let store: SessionStore
    let publisher: RevocationPublisher
    let observer: FleetObserver
    let recent: RecentRevocations
    let validator: Validator
    private let tokensAhead: TokensAhead
    private let clockProblem: () -> String?
    private let mint: TokenMint
    private let replay: SessionReplay
    /// How far this issuer has applied the feed; nil while that is unknown.
    let feedPosition: () -> FeedPosition?
    let metrics: IssuerMetrics
    private let log: Logger
    private var unserved = LineLimit()
    /// Orders the tokens that are issued and the bounds of revocations.
    var issueClock: IssueClock

    init(
        settings: Settings, store: SessionStore, publisher: RevocationPublisher, observer: FleetObserver,
        recent: RecentRevocations, mint: TokenMint, replay: SessionReplay, validator: Validator,
        tokensAhead: TokensAhead,
        clockProblem: @escaping () -> String?,
        feedPosition: @escaping () -> FeedPosition?, metrics: IssuerMetrics, log: Logger
    ) {
        self.settings = settings
        self.store = store
        self.publisher = publisher
        self.observer = observer
        self.recent = recent
        self.mint = mint
        self.replay = replay
        self.validator = validator
        self.tokensAhead = tokensAhead
        self.clockProblem = clockProblem
        issueClock = IssueClock(maxLead: settings.issueTolerance + settings.maxClockDeviation)
        self.feedPosition = feedPosition
        self.metrics = metrics
        self.log = log
    }

    // MARK: Signing in

    /// Mints the first pair of a new session, for a subject whom the caller has authenticated.
    func signIn(
        subject: String, client: String?, scope: String?, audience: [String], answer: @escaping Answer<TokenPair>
    ) {
        if let failure = clockFailure { return answer(.failure(failure)) }
        guard let place = mint.place() else { return answer(.failure(Self.isBusy)) }
        let issued = issueTime()
        let session = SessionID.random()
        let record = SessionRecord(
            subject: subject, client: client, scope: scope, audience: audience, created: issued,
            lifetimes: lifetimes, keyID: mint.currentKeyID)
        let identifiers = (
            access: TokenID(session: session, issuedAtMilliseconds: issued.milliseconds),
            refresh: TokenID(session: session, issuedAtMilliseconds: issued.milliseconds)
        )
        sign(identifiers, record, scope: scope, session: session, in: place) { [self] result in
            guard case .success(let pair) = result else { return answer(result) }
            store.create(session, record, refresh: identifiers.refresh, expires: issued + settings.refreshLifetime) {
                [self] created in
                switch created {
                case .failure(let error): answer(.failure(unavailable(error)))
                case .success(let surplus):
                    metrics.sessionCreated()
                    for old in surplus { end(old) { _ in } }
                    answer(.success(pair))
                }
            }
        }
    }

    private var lifetimes: SessionRecord.Lifetimes {
        SessionRecord.Lifetimes(access: settings.accessLifetime, refresh: settings.refreshLifetime)
    }

    private func sign(
        _ identifiers: (access: TokenID, refresh: TokenID), _ record: SessionRecord, scope: String?,
        session: SessionID, in place: SigningPlace, answer: @escaping Answer<TokenPair>
    ) {
        mint.pair(identifiers, record, scope: scope, in: place) { [self] result in
            answer(
                result.map { tokens in
                    TokenPair(
                        access: tokens.access, refresh: tokens.refresh,
                        expiresInSeconds: record.lifetimes.access.components.seconds, scope: scope, session: session)
                }.mapError { unavailable($0) })
        }
    }

    /// Nothing is dated, and no retention is reckoned, by a clock that may be wrong; nil while it is believed.
    var clockFailure: Failure? {
        clockProblem().map { .unavailable("the clock of this issuer cannot be believed: it is \($0)") }
    }

    private static let isBusy = Failure.unavailable("too many tokens are to be signed: try again in a second")

    /// The time at which a token is issued: after every bound that this issuer has revoked by, so that a sign-in in the
    /// same millisecond as a «log out everywhere» is not caught by it.
    func issueTime() -> WallInstant { issueClock.issue(now: ClockReading.now().wall) }

    // MARK: Refreshing

    /// Spends a refresh token (RFC 6749 §6).
    ///
    /// - Parameter client: who asks, authenticated as far as it must be; nil when nobody said.
    /// - Parameter scope: a narrower scope for the access token, or nil for what was granted.
    func refresh(_ token: [UInt8], client: String?, scope: String?, answer: @escaping Answer<TokenPair>) {
        let claims: Claims
        switch inspect(token, as: .refresh) {
        case .accepted(let verified): claims = verified.claims
        case .refused: return answer(.failure(.invalidGrant))
        case .unavailable(let reason): return answer(.failure(.unavailable(reason.description)))
        }
        guard let presented = TokenID(claims.id), claims.clientID == nil || claims.clientID == client else {
            return answer(.failure(.invalidGrant))
        }
        guard isGranted(scope, by: claims.scope) else { return answer(.failure(.invalidScope)) }
        guard replay.isComplete else {
            return answer(.failure(.unavailable("the ends of sessions are being restored: try again in a second")))
        }
        let now = issueTime()
        let next = mint.successors(of: presented, issued: now, keyID: mint.currentKeyID)
        guard let next else { return answer(.failure(.unavailable("the signing key is being replaced"))) }
        // Before the token is spent: a client that is told to come again must still have it then.
        guard let place = mint.place() else { return answer(.failure(Self.isBusy)) }
        store.rotate(
            presented, to: next.refresh, keyID: mint.currentKeyID, now: now, grace: settings.rotationGrace,
            lifetimes: lifetimes
        ) { [self] result in
            switch result {
            case .failure(let error): answer(.failure(unavailable(error)))
            case .success(let rotation):
                // A revocation may have arrived since the token was judged; what it catches gets no successor.
                if case .refused = validator.validate(token.span, as: .refresh) {
                    return end(presented.session) { _ in answer(.failure(.invalidGrant)) }
                }
                rotated(rotation, presented, next, now, scope: scope ?? claims.scope, in: place, answer)
            }
        }
    }

    private func rotated(
        _ rotation: SessionStore.Rotation, _ presented: TokenID, _ next: (access: TokenID, refresh: TokenID),
        _ now: WallInstant, scope: String?, in place: SigningPlace, _ answer: @escaping Answer<TokenPair>
    ) {
        switch rotation {
        case .rotated(var record):
            metrics.refreshed(.rotated)
            record.rotated = now
            record.lifetimes = lifetimes
            record.keyID = mint.currentKeyID
            sign(next, record, scope: scope, session: presented.session, in: place, answer: answer)
        case .replayed(let record):
            metrics.refreshed(.replayed)
            let same = mint.successors(of: presented, issued: record.rotated, keyID: record.keyID)
            guard let same else { return answer(.failure(.unavailable("the signing key was replaced"))) }
            sign(same, record, scope: scope, session: presented.session, in: place, answer: answer)
        case .reused(let record):
            metrics.reuseDetected()
            log.record(.sessionReused, ["session": "\(presented.session)"])
            revoke(presented.session, record, answer)
        case .ended(let record):
            metrics.refreshed(.ended)
            revoke(presented.session, record, answer)
        case .unknown:
            metrics.refreshed(.unknown)
            answer(.failure(.invalidGrant))
        }
    }

    private func revoke(_ session: SessionID, _ record: SessionRecord, _ answer: @escaping Answer<TokenPair>) {
        publishEnd(of: session, record, wait: .stored) { result in
            switch result {
            case .success: answer(.failure(.invalidGrant))
            case .failure(let failure): answer(.failure(failure))
            }
        }
    }

    /// Whether every word of `asked` is in `granted` (RFC 6749 §6).
    private func isGranted(_ asked: String?, by granted: String?) -> Bool {
        guard let asked else { return true }
        let granted = Set((granted ?? "").split(separator: " "))
        return asked.split(separator: " ").allSatisfy(granted.contains)
    }

    // MARK: Inspecting

    /// What is to be said of a token that the issuer was given.
    ///
    /// - Parameter type: what it must be; either type when nil.
    func inspect(_ token: [UInt8], as type: TokenType? = nil) -> Verdict {
        let verdict = validator.validate(token.span, as: type)
        if case .unavailable(.tokenAhead) = verdict { tokensAhead.note() }
        return verdict
    }

    /// A token that is ours and has not expired, revoked or not.
    ///
    /// - Parameter type: as ``inspect(_:as:)`` takes it.
    func genuineToken(_ token: [UInt8], as type: TokenType? = nil) -> VerifiedToken? {
        validator.genuineToken(token.span, as: type)
    }

    /// The session of a refresh token, and whether that token is the one to use next.
    func session(of refresh: TokenID, answer: @escaping Answer<(SessionRecord, isCurrent: Bool)?>) {
        store.read(refresh.session, refresh: refresh) { [self] result in answer(result.mapError { unavailable($0) }) }
    }

    /// The sessions of a subject that are alive.
    func sessions(of subject: String, answer: @escaping Answer<[(SessionID, SessionRecord)]>) {
        store.sessions(of: subject) { [self] result in
            guard case .success(let sessions) = result, !sessions.isEmpty else {
                return answer(result.map { _ in [] }.mapError { unavailable($0) })
            }
            InTurn.run(sessions) { [store] session, answer in
                store.read(session) { answer($0) }
            } answer: { [self] result in
                answer(
                    result.mapError { unavailable($0) }.map { found in
                        let all = zip(sessions, found)
                        // One that has ended stays in the list until its end is published.
                        store.forget(all.filter { $0.1 == nil }.map(\.0), of: subject)
                        return all.compactMap { session, found in
                            guard let record = found?.0, !record.isEnded else { return nil }
                            return (session, record)
                        }
                    })
            }
        }
    }

    // MARK: Retention

    /// The longest lifetimes that the configuration allows: what was issued under another configuration, or by another
    /// issuer, lives no longer.
    private static let longestAccessLifetime: Duration = .seconds(86_400)
    private static let longestLifetime = Retention.longestLifetime

    /// To be remembered until the last access token of the session has expired.
    func sessionRevocation(_ session: SessionID, _ record: SessionRecord?) -> Revocation {
        Revocation(key: .session(session), expiresAtSeconds: record.map(accessExpiry) ?? accessHorizon())
    }

    /// When the last access token of a session expires.
    func accessExpiry(_ record: SessionRecord) -> UInt32 { UInt32(clamping: record.accessExpires.seconds + 1) }

    /// The latest expiry of any access token that this issuer can have issued until now.
    func accessHorizon() -> UInt32 {
        UInt32(clamping: (ClockReading.now().wall + Self.longestAccessLifetime).seconds + 1)
    }

    /// The latest expiry of a token with this name, by the time of its issue.
    func longestExpiry(of token: TokenID) -> UInt32 {
        let latest = WallInstant(milliseconds: token.issuedAtMilliseconds) + Self.longestLifetime
        return UInt32(clamping: max(latest, ClockReading.now().wall).seconds + 1)
    }

    /// To be remembered by issuers until the last refresh token of the session has expired: Redis may forget that these
    /// are dead.
    ///
    /// - Parameter otherwise: until when of a session that Redis does not know, in seconds since 1970; nil for as long
    ///   as
    ///   any token may live.
    func sessionEnd(_ session: SessionID, _ record: SessionRecord?, otherwise: UInt32? = nil) -> SessionEnd {
        let known = record.map { $0.refreshExpires.map { UInt32(clamping: $0.seconds + 1) } ?? horizon() }
        return SessionEnd(session: .session(session), untilSeconds: known ?? otherwise ?? horizon())
    }

    /// The latest expiry of anything that can have been issued until now.
    func horizon() -> UInt32 {
        UInt32(clamping: (ClockReading.now().wall + Self.longestLifetime).seconds + 1)
    }

    func unavailable(_ error: any Error) -> Failure {
        if let failure = error as? Failure { return failure }
        // While Redis is away that is each request.
        if let suppressed = unserved.admit() {
            log.record(
                .requestUnserved,
                suppressed == 0 ? ["error": "\(error)"] : ["error": "\(error)", "suppressed": "\(suppressed)"])
        }
        return .unavailable("the revocation store does not answer")
    }
}
