import TestSupport
import Testing

@testable import Quash

@Suite struct FeedTests {
    private static let settings = Feed.Settings(lease: .seconds(5), renewInterval: .seconds(1))

    private func position(_ sequence: UInt64, _ epoch: Epoch = .first) -> FeedPosition {
        FeedPosition(epoch: epoch, sequence: sequence)
    }

    private func record(_ number: UInt64) -> [UInt8] { RevocationCodec.encode([.token(number)]) }

    private func message(_ sequence: UInt64, awaiting: Int = 0, epoch: Epoch = .first) -> FeedMessage {
        FeedMessage(
            position: position(sequence, epoch), awaitingNodes: awaiting, committedMicroseconds: 0,
            record: record(sequence))
    }

    private func renewal(
        at position: FeedPosition?, damagedEpoch: Epoch? = nil, acknowledges: Bool = false
    ) -> Feed.Action {
        .renew(RenewRequest(position: position, damagedEpoch: damagedEpoch, acknowledges: acknowledges))
    }

    private func entries(_ sequences: ClosedRange<UInt64>?, head: UInt64, granted: Bool = true) -> RenewReply {
        let records = sequences.map { $0.map(record) } ?? []
        return .entries(records: records, head: head, lease: granted ? .seconds(5) : nil)
    }

    /// A feed that has loaded an empty live set at `head`, holds no lease yet and has its renewal outstanding since 0.
    private func loaded(head: UInt64) -> Feed {
        var feed = Feed(settings: Self.settings, seed: 1)
        #expect(feed.connected(now: .at(0)) == [renewal(at: nil)])
        #expect(feed.renewed(.elsewhere(position(head)), now: .at(0)) == [.report(.resync(.start)), .readDirectory])
        let directory = LiveDirectory(epoch: .first, bytes: [:])
        #expect(feed.received(directory, now: .at(0)) == [renewal(at: position(head))])
        return feed
    }

    /// The same with its lease granted and nothing outstanding.
    private func following(_ sequence: UInt64) -> Feed {
        var feed = loaded(head: sequence)
        let actions = feed.renewed(entries(nil, head: sequence), now: .at(1))
        #expect(actions.first == .extend(LeaseGrant(sent: .at(0), length: .seconds(5))))
        return feed
    }

    private func isWake(_ action: Feed.Action?, from earliest: Int64, to latest: Int64) -> Bool {
        guard case .wake(let instant)? = action else { return false }
        return (ClockReading.at(earliest).boot...ClockReading.at(latest).boot).contains(instant)
    }

    /// The epoch may have ended while its pages were read, and other bytes may stand where some were lost.
    @Test func S3_aLoadGivesNoPositionBeforeARenewalInItsEpoch() {
        var feed = loaded(head: 3)
        #expect(feed.position == nil)
        var other = feed
        _ = feed.renewed(entries(nil, head: 3), now: .at(1))
        #expect(feed.position == position(3))
        _ = other.renewed(.elsewhere(position(1, .second)), now: .at(1))
        #expect(other.position == nil)
    }

    /// A clock was corrected: what the index had dropped by it is read again before there is a lease.
    @Test func S1_aFeedThatDiscardsStandsNowhereUntilItHasLoadedAgain() {
        var feed = following(3)
        // This renewal is under way, and its answer brings nothing that was dropped.
        #expect(feed.deadlineReached(now: .at(1000)) == [renewal(at: position(3))])
        #expect(feed.disconnected().isEmpty)
        #expect(feed.discarded() == [.dropLease])
        #expect(feed.position == nil)
        #expect(feed.renewed(entries(nil, head: 3), now: .at(1001)).isEmpty)
        #expect(feed.connected(now: .at(1002)) == [renewal(at: nil)])
        #expect(feed.renewed(.elsewhere(position(3)), now: .at(1003)) == [.report(.resync(.clock)), .readDirectory])
        let directory = LiveDirectory(epoch: .first, bytes: [:])
        #expect(feed.received(directory, now: .at(1004)) == [renewal(at: position(3))])
        let actions = feed.renewed(entries(nil, head: 3), now: .at(1005))
        #expect(actions.first == .extend(LeaseGrant(sent: .at(1004), length: .seconds(5))))
        #expect(feed.renewed(.elsewhere(position(1, .second)), now: .at(1006)).isEmpty)
        _ = feed.deadlineReached(now: .at(2000))
        let other = feed.renewed(.elsewhere(position(1, .second)), now: .at(2001))
        #expect(other.first == .report(.resync(.epoch)), "the cause is of that load alone")
    }

