import Testing

@testable import Quash

@Suite struct FeedWriterTests {
    private static let settings = FeedWriter.Settings(issuer: "a", issuers: ["a", "b"], fence: fence)
    private static let lease: Duration = .seconds(5)
    private static let fence: Duration = .seconds(3)

    private func now(_ milliseconds: Int64) -> BootInstant { ClockReading.at(milliseconds).boot }

    private func begun(_ epoch: Epoch, isOpen: Bool = false, isNew: Bool = true) -> BeginReply {
        BeginReply(epoch: epoch, isOpen: isOpen, lease: Self.lease, fence: Self.fence, isNew: isNew)
    }

    private func stored(_ sequence: UInt64, _ epoch: Epoch = .first) -> RevokeReply {
        .stored(FeedPosition(epoch: epoch, sequence: sequence), Registry(entries: []))
    }

    private func stored(_ sequence: UInt64, _ epoch: Epoch = .first) -> FeedWriter.Outcome {
        .stored(FeedPosition(epoch: epoch, sequence: sequence), Registry(entries: []))
    }

    /// A page that is everything its period holds.
    private func page(_ revocations: [Revocation]) -> [UInt8] { RevocationCodec.encode(revocations) }

    private func directory(_ revocations: [Revocation], _ epoch: Epoch = .first) -> LiveDirectory {
        let period = LivePage.period(ofExpiry: revocations.first?.expiresAtSeconds ?? 0)
        return LiveDirectory(epoch: epoch, bytes: revocations.isEmpty ? [:] : [period: page(revocations).count])
    }

    /// A writer whose process has run for longer than a fence.
    private func writer(entered: [Epoch]) -> FeedWriter {
        FeedWriter(settings: Self.settings, entered: entered, now: now(-60_000))
    }

