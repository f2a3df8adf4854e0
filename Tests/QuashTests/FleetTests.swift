import Testing

@testable import Quash

@Suite struct FleetTests {
    private static let lease: Duration = .seconds(5)
    /// One lease, the clocks' error and the margin: 5 s and 5 ms and 110 ms.
    private static let bound: Int64 = 5115
    private static let fence: Duration = .seconds(2)

    private func entry(_ node: String, _ applied: UInt64, granted: Int64) -> Registry.Entry {
        Registry.Entry(
            node: node, applied: applied, grantedMilliseconds: granted, lease: Self.lease, version: "test")
    }

    private func position(_ sequence: UInt64, _ epoch: Epoch = .first) -> FeedPosition {
        FeedPosition(epoch: epoch, sequence: sequence)
    }

    private func now(_ milliseconds: Int64) -> BootInstant { ClockReading.at(milliseconds).boot }

    /// A fleet of an epoch that began long before 100 s.
    private func recovered() -> Fleet {
        var fleet = Fleet(lease: Self.lease, fence: Self.fence)
        fleet.entered(.first, lease: Self.lease, fence: Self.fence, now: now(0))
        return fleet
    }

    /// A commit whose answer had come at 100 s.
    private func commit(_ sequence: UInt64, _ entries: [Registry.Entry], _ fleet: inout Fleet) -> Fleet.Confirmation {
        let registry = Registry(entries: entries)
        return fleet.confirmation(of: position(sequence), among: registry, now: .at(100_000))
    }

    private func acknowledge(_ node: String, _ sequence: UInt64, _ fleet: inout Fleet, at milliseconds: Int64) {
        fleet.acknowledged(
            Acknowledgement(node: node, position: position(sequence)), now: .at(milliseconds))
    }

