import Quash
import QuashJWT

/// Ending sessions and revoking: the session is marked as ended in Redis first, its revocation is published second, and
/// only then is the caller told.
extension IssuerService {
    /// How long a caller waits for a revocation.
    enum Wait: Equatable, Sendable {
        /// Until it is in this issuer's outbox and in Redis.
        case stored
        /// Until no validator accepts any more what it names, or for this long.
        case confirmed(within: Duration)
    }

    /// What became of a revocation.
    struct Revoked: Equatable, Sendable {
        enum Status: String, Sendable {
            case stored
            case confirmed
            /// Stored, and the time to wait for more is over.
            case unconfirmed
        }

        /// Where the feed holds it.
        let position: FeedPosition
        let status: Status
    }

    /// What is to be published, and remembered, of a session that has ended.
    struct EndedSession {
        let revocation: Revocation
        let end: SessionEnd
    }

    private func ended(_ session: SessionID, _ record: SessionRecord?) -> EndedSession {
        EndedSession(revocation: sessionRevocation(session, record), end: sessionEnd(session, record))
    }

    /// Ends one session: its refresh tokens at once, its access tokens at every validator that hears of it.
    ///
    /// - Parameter answer: where the feed holds it.
    func end(_ session: SessionID, wait: Wait = .stored, answer: @escaping Answer<Revoked>) {
        if let failure = clockFailure { return answer(.failure(failure)) }
        store.end(session, now: ClockReading.now().wall) { [self] result in
            switch result {
            case .failure(let error):
                notStored([sessionRevocation(session, nil)])
                answer(.failure(unavailable(error)))
            case .success(let record): publishEnd(of: session, record, wait: wait, answer: answer)
            }
        }
    }

    /// Whether this issuer has heard that a session has ended.
    func hasEnded(_ session: SessionID) -> Bool {
        validator.revokes(.session(session), issuedAt: ClockReading.now().wall)
    }

    /// Publishes that a session has ended, unless the feed says so already: ending it again must cost the fleet
    /// nothing.
    func publishEnd(
        of session: SessionID, _ record: SessionRecord?, wait: Wait, answer: @escaping Answer<Revoked>
    ) {
        // This issuer also knows from its outbox, which may be ahead of the feed.
        if hasEnded(session), wait == .stored, let position = feedPosition(), position.epoch == publisher.settledEpoch {
            return answer(.success(Revoked(position: position, status: .stored)))
        }
        let ended = ended(session, record)
        publish([ended.revocation], ends: [ended.end], wait: wait) { [store] result in
            if case .success = result, let record { store.forget([session], of: record.subject) }
            answer(result)
        }
    }

    /// Ends every session of these subjects, and refuses every token that was issued to them until now.
    ///
    /// - Parameter requestID: as `RevocationPublisher.publish` takes it.
    /// - Parameter expiresAtSeconds: when the last of their tokens expires that are of another issuer; nil when that is
    ///   not known. Those of this one have ended sessions, or are access tokens.
    func endAll(
        of subjects: [String], requestID: String = "", expiresAtSeconds: UInt32? = nil, wait: Wait,
        answer: @escaping Answer<Revoked>
    ) {
        if let failure = clockFailure { return answer(.failure(failure)) }
        let bound = issueClock.bound(now: ClockReading.now().wall)
        let expiry = expiresAtSeconds.map { max($0, accessHorizon()) } ?? horizon()
        let all = subjects.map { Revocation(key: .subject($0), issuedBefore: bound, expiresAtSeconds: expiry) }
        InTurn.run(subjects) { [store] subject, answer in
            store.sessions(of: subject) { answer($0) }
        } answer: { [self] result in
            guard case .success(let sessions) = result else {
                notStored(all)
                return answer(.failure(.unavailable("redis did not answer")))
            }
            let each = sessions.flatMap(\.self)
            endInStore(each, for: all, answer: answer) { [self] records in
                let ended = zip(each, records).map { self.ended($0, $1) }
                publish(all, and: ended, requestID: requestID, wait: wait) { [self] result in
                    answer(result)
                    if case .success = result { forget(Array(zip(subjects, sessions))) }
                }
            }
        }
    }

    /// Publishes the revocations of subjects and the ends of their sessions.
    ///
    /// A retry with the same name may find other sessions. So these are commits without a name, before those that have
    /// one: whatever a retry finds is published, and it is answered with the position that the first was.
    private func publish(
        _ subjects: [Revocation], and ended: [EndedSession], requestID: String, wait: Wait,
        answer: @escaping Answer<Revoked>
    ) {
        let (revocations, ends) = (ended.map(\.revocation), ended.map(\.end))
        if requestID.isEmpty || ended.isEmpty {
            return publish(subjects + revocations, ends: ends, requestID: requestID, wait: wait, answer: answer)
        }
        publish(revocations, ends: ends, wait: .stored) { [self] result in
            guard case .success = result else { return answer(result) }
            publish(subjects, requestID: requestID, wait: wait, answer: answer)
        }
    }

    /// The ends of these sessions are published: their subjects' lists need not name them any more.
    private func forget(_ ended: [(subject: String, sessions: [SessionID])]) {
        InTurn.run(ended) { [store] one, answer in
            store.forget(one.sessions, of: one.subject) { answer(.success(())) }
        } answer: { _ in
        }
    }

    /// Redis could not be told first, so nothing was published. To whoever asked, and to who watches, that is the same.
    private func notStored(_ revocations: [Revocation]) {
        recent.stored(recent.asked(revocations), at: nil, isAwaited: false)
        metrics.committed(isStored: false)
    }

