package import Quash

/// What is known of one token, and so which answers about it are right.
///
/// Every instant is on the safe side: `sent` is read before a request can have left, `answered` after its answer was
/// there. So what is called a violation was one, whatever the threads of the observer did.
package struct TokenHistory: Sendable {
    /// What a validator said.
    package enum Verdict: Equatable, Sendable {
        case accepted
        case refused
        case unavailable
    }

    /// An answer of a validator.
    package struct Answer: Sendable {
        package let verdict: Verdict
        package let sent: BootInstant
        package let answered: BootInstant
        /// When the process that answered was about to be started.
        package let started: BootInstant
        /// Whether the request named the position of the token's revocation as the oldest to decide on.
        package let statedMinimum: Bool

        /// One answer about one token.
        package init(
            _ verdict: Verdict, sent: BootInstant, answered: BootInstant, started: BootInstant,
            statedMinimum: Bool = false
        ) {
            self.verdict = verdict
            self.sent = sent
            self.answered = answered
            self.started = started
            self.statedMinimum = statedMinimum
        }
    }

    /// When somebody first asked for something that may revoke it.
    package private(set) var asked: BootInstant?
    /// When it was first answered that its revocation is stored.
    package private(set) var stored: BootInstant?
    /// When it was first answered that its revocation is confirmed.
    package private(set) var confirmed: BootInstant?

    /// A token that nobody has revoked.
    package init() {}

    /// A request that may revoke it is about to be sent.
    package mutating func asks(at now: BootInstant) { asked = min(asked ?? now, now) }

    /// The answer that its revocation is stored has arrived.
    package mutating func isStored(at now: BootInstant) {
        asks(at: now)
        stored = min(stored ?? now, now)
    }

    /// The answer that its revocation is confirmed has arrived.
    package mutating func isConfirmed(at now: BootInstant) {
        isStored(at: now)
        confirmed = min(confirmed ?? now, now)
    }

    /// Whether nobody had asked to revoke it by then.
    package func isGood(at instant: BootInstant) -> Bool { asked.map { instant < $0 } ?? true }

    /// What is wrong with an answer; nil when nothing is. 503 is judged by ``OutageLog``.
    package func violation(_ answer: Answer, timing: Timing) -> Violation.Kind? {
        switch answer.verdict {
        case .unavailable: return nil
        case .refused: return isGood(at: answer.answered) ? .goodRefused : nil
        case .accepted: break
        }
        if let confirmed, answer.sent > confirmed { return .acceptedAfterConfirmation }
        guard let stored else { return nil }
        if answer.statedMinimum, answer.sent > stored { return .acceptedBelowMinimum }
        if answer.sent > stored + timing.staleness { return .acceptedAfterLease }
        // What starts later is granted its first lease together with everything that was stored. A request that was
        // sent before the start may have been answered by the process before it.
        if answer.started > stored + timing.fence, answer.sent > answer.started { return .acceptedByLaterValidator }
        return nil
    }
}

/// An answer that breaks a promise.
package struct Violation: Sendable {
    /// Which promise.
    package enum Kind: String, CaseIterable, Sendable {
        /// S1: sent after the confirmation had returned.
        case acceptedAfterConfirmation = "accepted after its confirmation had returned"
        /// S6: sent later than a lease and the clocks' error after the revocation was stored.
        case acceptedAfterLease = "accepted later than a lease after it was stored"
        /// S2 and S4: by a validator that was started after the revocation was stored.
        case acceptedByLaterValidator = "accepted by a validator that was started later"
        /// Freshness: though the request named the position of its revocation.
        case acceptedBelowMinimum = "accepted on something older than X-Quash-Min"
        /// S5: while an issuer had not restored the feed.
        case acceptedBeforeRestore = "accepted while an issuer had not restored the feed"
        /// A token that nobody had revoked was answered 401.
        case goodRefused = "a good token was refused"
        /// Liveness: a good token was answered 503 although the lease cannot have ended.
        case goodUnavailable = "a good token was answered 503 although the lease cannot have ended"
        /// The fleet did not come back by itself.
        case stuck = "the fleet did not become ready again"
        /// An answer that no endpoint may give here.
        case unexpected = "an answer that must not be given"
    }

    package let kind: Kind
    package let at: BootInstant
    package let what: String

    /// What was seen, and when.
    package init(_ kind: Kind, at: BootInstant, _ what: String) {
        self.kind = kind
        self.at = at
        self.what = what
    }
}

/// While an issuer is missing after a loss of data, nobody may be granted a lease: what is accepted once the leases
/// from before have ended, and before that issuer is started, breaks invariant S5.
package struct Embargo: Sendable {
    /// When the data was lost, at the latest.
    package let lost: BootInstant
    /// When the missing issuer was about to be started; nil while it is not.
    package var lifted: BootInstant?

    /// Begins when the data is lost.
    package init(lost: BootInstant) { self.lost = lost }

    /// Whether accepting was wrong.
    package func forbids(sent: BootInstant, answered: BootInstant, timing: Timing) -> Bool {
        sent > lost + timing.staleness && (lifted.map { answered < $0 } ?? true)
    }
}