    @Test func S1_itIsConfirmedWhenEveryNodeHasAppliedIt() {
        var fleet = recovered()
        let confirmation = commit(8, [entry("a", 7, granted: 1), entry("b", 7, granted: 1)], &fleet)
        acknowledge("a", 8, &fleet, at: 100_001)
        #expect(
            fleet.progress(of: confirmation, now: now(100_001)) == .pending(until: now(100_000 + Self.bound)))
        acknowledge("b", 7, &fleet, at: 100_001)
        #expect(fleet.progress(of: confirmation, now: now(100_001)) != .confirmed)
        acknowledge("b", 9, &fleet, at: 100_002)
        #expect(fleet.progress(of: confirmation, now: now(100_002)) == .confirmed)
    }

    /// Nodes are looked at one after the other, in whatever order they answer, and none is looked at again.
    @Test(arguments: [
        ["a", "b", "c"], ["a", "c", "b"], ["b", "a", "c"], ["b", "c", "a"], ["c", "a", "b"], ["c", "b", "a"],
    ])
    func S1_inWhateverOrderTheyAnswerTheLastOneCounts(order: [String]) {
        var fleet = recovered()
        var confirmation = commit(8, ["a", "b", "c"].map { entry($0, 7, granted: 1) }, &fleet)
        for (index, node) in order.enumerated() {
            let before = fleet.progress(of: &confirmation, now: now(100_001))
            #expect(before != .confirmed)
            acknowledge(node, 8, &fleet, at: 100_001)
            #expect(confirmation.nodes.count <= 3 && confirmation.nodes.count >= 3 - index)
        }
        let after = fleet.progress(of: &confirmation, now: now(100_001))
        #expect(after == .confirmed && confirmation.nodes.isEmpty)
    }

    @Test func S1_theRegistryTellsTheSame() {
        var fleet = recovered()
        let confirmation = commit(8, [entry("a", 7, granted: 1)], &fleet)
        fleet.observed(Registry(entries: [entry("a", 7, granted: 2)]), of: .first, now: .at(100_500))
        #expect(fleet.progress(of: confirmation, now: now(100_500)) != .confirmed)
        fleet.observed(Registry(entries: [entry("a", 8, granted: 3)]), of: .first, now: .at(100_600))
        #expect(fleet.progress(of: confirmation, now: now(100_600)) == .confirmed)
    }

    @Test func S1_aNodeThatIsSilentIsWaitedForUntilItsLeaseHasEndedByThisClock() {
        var fleet = recovered()
        // Its last grant was first seen 3 s before the commit; what Redis says of the time counts for nothing.
        fleet.observed(Registry(entries: [entry("a", 7, granted: 5)]), of: .first, now: .at(97_000))
        let confirmation = commit(8, [entry("a", 7, granted: 5)], &fleet)
        let end = now(97_000 + Self.bound)
        #expect(fleet.progress(of: confirmation, now: now(100_000)) == .pending(until: end))
        #expect(fleet.progress(of: confirmation, now: now(97_000 + Self.bound - 1)) == .pending(until: end))
        #expect(fleet.progress(of: confirmation, now: end) == .confirmed)
    }

    @Test func S1_oneLeaseAfterTheCommitItIsConfirmedWhateverTheRegistrySays() {
        var fleet = recovered()
        let confirmation = commit(8, [entry("a", 7, granted: 1)], &fleet)
        // It renews and renews, and never says that it has applied it. A grant after the commit came with it.
        for step in 1...6 {
            let time = 100_000 + Int64(step) * 900
            fleet.observed(
                Registry(entries: [entry("a", 7, granted: Int64(step + 1))]), of: .first, now: .at(time))
        }
        #expect(fleet.progress(of: confirmation, now: now(100_000 + Self.bound - 1)) != .confirmed)
        #expect(fleet.progress(of: confirmation, now: now(100_000 + Self.bound)) == .confirmed)
    }

    @Test func S1_aNodeThatGaveItsLeaseBackIsNotWaitedFor() {
        var fleet = recovered()
        let confirmation = commit(8, [entry("a", 7, granted: 1), entry("b", 8, granted: 1)], &fleet)
        #expect(fleet.progress(of: confirmation, now: now(100_001)) != .confirmed)
        fleet.observed(Registry(entries: [entry("b", 8, granted: 1)]), of: .first, now: .at(100_010))
        #expect(fleet.progress(of: confirmation, now: now(100_010)) == .confirmed)
    }

    @Test func S5_nothingIsConfirmedBeforeTheLeasesOfTheEpochBeforeHaveEnded() {
        var fleet = recovered()
        fleet.entered(.second, lease: Self.lease, fence: Self.fence, now: now(200_000))
        let confirmation = fleet.confirmation(
            of: position(1, .second), among: Registry(entries: []), now: .at(200_001))
        let end = now(200_000 + Self.bound + 2000)
        #expect(fleet.progress(of: confirmation, now: now(200_001)) == .pending(until: end))
        #expect(fleet.progress(of: confirmation, now: end) == .confirmed)
        // Another connection to the same epoch is not another beginning of it.
        fleet.entered(.second, lease: Self.lease, fence: Self.fence, now: now(203_000))
        #expect(fleet.progress(of: confirmation, now: end) == .confirmed)
    }

    @Test func S5_theLongestLeaseThatWasEverAllowedCounts() {
        var fleet = recovered()
        fleet.entered(.second, lease: .seconds(30), fence: Self.fence, now: now(200_000))
        let confirmation = fleet.confirmation(
            of: position(1, .second), among: Registry(entries: []), now: .at(200_001))
        guard case .pending(let end) = fleet.progress(of: confirmation, now: now(200_001)) else {
            return #expect(Bool(false))
        }
        #expect(end >= now(200_000) + .seconds(32))
    }

    @Test func whatWasCommittedInAnEpochThatIsOverIsNeverConfirmed() {
        var fleet = recovered()
        let confirmation = commit(8, [entry("a", 8, granted: 1)], &fleet)
        fleet.entered(.second, lease: Self.lease, fence: Self.fence, now: now(100_001))
        fleet.acknowledged(
            Acknowledgement(node: "a", position: position(8, .second)), now: .at(100_002))
        #expect(fleet.progress(of: confirmation, now: now(999_000)) == .superseded)
        #expect(fleet.receipt(of: position(8), now: now(999_000)) == nil)
    }

    @Test func aWordOfAnotherEpochCountsForNothing() {
        var fleet = recovered()
        let confirmation = commit(8, [entry("a", 7, granted: 1)], &fleet)
        fleet.acknowledged(
            Acknowledgement(node: "a", position: position(8, .second)), now: .at(100_001))
        fleet.observed(Registry(entries: []), of: .second, now: .at(100_002))
        #expect(fleet.progress(of: confirmation, now: now(100_003)) != .confirmed)
    }

    @Test func aReceiptNamesEachNode() {
        var fleet = recovered()
        _ = commit(8, [entry("a", 7, granted: 1), entry("b", 7, granted: 1), entry("c", 7, granted: 1)], &fleet)
        acknowledge("a", 8, &fleet, at: 100_001)
        acknowledge("a", 9, &fleet, at: 100_900)
        fleet.observed(
            Registry(entries: [
                entry("a", 9, granted: 2), entry("b", 7, granted: 2), entry("c", 7, granted: 1),
            ]), of: .first, now: .at(103_000))
        let receipt = fleet.receipt(of: position(8), now: now(100_000 + Self.bound))
        #expect(
            receipt == ["a": .applied(at: ClockReading.at(100_001).wall), "b": .pending, "c": .leaseEnded])
    }

    @Test func aReceiptSaysNoTimeThatIsNotRemembered() {
        var fleet = recovered()
        _ = commit(8, [entry("a", 7, granted: 1)], &fleet)
        for sequence in 8..<UInt64(8 + Fleet.maxSteps) {
            acknowledge("a", sequence, &fleet, at: 100_000 + Int64(sequence))
        }
        #expect(fleet.receipt(of: position(7), now: now(101_000)) == ["a": .applied(at: nil)])
        let known = fleet.receipt(of: position(100), now: now(101_000))
        #expect(known == ["a": .applied(at: ClockReading.at(100_100).wall)])
    }

    @Test func twoProcessesWithOneNameAreFoundWhileBothLive() {
        var fleet = recovered()
        let entries = ["twin/1", "twin/2", "single/1", "issuer:twin/3"].map { entry($0, 7, granted: 1) }
        fleet.observed(Registry(entries: entries), of: .first, now: .at(100_000))
        #expect(fleet.duplicates(now: now(100_001)) == ["twin"])
        #expect(fleet.duplicates(now: now(100_000 + Self.bound)).isEmpty)
    }

    @Test func onlyWhoIsLongDeadIsForgotten() {
        var fleet = recovered()
        fleet.observed(
            Registry(entries: [entry("a", 7, granted: 1), entry("b", 7, granted: 1)]), of: .first, now: .at(100_000))
        fleet.observed(
            Registry(entries: [entry("a", 7, granted: 1), entry("b", 7, granted: 2)]), of: .first, now: .at(150_000))
        #expect(fleet.forgettable(now: now(100_000 + Self.bound + 59_999)).isEmpty)
        #expect(fleet.forgettable(now: now(100_000 + Self.bound + 60_000)).map(\.node) == ["a"])
    }

    /// A validator may write what it likes into the registry: it cannot make the others wait for longer.
    @Test func noEntryMakesALeaseLongerThanTheEpochAllows() {
        var fleet = recovered()
        let boastful = Registry.Entry(
            node: "a", applied: 7, grantedMilliseconds: 1, lease: .seconds(1 << 40), version: "test")
        let confirmation = commit(8, [boastful], &fleet)
        #expect(fleet.progress(of: confirmation, now: now(100_000 + Self.bound)) == .confirmed)
        #expect(fleet.nodes.first?.leaseEnds == now(100_000 + Self.bound))
    }

    @Test(arguments: ["", "00000000000000aa 1", "00000000000000aa x a", "nonsense 1 a", "00000000000000aa 1 "])
    func whatIsNoAcknowledgementIsNotTaken(text: String) {
        #expect(Acknowledgement(Array(text.utf8)) == nil)
    }

    @Test func anAcknowledgementIsRead() {
        let bytes = Array("00000000000000aa 17 a/b c".utf8)
        #expect(Acknowledgement(bytes) == Acknowledgement(node: "a/b c", position: position(17)))
    }
}

extension Fleet {
    /// As it would be seen by one that asks only once.
    fileprivate func progress(of confirmation: Confirmation, now: BootInstant) -> Progress {
        var confirmation = confirmation
        return progress(of: &confirmation, now: now)
    }
}
