import QuashLoop

/// What bounds a round of the canary.
enum CanaryLimits {
    /// Acceptances before the revocation: the first fills a cache of decisions, the others are answered from it.
    static let acceptancesBefore = 3
    /// Refusals in a row, all asked for after the issuer's answer, after which a refusal is believed to last.
    static let refusalsAfter = 5
    /// From one answer of the gateway to the next question, while a refusal is expected at any moment: what is measured
    /// is no finer.
    static let shortPause: Duration = .milliseconds(1)
    /// For how long after the request to revoke.
    static let shortPausesFor: Duration = .seconds(1)
    /// At all other times.
    static let longPause: Duration = .milliseconds(20)
    static let probeTimeout: Duration = .seconds(5)
    static let maxProbeBodyBytes = 1 << 20
    static let maxTokenBytes = 16 << 10
    /// What the issuer takes for a time to wait for a confirmation, down to what can be told from slowness.
    static let deadlines: ClosedRange<Duration> = .milliseconds(100) ... .seconds(60)
    static let intervals: ClosedRange<Duration> = .milliseconds(100) ... .seconds(86_400)
    static let maxGateways = 64
    /// Scrapers at once.
    static let maxMetricsConnections = 16
}

/// What one round has found.
struct CanaryFinding: Equatable {
    enum Result: String, CaseIterable {
        case ok
        /// A token that nobody had revoked was refused.
        case refusedEarly = "refused_early"
        /// A revoked token was accepted after the confirmation, or after the deadline.
        case acceptedLate = "accepted_late"
        /// Neither could be decided.
        case failed
    }

    let result: Result
    /// From the request to revoke to the first refusal that lasted.
    var refusedAfter: Duration?
    /// From the request to revoke to the last question that was answered with an acceptance.
    var acceptedFor: Duration?
    var isConfirmed = false
    var detail: String?
    /// How the command ends for it.
    var outcome: Outcome
}

/// Judges one round of the canary. It knows no socket and no clock: its driver does what the actions say, and tells
/// what came of it and when.
///
/// Signed in, the token must be accepted some times. Then it is revoked, and asked about without a pause until it is
/// refused, and some times more after the issuer has answered. Two things are too late: an acceptance that was asked
/// for after the confirmation, and one after the deadline. Before that, an acceptance after a refusal is not: of
/// several validators behind a gateway, each hears of the revocation in its own time.
struct CanaryRound {
    enum Answer: Equatable {
        case accepted
        case refused
        /// Neither: what it was instead.
        case undecided(String)
    }

    enum Action: Equatable {
        case probe
        case revokeAndProbe
        case end(CanaryFinding)
        case none
    }

    private enum Phase {
        case signingIn
        case before(acceptances: Int)
        case after(Revoked)
        case over
    }

    private struct Revoked {
        let begun: LoopInstant
        /// When the issuer answered.
        var answered: LoopInstant?
        var isConfirmed = false
        /// When the first refusal since the last acceptance came.
        var refused: LoopInstant?
        var refusals = 0
        var lastAccepted: LoopInstant?
        var isLate: String?
        var undecided: String?
    }

    private let deadline: Duration
    private var phase = Phase.signingIn

    init(deadline: Duration) {
        self.deadline = deadline
    }

    /// There is a session and its token.
    mutating func signedIn() -> Action {
        guard case .signingIn = phase else { preconditionFailure("signed in twice") }
        phase = .before(acceptances: 0)
        return .probe
    }

    /// The issuer did not do what it was asked to.
    mutating func issuerFailed(_ detail: String, _ outcome: Outcome) -> Action {
        if case .over = phase { return .none }
        if case .after(let revoked) = phase, revoked.isLate != nil { return end(revoked) }
        return end(CanaryFinding(result: .failed, detail: detail, outcome: outcome))
    }

    /// The revocation is stored, and confirmed or not.
    mutating func revoked(isConfirmed: Bool, now: LoopInstant) -> Action {
        guard case .after(var revoked) = phase else { return .none }
        revoked.answered = now
        revoked.isConfirmed = isConfirmed
        phase = .after(revoked)
        return .none
    }

    /// The gateway has answered a question that was sent at `sent`.
    mutating func probed(_ answer: Answer, sent: LoopInstant, now: LoopInstant) -> Action {
        switch phase {
        case .signingIn: preconditionFailure("probed without a token")
        case .over: return .none
        case .before(let acceptances): return probedBefore(answer, acceptances, now)
        case .after(var revoked):
            judge(answer, &revoked, sent: sent, now: now)
            phase = .after(revoked)
            return next(revoked, after: answer, sent: sent)
        }
    }

    /// From now to the next question.
    func pause(now: LoopInstant) -> Duration {
        guard case .after(let revoked) = phase, revoked.refused == nil,
            now - revoked.begun < CanaryLimits.shortPausesFor
        else { return CanaryLimits.longPause }
        return CanaryLimits.shortPause
    }

    private mutating func probedBefore(_ answer: Answer, _ acceptances: Int, _ now: LoopInstant) -> Action {
        switch answer {
        case .refused:
            return end(
                CanaryFinding(
                    result: .refusedEarly, detail: "a token that was not revoked was refused", outcome: .refused))
        case .undecided(let detail):
            return end(CanaryFinding(result: .failed, detail: detail, outcome: .unreachable))
        case .accepted where acceptances + 1 < CanaryLimits.acceptancesBefore:
            phase = .before(acceptances: acceptances + 1)
            return .probe
        case .accepted:
            phase = .after(Revoked(begun: now))
            return .revokeAndProbe
        }
    }

    private func judge(_ answer: Answer, _ revoked: inout Revoked, sent: LoopInstant, now: LoopInstant) {
        switch answer {
        case .accepted:
            if let answered = revoked.answered, revoked.isConfirmed, sent >= answered {
                revoked.isLate = "accepted after the confirmation: does the gateway cache decisions?"
            } else if sent - revoked.begun >= deadline {
                revoked.isLate = revoked.isLate ?? "accepted after the deadline"
            }
            revoked.lastAccepted = sent
            revoked.refused = nil
            revoked.refusals = 0
        case .refused:
            revoked.refused = revoked.refused ?? now
            if let answered = revoked.answered, sent >= answered { revoked.refusals += 1 }
        case .undecided(let detail): revoked.undecided = detail
        }
    }

    private mutating func next(_ revoked: Revoked, after answer: Answer, sent: LoopInstant) -> Action {
        if revoked.refusals >= CanaryLimits.refusalsAfter { return end(revoked) }
        // Refusals are waited for to the end, which comes: by their number, or with the issuer's answer.
        guard sent - revoked.begun >= deadline, answer != .refused else { return .probe }
        return end(revoked)
    }

    private mutating func end(_ revoked: Revoked) -> Action {
        let isRefused = revoked.refusals >= CanaryLimits.refusalsAfter
        let result: CanaryFinding.Result = revoked.isLate != nil ? .acceptedLate : isRefused ? .ok : .failed
        var finding = CanaryFinding(
            result: result, isConfirmed: revoked.isConfirmed,
            detail: revoked.isLate ?? (isRefused ? nil : revoked.undecided ?? "never refused"),
            outcome: result == .ok ? .done : result == .acceptedLate ? .unconfirmed : .unreachable)
        finding.refusedAfter = isRefused ? revoked.refused.map { $0 - revoked.begun } : nil
        finding.acceptedFor = revoked.lastAccepted.map { $0 - revoked.begun }
        return end(finding)
    }

    private mutating func end(_ finding: CanaryFinding) -> Action {
        phase = .over
        return .end(finding)
    }
}