    /// A writer that has entered `epoch` and has everything in it.
    private func open(_ epoch: Epoch = .first) -> FeedWriter {
        var writer = writer(entered: [epoch])
        #expect(writer.connected(now: now(0)) == [.begin(over: nil)])
        #expect(
            writer.begun(begun(epoch, isOpen: true), now: now(1))
                == [.entered(epoch, lease: Self.lease, fence: Self.fence), .readOutbox(run: 1)])
        #expect(writer.outboxRead([], run: 1, now: now(2)) == [.declareRestored(epoch, excused: [])])
        #expect(writer.declared(.open, now: now(3)) == [.report(.opened(epoch))])
        return writer
    }

    @Test func aRevocationIsDurableBeforeItIsSentAndSentBeforeItIsAnswered() {
        var writer = open()
        let commit = FeedWriter.Commit(revocations: [.token(1)], requestID: "x", isAwaited: true)
        let (id, actions) = writer.publish(commit)
        #expect(actions == [.persist(id, commit)])
        #expect(writer.persisted(id, now: now(10)) == [.commit(id, commit, .first)])
        #expect(writer.committed(id, stored(7), now: now(11)) == [.answer(id, stored(7))])
        #expect(writer.committed(id, stored(7), now: now(12)).isEmpty, "answered once")
    }

    @Test func whatIsNotDurableIsNotSent() {
        var writer = open()
        let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
        #expect(writer.persistFailed(id) == [.answer(id, .notDurable)])
        #expect(writer.persisted(id, now: now(10)).isEmpty)
    }

    @Test func withoutAConnectionItIsKeptAndCommittedByTheNextRun() {
        var writer = open()
        #expect(writer.disconnected().isEmpty)
        let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
        #expect(writer.persisted(id, now: now(10)) == [.answer(id, .unavailable)])
        #expect(writer.connected(now: now(20)) == [.begin(over: nil)])
        // The same epoch, open: and still all of the outbox is compared, for something of it was not stored.
        #expect(writer.begun(begun(.first, isOpen: true), now: now(21)).last == .readOutbox(run: 2))
        #expect(writer.outboxRead([.token(1)], run: 2, now: now(22)) == [.readDirectory])
        #expect(
            writer.received(directory([]), now: now(23))
                == [.report(.restoring(1)), .restore([.token(1)], .first)])
        #expect(writer.restored(stored(8), now: now(24)) == [.declareRestored(.first, excused: [])])
        #expect(writer.declared(.open, now: now(25)) == [.report(.opened(.first))])
        // Nothing is unknown any more: another connection costs one call.
        #expect(writer.disconnected().isEmpty)
        #expect(writer.connected(now: now(30)) == [.begin(over: nil)])
        #expect(
            writer.begun(begun(.first, isOpen: true), now: now(31)) == [
                .entered(.first, lease: Self.lease, fence: Self.fence)
            ])
    }

    @Test func aCommitOfUnknownFateIsSettledByARun() {
        var writer = open()
        let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
        _ = writer.persisted(id, now: now(10))
        let actions = writer.commitFailed(id, now: now(20))
        #expect(actions == [.answer(id, .unavailable), .wake(at: now(20) + FeedWriter.retryInterval)])
        #expect(writer.deadlineReached(now: now(270)) == [.begin(over: nil)])
        #expect(writer.begun(begun(.first, isOpen: true), now: now(271)).last == .readOutbox(run: 2))
    }

    @Test func S5_anEpochOpensOnlyAfterTheWholeOutboxIsInIt() {
        var writer = writer(entered: [.first])
        _ = writer.connected(now: now(0))
        // That it was entered is durable before anything is written to it.
        #expect(writer.begun(begun(.second), now: now(1)) == [.persistEpoch(.second)])
        #expect(
            writer.persistedEpoch(.second, now: now(15)) == [
                .entered(.second, lease: Self.lease, fence: Self.fence), .readOutbox(run: 1),
            ])
        let all = (1...250).map { Revocation.token(UInt64($0)) }
        #expect(writer.outboxRead(all, run: 1, now: now(2)) == [.readDirectory])
        let kept = Array(all.prefix(10))
        let read = writer.received(directory(kept, .second), now: now(3))
        guard case .read? = read.first else { return #expect(Bool(false), "\(read)") }
        var actions = writer.received(page: page(kept), now: .at(4))
        #expect(actions.removeFirst() == .report(.restoring(240)))
        var restored: Set<Revocation> = []
        for action in actions {
            guard case .restore(let part, .second) = action else { return #expect(Bool(false), "\(action)") }
            restored.formUnion(part)
        }
        #expect(restored == Set(all.dropFirst(10)))
        #expect(actions.count == 3)
        #expect(writer.restored(stored(1, .second), now: now(5)).isEmpty)
        #expect(writer.restored(stored(2, .second), now: now(5)).isEmpty)
        #expect(
            writer.restored(stored(3, .second), now: now(5)) == [.declareRestored(.second, excused: [])])
    }

    @Test func S5_itWaitsForEveryIssuerOrAnOperatorsWord() {
        var writer = writer(entered: [.first])
        _ = writer.connected(now: now(0))
        _ = writer.begun(begun(.first), now: now(1))
        #expect(writer.excuse(["b"], now: now(1)).isEmpty, "nothing is waited for yet")
        _ = writer.outboxRead([], run: 1, now: now(2))
        let waits = writer.declared(.waiting(["b"]), now: now(3))
        #expect(waits == [.report(.waiting(["b"])), .wake(at: now(3) + FeedWriter.retryInterval)])
        #expect(writer.waitingFor == ["b"])
        #expect(writer.deadlineReached(now: now(253)) == [.declareRestored(.first, excused: [])])
        _ = writer.declared(.waiting(["b"]), now: now(254))
        #expect(writer.excuse(["b"], now: now(300)) == [.declareRestored(.first, excused: ["b"])])
        #expect(writer.declared(.open, now: now(301)) == [.report(.opened(.first))])
        #expect(writer.waitingFor.isEmpty)
    }

    /// The epoch ends before it opens: an operator's word was about that one.
    @Test func S5_anExcuseIsForOneEpoch() {
        var writer = writer(entered: [.first])
        _ = writer.connected(now: now(0))
        _ = writer.begun(begun(.first), now: now(1))
        _ = writer.outboxRead([], run: 1, now: now(2))
        _ = writer.declared(.waiting(["b"]), now: now(3))
        #expect(writer.excuse(["b"], now: now(4)) == [.declareRestored(.first, excused: ["b"])])
        #expect(writer.declared(.recovering, now: now(5)) == [.begin(over: nil)])
        _ = writer.begun(begun(.second), now: now(6))
        _ = writer.persistedEpoch(.second, now: now(15))
        #expect(writer.outboxRead([], run: 2, now: now(7)) == [.declareRestored(.second, excused: [])])
    }

    /// An old master that comes back serves an epoch of its own: what is committed there, the fleet does not hear.
    @Test func anEpochThatWasLeftIsNeverWrittenToAgain() {
        var writer = open()
        _ = writer.disconnected()
        _ = writer.connected(now: now(10))
        _ = writer.begun(begun(.second), now: now(11))
        _ = writer.persistedEpoch(.second, now: now(15))
        _ = writer.disconnected()
        _ = writer.connected(now: now(20))
        let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
        #expect(writer.persisted(id, now: now(20)).isEmpty, "it waits for an epoch")
        #expect(
            writer.begun(begun(.first, isOpen: true), now: now(21))
                == [
                    .report(.superseded(.first)), .answer(id, .unavailable),
                    .wake(at: now(21) + FeedWriter.retryInterval),
                ])
    }

    /// Whoever serves it for longer than a fence is no old master: somebody went back to it, and it begins anew.
    @Test func anEpochThatWasLeftEndsOnceItCannotBeAnOldMasters() {
        var writer = writer(entered: [.first, .second])
        _ = writer.connected(now: now(0))
        let wait: FeedWriter.Action = .wake(at: now(1) + FeedWriter.retryInterval)
        #expect(writer.begun(begun(.first, isOpen: true), now: now(1)) == [.report(.superseded(.first)), wait])
        #expect(writer.deadlineReached(now: now(3000)) == [.begin(over: nil)])
        _ = writer.begun(begun(.first, isOpen: true), now: now(3001))
        #expect(writer.deadlineReached(now: now(3002)) == [.begin(over: .first)])
        let third = Epoch("00000000000000cc")!
        #expect(writer.begun(begun(third), now: now(3003)) == [.persistEpoch(third)])
        // Another connection, and it may be an old master again.
        _ = writer.disconnected()
        _ = writer.connected(now: now(4000))
        _ = writer.begun(begun(.first, isOpen: true), now: now(4001))
        #expect(writer.deadlineReached(now: now(4300)) == [.begin(over: nil)])
    }

    /// It stood at the new master, and finds the old one, which has lost its epoch and is not fenced yet: what it
    /// stored there, the fleet would not hear.
    @Test func S6_noEpochIsEnteredWithinAFenceAfterAnother() {
        var writer = open()
        _ = writer.disconnected()
        _ = writer.connected(now: now(1000))
        _ = writer.begun(begun(.second), now: now(1001))
        _ = writer.persistedEpoch(.second, now: now(1002))
        _ = writer.disconnected()
        _ = writer.connected(now: now(2000))
        let third = Epoch("00000000000000cc")!
        let end = now(1002) + Self.fence
        #expect(writer.begun(begun(third), now: now(2001)) == [.report(.tooSoon(third)), .wake(at: end)])
        let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
        #expect(writer.persisted(id, now: now(2100)) == [.begin(over: nil)])
        let refused = writer.begun(begun(third), now: now(2101))
        #expect(refused == [.report(.tooSoon(third)), .answer(id, .unavailable), .wake(at: end)])
        #expect(writer.deadlineReached(now: end) == [.begin(over: nil)])
        #expect(writer.begun(begun(third), now: end) == [.persistEpoch(third)])
    }

    /// The process before may have entered its epoch just now.
    @Test func S6_aProcessThatBeginsEntersNoOtherEpochWithinAFence() {
        var writer = FeedWriter(settings: Self.settings, entered: [.first], now: now(0))
        _ = writer.connected(now: now(1))
        #expect(writer.begun(begun(.second), now: now(2)) == [.report(.tooSoon(.second)), .wake(at: now(3000))])
        // The very first one knows of no other master.
        var first = FeedWriter(settings: Self.settings, entered: [], now: now(0))
        _ = first.connected(now: now(1))
        #expect(first.begun(begun(.first), now: now(2)) == [.persistEpoch(.first)])
    }

    /// Who is excused may go on at an old master, and confirm, until that is fenced.
    @Test func S1_anExcuseCountsAFenceAfterTheEpochWasEntered() {
        var writer = open()
        _ = writer.disconnected()
        _ = writer.connected(now: now(1000))
        _ = writer.begun(begun(.second), now: now(1001))
        _ = writer.persistedEpoch(.second, now: now(1002))
        _ = writer.outboxRead([], run: 2, now: now(1003))
        _ = writer.declared(.waiting(["b"]), now: now(1004))
        #expect(writer.excuse(["b"], now: now(1005)) == [.declareRestored(.second, excused: [])])
        _ = writer.declared(.waiting(["b"]), now: now(4000))
        #expect(writer.deadlineReached(now: now(4001)) == [.declareRestored(.second, excused: [])])
        _ = writer.declared(.waiting(["b"]), now: now(4002))
        #expect(writer.deadlineReached(now: now(4003)) == [.declareRestored(.second, excused: ["b"])])
    }

    @Test func aCommitThatMeetsAnotherEpochFollowsThere() {
        var writer = open()
        let commit = FeedWriter.Commit(revocations: [.token(1)])
        let (id, _) = writer.publish(commit)
        _ = writer.persisted(id, now: now(10))
        #expect(writer.committed(id, .elsewhere(.second), now: now(11)) == [.begin(over: nil)])
        _ = writer.begun(begun(.second), now: now(12))
        #expect(
            writer.persistedEpoch(.second, now: now(15))
                == [
                    .entered(.second, lease: Self.lease, fence: Self.fence), .commit(id, commit, .second),
                    .readOutbox(run: 2),
                ])
        // Sent before this issuer came there itself: sent again, and nothing begins anew.
        #expect(writer.committed(id, .elsewhere(.second), now: now(13)) == [.commit(id, commit, .second)])
        #expect(writer.committed(id, stored(1, .second), now: now(14)) == [.answer(id, stored(1, .second))])
    }

    @Test func aFeedThatNeverSettlesIsGivenUp() {
        var writer = open()
        let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
        _ = writer.persisted(id, now: now(10))
        for attempt in 1..<FeedWriter.maxAttempts {
            #expect(writer.committed(id, .recovering, now: now(11)) == [.begin(over: nil)], "attempt \(attempt)")
            _ = writer.begun(begun(.first), now: now(12))
        }
        #expect(writer.committed(id, .recovering, now: now(20)) == [.answer(id, .unavailable), .begin(over: nil)])
    }

    @Test func anAnswerForAnEarlierRunIsNotTaken() {
        var writer = writer(entered: [.first])
        _ = writer.connected(now: now(0))
        _ = writer.begun(begun(.first), now: now(1))
        _ = writer.disconnected()
        _ = writer.connected(now: now(2))
        _ = writer.begun(begun(.first), now: now(3))
        #expect(writer.outboxRead([], run: 1, now: now(4)).isEmpty)
        #expect(writer.outboxRead([], run: 2, now: now(5)) == [.declareRestored(.first, excused: [])])
    }
}
