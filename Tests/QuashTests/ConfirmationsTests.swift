import Testing

@testable import Quash

@Suite struct ConfirmationsTests {
    private static let lease: Duration = .seconds(5)
    private static let interval: Duration = .seconds(1)

    private func now(_ milliseconds: Int64) -> BootInstant { ClockReading.at(milliseconds).boot }

    private func position(_ sequence: UInt64, _ epoch: Epoch = .first) -> FeedPosition {
        FeedPosition(epoch: epoch, sequence: sequence)
    }

    /// The node `a` alone.
    private func registry(_ applied: UInt64, granted: Int64 = 1) -> Registry {
        Registry(entries: [
            Registry.Entry(
                node: "a", applied: applied, grantedMilliseconds: granted, lease: Self.lease, version: "test")
        ])
    }

    /// In an epoch that began long before 100 s.
    private func confirmations() -> Confirmations {
        var confirmations = Confirmations(fleet: Fleet(lease: Self.lease, fence: .zero), interval: Self.interval)
        confirmations.entered(.first, lease: Self.lease, fence: .zero, now: now(0))
        #expect(confirmations.started(now: now(99_900)) == [.wake(at: now(100_900))])
        return confirmations
    }

    private func says(_ applied: UInt64) -> Acknowledgement {
        Acknowledgement(node: "a", position: position(applied))
    }

    private func answers(_ actions: [Confirmations.Action]) -> [Confirmations.Outcome] {
        actions.compactMap { if case .answer(_, let outcome) = $0 { outcome } else { nil } }
    }

    /// One that waits for the node `a` since 100 s.
    private func waiting(for timeout: Duration = .seconds(3)) -> Confirmations {
        var confirmations = confirmations()
        let (_, actions) = confirmations.confirm(
            position(8), among: registry(7), within: timeout, now: .at(100_000))
        #expect(actions == [.wake(at: now(100_050))])
        return confirmations
    }

    @Test func S1_itIsAnsweredOnlyOnceRedisWasAskedAfterTheLastNodeHadSaidSo() {
        var confirmations = waiting()
        #expect(confirmations.acknowledged(says(7), now: .at(100_001)) == [.wake(at: now(100_050))])
        let actions = confirmations.acknowledged(says(8), now: .at(100_002))
        #expect(actions == [.readRegistry, .wake(at: now(101_002))])
        let end = confirmations.received(registry(8), of: .first, now: .at(100_003))
        #expect(end == [.answer(1, .confirmed(after: .milliseconds(3))), .wake(at: now(101_003))])
    }

    @Test func S1_aReadingThatWasUnderWayDoesNotCount() {
        var confirmations = waiting()
        #expect(confirmations.deadlineReached(now: now(100_050)).first == .readRegistry)
        // The epoch may have ended between that reading and this message.
        #expect(answers(confirmations.acknowledged(says(8), now: .at(100_051))).isEmpty)
        let first = confirmations.received(registry(8, granted: 2), of: .first, now: .at(100_052))
        #expect(answers(first).isEmpty)
        #expect(first == [.wake(at: now(100_053))])
        #expect(confirmations.deadlineReached(now: now(100_053)).first == .readRegistry)
        let second = confirmations.received(registry(8, granted: 2), of: .first, now: .at(100_054))
        #expect(answers(second) == [.confirmed(after: .milliseconds(54))])
    }

    /// This issuer was excused, and does not know yet that others went on without it.
    @Test func S1_whatRedisKnowsNothingOfIsNotConfirmed() {
        var confirmations = waiting()
        _ = confirmations.acknowledged(says(8), now: .at(100_002))
        #expect(answers(confirmations.received(registry(8), of: .second, now: .at(100_003))).isEmpty)
        confirmations.entered(.second, lease: Self.lease, fence: .zero, now: now(100_060))
        #expect(answers(confirmations.deadlineReached(now: now(100_061))) == [.unconfirmed])
    }

    @Test func S1_aRedisThatDoesNotAnswerConfirmsNothing() {
        var confirmations = waiting()
        _ = confirmations.acknowledged(says(8), now: .at(100_002))
        // It is asked again, but not at once.
        #expect(confirmations.readFailed(now: now(100_003)) == [.wake(at: now(100_053))])
        #expect(confirmations.deadlineReached(now: now(100_053)).first == .readRegistry)
        #expect(answers(confirmations.deadlineReached(now: now(102_999))).isEmpty)
        #expect(answers(confirmations.deadlineReached(now: now(103_000))) == [.unconfirmed])
    }