    private func publish(
        _ revocations: [Revocation], ends: [SessionEnd] = [], requestID: String = "", wait: Wait,
        answer: @escaping Answer<Revoked>
    ) {
        let id = recent.asked(revocations)
        publisher.publish(revocations, ends: ends, requestID: requestID, isAwaited: wait != .stored) { [self] result in
            recent.stored(id, at: (try? result.get())?.position, isAwaited: wait != .stored)
            switch (result, wait) {
            case (.failure(let error), _): answer(.failure(unavailable(error)))
            case (.success(let stored), .stored):
                answer(.success(Revoked(position: stored.position, status: .stored)))
            case (.success(let stored), .confirmed(let timeout)):
                observer.confirm(stored, within: timeout) { [recent] outcome in
                    let status: Revoked.Status = outcome == .unconfirmed ? .unconfirmed : .confirmed
                    recent.ended(id, isConfirmed: status == .confirmed)
                    answer(.success(Revoked(position: stored.position, status: status)))
                }
            }
        }
    }

    /// Carries out what an administrator asked for. Sessions are ended in Redis first, then everything is published.
    func revoke(_ request: RevocationRequest, requestID: String, answer: @escaping Answer<Revoked>) {
        if let failure = clockFailure { return answer(.failure(failure)) }
        for revocation in request.revocations {
            if let bound = revocation.issuedBefore { issueClock.note(bound: bound) }
        }
        var request = request
        let publish = { [self] (expiries: [UInt32], ends: [SessionEnd]) in
            request.remember(until: expiries)
            publishTwice(request, ends: ends, requestID: requestID, answer: answer)
        }
        switch request.kind {
        case .session where request.issuedBefore == nil:
            let sessions = request.names.map { SessionID($0) }
            endInStore(sessions, for: request.revocations, answer: answer) { [self] records in
                let otherwise = request.expiresAtSeconds ?? horizon()
                publish(
                    records.map { $0.map(accessExpiry) ?? otherwise },
                    zip(sessions, records).compactMap { id, record in
                        id.map { sessionEnd($0, record, otherwise: otherwise) }
                    })
            }
        case .subject where request.issuedBefore == nil:
            endAll(
                of: request.names, requestID: requestID, expiresAtSeconds: request.expiresAtSeconds, wait: request.wait,
                answer: answer)
        case .token:
            expiries(of: request.names, said: request.expiresAtSeconds) { publish($0, []) }
        case .session, .subject, .client, .key, .everything:
            publishTwice(request, ends: [], requestID: requestID, answer: answer)
        }
    }

    /// The latest time at which each of these tokens can expire. A token of a session that Redis knows is of this
    /// issuer, and may be a refresh token of it. Of any other that is what was said, and not more than a name says that
    /// Quash made.
    ///
    /// - Parameter said: of tokens of another issuer, in seconds since 1970; nil when that was not said.
    private func expiries(of names: [String], said: UInt32?, answer: @escaping ([UInt32]) -> Void) {
        let horizon = horizon()
        InTurn<String, UInt32>.run(names) { [self] name, answer in
            guard let id = TokenID(name) else { return answer(.success(said ?? horizon)) }
            let longest = min(horizon, longestExpiry(of: id))
            store.read(id.session) { result in
                let expiry: UInt32 =
                    switch result {
                    case .success(let found?): UInt32(clamping: found.0.expires.seconds + 1)
                    case .success(nil): said ?? horizon
                    // Nobody knows whose it is.
                    case .failure: horizon
                    }
                answer(.success(min(longest, expiry)))
            }
        } answer: { result in
            answer((try? result.get()) ?? [UInt32](repeating: horizon, count: names.count))
        }
    }

    /// Publishes what an administrator asked for; where it is bounded by the time of asking, once more with the time at
    /// which the first was stored. So what was issued while the first was on its way is caught too, such as the
    /// successor of a refresh token that was judged a moment before.
    private func publishTwice(
        _ request: RevocationRequest, ends: [SessionEnd], requestID: String, answer: @escaping Answer<Revoked>
    ) {
        let isTwofold = request.issuedBefore == nil && request.revocations.contains { $0.issuedBefore != nil }
        guard isTwofold else {
            return publish(
                request.revocations, ends: ends, requestID: requestID, wait: request.wait, answer: answer)
        }
        publish(request.revocations, requestID: requestID, wait: .stored) { [self] result in
            guard case .success = result else { return answer(result) }
            let bound = issueClock.bound(now: ClockReading.now().wall)
            let again = request.revocations.map {
                Revocation(key: $0.key, issuedBefore: bound, expiresAtSeconds: $0.expiresAtSeconds)
            }
            publish(
                again, requestID: requestID.isEmpty ? "" : "\(requestID)/again", wait: request.wait, answer: answer)
        }
    }

    /// Marks sessions as ended, and gives the record of each, nil where there is none. What is no name of a session of
    /// this issuer has none.
    ///
    /// - Parameter revocations: what is published next.
    private func endInStore(
        _ sessions: [SessionID?], for revocations: [Revocation], answer: @escaping Answer<Revoked>,
        then next: @escaping ([SessionRecord?]) -> Void
    ) {
        InTurn<SessionID?, SessionRecord?>.run(sessions) { [store] session, answer in
            guard let session else { return answer(.success(nil)) }
            store.end(session, now: ClockReading.now().wall) { answer($0) }
        } answer: { [self] result in
            switch result {
            case .success(let records): next(records)
            case .failure(let error):
                let failure = unavailable(error)
                notStored(revocations)
                answer(.failure(failure))
            }
        }
    }
}