    @Test func S4_theLeaseStartsWhenItWasAskedForAndComesAfterWhatWasMissing() {
        var feed = loaded(head: 3)
        let actions = feed.renewed(entries(4...6, head: 6), now: .at(900))
        #expect(actions.count == 3)
        #expect(actions[0] == .apply([.token(4), .token(5), .token(6)]))
        #expect(actions[1] == .extend(LeaseGrant(sent: .at(0), length: .seconds(5))))
        #expect(isWake(actions[2], from: 1800, to: 2000))
        #expect(feed.position == position(6))
    }

    @Test func S4_noLeaseBeforeTheHeadIsReached() {
        var feed = loaded(head: 3)
        #expect(
            feed.renewed(entries(4...5, head: 9, granted: false), now: .at(10))
                == [.apply([.token(4), .token(5)]), renewal(at: position(5))])
        // A grant that leaves something out is not believed.
        let short = feed.renewed(entries(6...7, head: 9), now: .at(20))
        #expect(short.first == .apply([.token(6), .token(7)]))
        #expect(!short.contains { if case .extend = $0 { true } else { false } })
    }

    @Test func S4_aGrantNeverExceedsWhatWasAskedFor() {
        var feed = loaded(head: 0)
        let reply = RenewReply.entries(records: [], head: 0, lease: .seconds(3600))
        #expect(feed.renewed(reply, now: .at(1)).first == .extend(LeaseGrant(sent: .at(0), length: .seconds(5))))
    }

    @Test func S3_onlyTheNextCommitAdvances() {
        var feed = following(5)
        #expect(feed.received(message(6), now: .at(10)) == [.apply([.token(6)])])
        #expect(feed.position == position(6))
        // Twice and late: applied again, which is harmless, and nothing moves.
        #expect(feed.received(message(6), now: .at(11)) == [.apply([.token(6)])])
        #expect(feed.received(message(2), now: .at(12)) == [.apply([.token(2)])])
        #expect(feed.position == position(6))
        // One was lost: applied, not advanced, and fetched at once.
        #expect(
            feed.received(message(8), now: .at(13))
                == [.apply([.token(8)]), .report(.gap), renewal(at: position(6))])
        #expect(feed.position == position(6))
        let actions = feed.renewed(entries(7...8, head: 8), now: .at(20))
        #expect(
            actions.prefix(2) == [
                .apply([.token(7), .token(8)]), .extend(LeaseGrant(sent: .at(13), length: .seconds(5))),
            ])
        #expect(feed.position == position(8))
    }

    @Test func S3_messagesOvertakeAnOutstandingRenewal() {
        var feed = loaded(head: 3)
        _ = feed.received(message(4), now: .at(5))
        _ = feed.received(message(5), now: .at(6))
        let actions = feed.renewed(entries(4...4, head: 4), now: .at(10))
        #expect(actions.prefix(2) == [.apply([.token(4)]), .extend(LeaseGrant(sent: .at(0), length: .seconds(5)))])
        #expect(feed.position == position(5))
    }

    @Test func S2_anEpochChangeLoadsAgainAndTakesNothingBack() {
        var feed = following(50)
        _ = feed.deadlineReached(now: .at(1000))
        // The new epoch's head is lower, as after a failover that lost the tail.
        #expect(
            feed.renewed(.elsewhere(position(2, .second)), now: .at(1001))
                == [.report(.resync(.epoch)), .readDirectory])
        #expect(feed.position == nil)
        let directory = LiveDirectory(epoch: .second, bytes: [:])
        #expect(feed.received(directory, now: .at(1002)) == [renewal(at: position(2, .second))])
    }

    @Test func aTrimmedLogLoadsAgain() {
        var feed = following(5)
        _ = feed.deadlineReached(now: .at(1000))
        #expect(
            feed.renewed(.gap(head: position(900)), now: .at(1001)) == [.report(.resync(.trimmed)), .readDirectory])
    }

    @Test func messagesDuringALoadAreAppliedButDoNotAdvance() {
        var feed = Feed(settings: Self.settings, seed: 1)
        _ = feed.connected(now: .at(0))
        _ = feed.renewed(.elsewhere(position(3)), now: .at(0))
        #expect(feed.received(message(4), now: .at(1)) == [.apply([.token(4)])])
        #expect(feed.position == nil)
        let directory = LiveDirectory(epoch: .first, bytes: [:])
        #expect(feed.received(directory, now: .at(2)) == [renewal(at: position(3))])
    }

    @Test func theLiveSetIsReadPageByPage() {
        let all = (0..<20_000).map { Revocation.token($0) }
        let bytes = RevocationCodec.encode(all)
        let period = LivePage.period(ofExpiry: all[0].expiresAtSeconds)
        var feed = Feed(settings: Self.settings, seed: 1)
        _ = feed.connected(now: .at(0))
        _ = feed.renewed(.elsewhere(position(3)), now: .at(0))
        var actions = feed.received(LiveDirectory(epoch: .first, bytes: [period: bytes.count]), now: .at(0))
        var seen: [Revocation] = []
        while case .read(let page)? = actions.first {
            #expect(page.period == period && page.chunk == 0)
            let end = min(page.offset + LivePage.pageBytes, bytes.count)
            actions = feed.received(page: Array(bytes[page.offset..<end]), now: .at(0))
            // The next page is asked for before this one is applied; what ends the load comes after the last.
            let isLast = end == bytes.count
            if case .apply(let revocations)? = isLast ? actions.first : actions.last { seen += revocations }
            #expect(actions.count == 2)
        }
        #expect(seen == all)
        #expect(actions.last == renewal(at: position(3)))
    }

    @Test func aLiveSetThatLostDataIsReportedAndGivesNoPosition() {
        let bytes = RevocationCodec.encode((0..<10).map { Revocation.token($0) })
        let period = LivePage.period(ofExpiry: Revocation.token(0).expiresAtSeconds)
        var feed = Feed(settings: Self.settings, seed: 1)
        _ = feed.connected(now: .at(0))
        _ = feed.renewed(.elsewhere(position(3)), now: .at(0))
        _ = feed.received(LiveDirectory(epoch: .first, bytes: [period: bytes.count]), now: .at(0))
        let actions = feed.received(page: Array(bytes.dropLast(20)), now: .at(0))
        #expect(actions.contains(.report(.damaged)))
        #expect(feed.position == nil)
        #expect(feed.deadlineReached(now: .at(1000)) == [renewal(at: nil, damagedEpoch: .first)])
        // Once: what is found in the next epoch is another matter.
        _ = feed.renewed(.recovering, now: .at(1001))
        #expect(feed.deadlineReached(now: .at(2000)) == [renewal(at: nil)])
    }

    @Test func aPeriodThatExpiredWhileItWasReadIsNoDamage() {
        var feed = Feed(settings: Self.settings, seed: 1)
        _ = feed.connected(now: .at(0))
        _ = feed.renewed(.elsewhere(position(3)), now: .at(0))
        let past = LivePage.period(ofExpiry: 1_700_000_000)
        _ = feed.received(LiveDirectory(epoch: .first, bytes: [past: 20]), now: .at(0))
        #expect(feed.received(page: [], now: .at(0)) == [.apply([]), renewal(at: position(3))])
    }

    @Test func aDirectoryOfAnotherEpochBeginsAgain() {
        var feed = Feed(settings: Self.settings, seed: 1)
        _ = feed.connected(now: .at(0))
        _ = feed.renewed(.elsewhere(position(3)), now: .at(0))
        let actions = feed.received(LiveDirectory(epoch: .second, bytes: [:]), now: .at(0))
        #expect(actions.count == 1 && isWake(actions[0], from: 900, to: 1100))
        #expect(feed.deadlineReached(now: .at(1000)) == [renewal(at: nil)])
    }

    /// Anybody who may publish can publish nonsense: what counts is what the log says.
    @Test func anUnreadableMessageIsFetchedFromTheLog() {
        var feed = following(5)
        let bad = FeedMessage(position: position(6), awaitingNodes: 0, committedMicroseconds: 0, record: [99])
        #expect(feed.received(bad, now: .at(10)) == [.report(.malformedMessage), renewal(at: position(5))])
        let actions = feed.renewed(entries(6...6, head: 6), now: .at(11))
        #expect(actions.prefix(2) == [.apply([.token(6)]), .extend(LeaseGrant(sent: .at(10), length: .seconds(5)))])
    }

    /// All databases of a Redis share their channels, and so do an old master's subscribers: only of the epoch that is
    /// followed is anything taken as it comes.
    @Test func S3_aMessageOfAnotherEpochRevokesNothingAndDoesNotAdvance() {
        var feed = following(5)
        let actions = feed.received(message(6, epoch: .second), now: .at(10))
        #expect(actions == [renewal(at: position(5))])
        #expect(feed.position == position(5))
        var detached = Feed(settings: Self.settings, seed: 1)
        #expect(detached.received(message(1), now: .at(0)).isEmpty)
    }

    @Test func aFullIndexHalts() {
        var feed = following(5)
        #expect(feed.applyFailed() == [.dropLease])
        #expect(feed.deadlineReached(now: .at(1000)).isEmpty)
    }

    @Test func anAwaitedCommitRenewsAtOnceAndAFleetSpreadsItOverMilliseconds() {
        var feed = following(5)
        #expect(
            feed.received(message(6, awaiting: 3), now: .at(100))
                == [.apply([.token(6)]), renewal(at: position(6), acknowledges: true)])
        // While one is outstanding, the next follows its reply.
        #expect(feed.received(message(7, awaiting: 3), now: .at(102)) == [.apply([.token(7)])])
        #expect(
            feed.renewed(entries(7...7, head: 7), now: .at(103)).last
                == renewal(at: position(7), acknowledges: true))
        _ = feed.renewed(entries(nil, head: 7), now: .at(104))
        let fleet = feed.received(message(8, awaiting: 100_000), now: .at(200))
        #expect(fleet.count == 2 && isWake(fleet[1], from: 200, to: 210))
        #expect(feed.deadlineReached(now: .at(210)) == [renewal(at: position(8), acknowledges: true)])
    }

    /// The awaited message itself was the one that could not advance, or is only known from a renewal.
    @Test func anAwaitedCommitIsAcknowledgedOnceItsPredecessorsAreFetched() {
        var feed = following(5)
        #expect(
            feed.received(message(7, awaiting: 3), now: .at(100))
                == [.apply([.token(7)]), .report(.gap), renewal(at: position(5))])
        // The registry still says 5: the node tells at once that it stands at 7 now.
        #expect(
            feed.renewed(entries(6...7, head: 7), now: .at(101)).last
                == renewal(at: position(7), acknowledges: true))
        #expect(isWake(feed.renewed(entries(nil, head: 7), now: .at(102)).last, from: 1000, to: 1200))
    }

    /// No message ever comes, and most renewals are lost: whoever holds a lease misses nothing older than one.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func S6_whoeverHoldsALeaseMissesNothingOlderThanOne(seed: UInt64) {
        var generator = SeededGenerator(seed)
        var feed = following(0)
        var grant = LeaseGrant(sent: .at(0), length: .seconds(5))
        var commits: [(sequence: UInt64, at: Int64)] = []
        var (applied, accepting) = (0, 0)
        for time in stride(from: Int64(100), to: 120_000, by: 100) {
            if Int.random(in: 0..<5, using: &generator) == 0 {
                commits.append((UInt64(commits.count) + 1, time))
            }
            let head = UInt64(commits.count)
            for case .renew(let request) in feed.deadlineReached(now: .at(time)) {
                guard Int.random(in: 0..<4, using: &generator) == 0 else {
                    _ = feed.failed(now: .at(time))
                    continue
                }
                let after = request.position?.sequence ?? 0
                let reply = entries(after < head ? after + 1...head : nil, head: head)
                for action in feed.renewed(reply, now: .at(time + 50)) {
                    if case .apply(let revocations) = action { applied += revocations.count }
                    if case .extend(let next) = action { grant = next }
                }
            }
            guard grant.holds(at: .at(time)) else { continue }
            accepting += 1
            #expect(applied >= commits.count { $0.at <= time - 5000 }, "at \(time) ms")
        }
        #expect(accepting > 0 && applied > 0)
    }

    @Test func everyReconnectAndSubscriptionRenewsAtOnce() {
        var feed = following(5)
        #expect(feed.subscribed(now: .at(10)) == [renewal(at: position(5))])
        #expect(feed.subscribed(now: .at(11)).isEmpty)
        #expect(feed.renewed(entries(nil, head: 5), now: .at(12)).last == renewal(at: position(5)))
        #expect(feed.disconnected().isEmpty)
        #expect(feed.deadlineReached(now: .at(2000)).isEmpty)
        // A reply of the old connection changes nothing.
        #expect(feed.renewed(entries(nil, head: 5), now: .at(2001)).isEmpty)
        #expect(feed.connected(now: .at(3000)) == [renewal(at: position(5))])
    }

    @Test func noEpochOrAFailureIsTriedAgainWellBeforeTheNextRenewal() {
        var feed = following(5)
        _ = feed.deadlineReached(now: .at(1000))
        let recovering = feed.renewed(.recovering, now: .at(1001))
        #expect(recovering.first == .report(.recovering) && isWake(recovering.last, from: 1051, to: 1151))
        _ = feed.deadlineReached(now: .at(2000))
        #expect(isWake(feed.failed(now: .at(2500)).last, from: 2550, to: 2650))
        #expect(feed.position == position(5))
    }

    @Test func rubbishOnTheChannelIsReportedAndAnsweredByARenewal() {
        var feed = following(5)
        #expect(
            feed.receivedMalformedMessage(now: .at(10))
                == [.report(.malformedMessage), renewal(at: position(5))])
    }
}