    @Test func S1_aLeaseThatHasEndedIsConfirmedByTheSameQuestion() {
        var confirmations = waiting(for: .seconds(10))
        let end = 100_000 + 5_115
        #expect(answers(confirmations.deadlineReached(now: now(Int64(end - 1)))).isEmpty)
        _ = confirmations.received(registry(7), of: .first, now: .at(Int64(end - 1)))
        let actions = confirmations.deadlineReached(now: now(Int64(end)))
        #expect(actions.first == .readRegistry)
        #expect(
            answers(confirmations.received(registry(7), of: .first, now: .at(Int64(end))))
                == [.confirmed(after: .milliseconds(5_115))])
    }

    @Test func manyWaitForOneQuestion() {
        var confirmations = confirmations()
        for sequence in UInt64(8)...11 {
            _ = confirmations.confirm(
                position(sequence), among: registry(7), within: .seconds(3), now: .at(100_000))
        }
        let asked = confirmations.acknowledged(says(10), now: .at(100_001))
        #expect(asked.filter { $0 == .readRegistry }.count == 1)
        // A node that said nothing on the channel is heard of in the registry; its confirmation takes a question more.
        let first = confirmations.received(registry(11, granted: 2), of: .first, now: .at(100_002))
        #expect(answers(first).count == 3)
        #expect(confirmations.deadlineReached(now: now(100_003)).first == .readRegistry)
        #expect(
            answers(confirmations.received(registry(11, granted: 2), of: .first, now: .at(100_004))).count == 1)
    }

    /// Acknowledgements for others come all the time, and this node's do not: it is found in the registry in time.
    @Test func theRegistryIsReadHoweverOftenOthersAreHeard() {
        var confirmations = waiting()
        var wake = now(100_050)
        for time in Int64(100_001)...100_200 {
            var actions: [Confirmations.Action] = []
            if now(time) >= wake { actions += confirmations.deadlineReached(now: now(time)) }
            if actions.contains(.readRegistry) {
                #expect(time == 100_050)
                return
            }
            actions += confirmations.acknowledged(says(7), now: .at(time))
            for case .wake(let instant) in actions { wake = instant }
        }
        Issue.record("the registry was never read")
    }

    /// A steady stream of confirmations asks once a millisecond at most.
    @Test func readingsKeepADistance() {
        var confirmations = confirmations()
        func confirm(_ sequence: UInt64, at time: Int64) -> [Confirmations.Action] {
            confirmations.confirm(
                position(sequence), among: registry(sequence), within: .seconds(3), now: .at(time)
            ).1
        }
        #expect(confirm(8, at: 100_000).contains(.readRegistry))
        #expect(!confirm(9, at: 100_000).contains(.readRegistry))
        let first = confirmations.received(registry(9), of: .first, now: .at(100_000))
        #expect(answers(first).count == 1 && !first.contains(.readRegistry))
        #expect(first.last == .wake(at: now(100_001)))
        let asked = confirmations.deadlineReached(now: now(100_001))
        #expect(asked.filter { $0 == .readRegistry }.count == 1)
        #expect(answers(confirmations.received(registry(9), of: .first, now: .at(100_002))).count == 1)
    }

    @Test func moreThanCanWaitAreToldSo() {
        var confirmations = confirmations()
        for _ in 0..<Confirmations.maxWaiting {
            _ = confirmations.confirm(position(8), among: registry(7), within: .seconds(3), now: .at(100_000))
        }
        let (id, actions) = confirmations.confirm(
            position(8), among: registry(7), within: .seconds(3), now: .at(100_000))
        #expect(actions == [.answer(id, .unconfirmed)])
    }

    @Test func nodesThatAreLongGoneAreLetGoAndCopiesAreTold() {
        var confirmations = confirmations()
        let copies = Registry(
            entries: ["v/1", "v/2"].map {
                Registry.Entry(
                    node: $0, applied: 0, grantedMilliseconds: 1, lease: Self.lease, version: "test")
            })
        #expect(confirmations.deadlineReached(now: now(101_000)).first == .readRegistry)
        let told = confirmations.received(copies, of: .first, now: .at(101_001))
        #expect(told == [.reportDuplicates(["v"]), .wake(at: now(102_001))])
        _ = confirmations.deadlineReached(now: now(102_001))
        #expect(confirmations.received(copies, of: .first, now: .at(102_002)) == [.wake(at: now(103_002))])
        _ = confirmations.deadlineReached(now: now(200_000))
        let later = confirmations.received(copies, of: .first, now: .at(200_001))
        guard case .forget(let entries)? = later.first else { return #expect(Bool(false), "\(later)") }
        #expect(entries.map(\.node).sorted() == ["v/1", "v/2"])
    }
}
