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

    /// Ends one session: its refresh tokens at once, its access tokens at every validator that hears of it.
    ///
    /// - Parameter answer: where the feed holds it.
    func end(_ session: SessionID, wait: Wait = .stored, answer: @escaping Answer<Revoked>) {
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
        if hasEnded(session), wait == .stored, let position = feedPosition() {
            return answer(.success(Revoked(position: position, status: .stored)))
        }
        publish(
            [sessionRevocation(session, record)], ends: [sessionEnd(session, record)], wait: wait, answer: answer)
    }

    /// Ends every session of these subjects, and refuses every token that was issued to them until now.
    ///
    /// - Parameter requestID: as `RevocationPublisher.publish` takes it.
    func endAll(
        of subjects: [String], requestID: String = "", wait: Wait, answer: @escaping Answer<Revoked>
    ) {
        let now = ClockReading.now().wall
        latestBound = max(latestBound, now)
        sessions(of: subjects[...]) { [self] result in
            let all = subjects.map { Revocation(key: .subject($0), issuedBefore: now, expiresAtSeconds: horizon()) }
            guard case .success(let sessions) = result else {
                notStored(all)
                return answer(.failure(.unavailable("redis did not answer")))
            }
            endInStore(sessions, for: all, answer: answer) { [self] records in
                // The whole of it first: a retry finds the sessions gone, and its first commits must be the same.
                let each = sessions.map { sessionRevocation($0, records[$0]) }
                let ends = sessions.map { sessionEnd($0, records[$0]) }
                publish(all + each, ends: ends, requestID: requestID, wait: wait, answer: answer)
            }
        }
    }

    /// The sessions of one subject after the other.
    private func sessions(of subjects: ArraySlice<String>, answer: @escaping SessionStore.Answer<[SessionID]>) {
        guard let first = subjects.first else { return answer(.success([])) }
        store.sessions(of: first) { [self] result in
            guard case .success(let sessions) = result, subjects.count > 1 else { return answer(result) }
            self.sessions(of: subjects.dropFirst()) { others in answer(others.map { sessions + $0 }) }
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
        for revocation in request.revocations {
            if let bound = revocation.issuedBefore { latestBound = max(latestBound, bound) }
        }
        let publish = { [self] (ends: [SessionEnd]) in
            publishTwice(request, ends: ends, requestID: requestID, answer: answer)
        }
        switch request.kind {
        case .session where request.issuedBefore == nil:
            let sessions = request.names.compactMap { SessionID($0) }
            endInStore(sessions, for: request.revocations, answer: answer) { [self] records in
                publish(sessions.map { sessionEnd($0, records[$0]) })
            }
        case .subject where request.issuedBefore == nil:
            endAll(of: request.names, requestID: requestID, wait: request.wait, answer: answer)
        case .token, .session, .subject, .client, .key, .everything:
            publish([])
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
            let now = issueTime()
            latestBound = now
            let again = request.revocations.map {
                Revocation(key: $0.key, issuedBefore: now, expiresAtSeconds: $0.expiresAtSeconds)
            }
            publish(
                again, requestID: requestID.isEmpty ? "" : "\(requestID)/again", wait: request.wait, answer: answer)
        }
    }

    /// Marks sessions as ended, and gives their records; those that are gone have none.
    ///
    /// - Parameter revocations: what is published next.
    private func endInStore(
        _ sessions: [SessionID], for revocations: [Revocation], answer: @escaping Answer<Revoked>,
        then next: @escaping ([SessionID: SessionRecord]) -> Void
    ) {
        guard !sessions.isEmpty else { return next([:]) }
        var records: [SessionID: SessionRecord] = [:]
        var remaining = sessions.count
        var failure: Failure?
        for session in sessions {
            store.end(session, now: ClockReading.now().wall) { [self] result in
                switch result {
                case .failure(let error): failure = unavailable(error)
                case .success(let record): records[session] = record
                }
                remaining -= 1
                guard remaining == 0 else { return }
                guard let failure else { return next(records) }
                notStored(revocations)
                answer(.failure(failure))
            }
        }
    }
}
