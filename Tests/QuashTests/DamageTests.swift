import Testing

@testable import Quash

/// Data that cannot be read, or that Redis refuses again and again: it ends its epoch once, and stops nobody for ever.
@Suite struct DamageTests {
    private static let expiry = Revocation.token(1).expiresAtSeconds
    private static let period = LivePage.period(ofExpiry: expiry)
    private let directory = LiveDirectory(epoch: .first, bytes: [period: 20])

    private func position(_ sequence: UInt64, _ epoch: Epoch = .first) -> FeedPosition {
        FeedPosition(epoch: epoch, sequence: sequence)
    }

    private func now(_ milliseconds: Int64) -> BootInstant { ClockReading.at(milliseconds).boot }

    private func page(_ revocations: [Revocation]) -> [UInt8] { RevocationCodec.encode(revocations) }

    // MARK: A node

    /// A node that reads the live set of the first epoch.
    private func loading(_ directory: LiveDirectory) -> (Feed, [Feed.Action]) {
        var feed = Feed(settings: Feed.Settings(lease: .seconds(5), renewInterval: .seconds(1)), seed: 1)
        _ = feed.connected(now: .at(0))
        _ = feed.renewed(.elsewhere(position(5)), now: .at(1))
        let actions = feed.received(directory, now: .at(2))
        return (feed, actions)
    }

    /// One that stands at 5 of the first epoch, with a lease.
    private func following() -> Feed {
        var (feed, _) = loading(LiveDirectory(epoch: .first, bytes: [:]))
        _ = feed.renewed(.entries(records: [], head: 5, lease: .seconds(5)), now: .at(3))
        #expect(feed.position == position(5))
        return feed
    }

    private func report(_ how: EpochDamage, at position: FeedPosition? = nil) -> Feed.Action {
        .renew(RenewRequest(position: position, damagedEpoch: .first, damage: how))
    }

    /// Whatever the node is answered in that epoch, it does not go on there; in the next it does.
    private func expectItGoesOn(_ feed: inout Feed) {
        #expect(feed.position == nil)
        #expect(feed.received(message(6), now: .at(1000)).isEmpty)
        // The connection goes before the report is answered: it is made again.
        _ = feed.disconnected()
        #expect(feed.connected(now: .at(2000)) == [report(.unreadable)])
        _ = feed.renewed(.recovering, now: .at(2001))
        #expect(feed.deadlineReached(now: .at(2100)) == [.renew(RenewRequest(position: nil))])
        let next = feed.renewed(.elsewhere(position(0, .second)), now: .at(2101))
        #expect(next == [.report(.resync(feed.position == nil ? next.cause : .start)), .readDirectory])
    }

    private func message(_ sequence: UInt64) -> FeedMessage {
        FeedMessage(
            position: position(sequence), awaitingNodes: 0, committedMicroseconds: 0, record: page([.token(sequence)]))
    }

    @Test func S3_anUnreadableEntryOfTheLogEndsTheLeaseAndTheEpoch() {
        var feed = following()
        _ = feed.deadlineReached(now: .at(900))
        let reply = RenewReply.entries(records: [page([.token(6)]), [31]], head: 7, lease: .seconds(5))
        #expect(
            feed.renewed(reply, now: .at(901))
                == [.report(.unreadable(.unknownKind(31))), .dropLease, report(.unreadable)])
        expectItGoesOn(&feed)
    }

    @Test(arguments: [nil, [99], [1, 2, 3]] as [[UInt8]?])
    func S3_anUnreadablePageEndsTheLeaseAndTheEpoch(bytes: [UInt8]?) {
        var (feed, _) = loading(directory)
        let actions = feed.received(page: bytes, now: .at(3))
        #expect(actions.dropFirst() == [.dropLease, report(.unreadable)])
        expectItGoesOn(&feed)
    }

    @Test func S3_aDirectoryThatCannotBeReadIsNotTakenForAllThereIs() {
        var (feed, actions) = loading(LiveDirectory(epoch: .first, bytes: [:], isReadable: false))
        #expect(actions.first == .report(.damaged))
        #expect(feed.deadlineReached(now: .at(1000)) == [report(.unreadable)])
    }

    /// A directory that tells of bytes without end: the first chunk that is not there shows that they are lost.
    @Test func aDirectoryWithoutEndIsNotReadWithoutEnd() {
        var (feed, actions) = loading(LiveDirectory(epoch: .first, bytes: [Self.period: 1 << 52]))
        #expect(actions == [.read(LivePage(period: Self.period, chunk: 0, offset: 0))])
        actions = feed.received(page: page([.token(1)]), now: .at(3))
        #expect(actions.first == .apply([.token(1)]))
        #expect(actions.contains(.report(.damaged)))
        #expect(feed.deadlineReached(now: .at(1000)) == [report(.lost)])
    }

    /// Beyond a chunk that is longer than others some have no bytes.
    @Test func aChunkThatIsNotThereIsNoDamageWhereTheBytesBeforeMakeUpForIt() {
        var (feed, _) = loading(LiveDirectory(epoch: .first, bytes: [Self.period: 2 * LivePage.chunkBytes + 20]))
        let full = page((0..<3276).map { .token(UInt64($0)) })
        var offset = 0
        while offset < 2 * LivePage.chunkBytes {
            let bytes = full + (full.count < LivePage.pageBytes ? Array(full.prefix(16)) : [])
            _ = feed.received(page: bytes, now: .at(3))
            offset += full.count
        }
        #expect(
            feed.received(page: [], now: .at(4)).contains(.read(LivePage(period: Self.period, chunk: 1, offset: 0))))
        #expect(
            feed.received(page: [], now: .at(5)).contains(.read(LivePage(period: Self.period, chunk: 2, offset: 0))))
        #expect(
            feed.received(page: page([.token(1)]), now: .at(6)).contains(.renew(RenewRequest(position: position(5)))))
    }

    @Test func whatIsRefusedAgainAndAgainEndsTheEpoch() {
        var feed = following()
        for attempt in 1..<RepeatedFailures.most {
            _ = feed.deadlineReached(now: .at(Int64(attempt) * 1000))
            #expect(!feed.failed(isRefused: true, now: .at(Int64(attempt) * 1000 + 1)).contains(.report(.refused)))
        }
        _ = feed.deadlineReached(now: .at(10_000))
        #expect(feed.failed(isRefused: true, now: .at(10_001)).contains(.report(.refused)))
        #expect(feed.deadlineReached(now: .at(10_100)) == [report(.refused, at: position(5))])
    }

    @Test func whatPassesEndsNoEpoch() {
        var feed = following()
        for attempt in 1...20 {
            _ = feed.deadlineReached(now: .at(Int64(attempt) * 1000))
            #expect(!feed.failed(now: .at(Int64(attempt) * 1000 + 1)).contains(.report(.refused)))
        }
        // A refusal now and then does not add up.
        for attempt in 21...40 {
            _ = feed.deadlineReached(now: .at(Int64(attempt) * 1000))
            #expect(!feed.failed(isRefused: true, now: .at(Int64(attempt) * 1000 + 1)).contains(.report(.refused)))
            _ = feed.deadlineReached(now: .at(Int64(attempt) * 1000 + 100))
            _ = feed.renewed(
                .entries(records: [], head: 5, lease: .seconds(5)), now: .at(Int64(attempt) * 1000 + 101))
        }
    }

    // MARK: An issuer

    private static let settings = FeedWriter.Settings(issuer: "a", issuers: ["a"])

    private func begun(_ epoch: Epoch, damage: EpochDamage? = nil, isOpen: Bool = false) -> BeginReply {
        BeginReply(
            epoch: epoch, isOpen: isOpen, lease: .seconds(5), fence: .zero, isNew: !isOpen, damage: damage)
    }

    /// A writer that makes a run in the first epoch, and holds these.
    private func reading(_ held: [Revocation], damage: EpochDamage? = nil) -> (FeedWriter, [FeedWriter.Action]) {
        var writer = FeedWriter(settings: Self.settings, entered: [], now: now(-60_000))
        _ = writer.connected(now: now(0))
        _ = writer.begun(begun(.first, damage: damage), now: now(1))
        _ = writer.persistedEpoch(.first, now: now(2))
        let actions = writer.outboxRead(held, run: 1, now: now(3))
        return (writer, actions)
    }

    private func open() -> FeedWriter {
        var (writer, _) = reading([])
        _ = writer.declared(.open, now: now(4))
        #expect(writer.epoch == .first)
        return writer
    }

    @Test func aLiveSetThatLostBytesIsRestored() {
        var (writer, _) = reading([.token(1), .token(2)])
        _ = writer.received(LiveDirectory(epoch: .first, bytes: [Self.period: 60]), now: now(4))
        #expect(
            writer.received(page: page([.token(1)]), now: .at(5))
                == [.report(.restoring(1)), .restore([.token(2)], .first)])
    }

    /// What is restored is what would be missed: else the same would be missing again and again.
    @Test func aRevocationInAnotherPeriodIsRestored() {
        let strayed = Revocation.token(1, expiresAtSeconds: Self.expiry + 7200)
        var (writer, _) = reading([strayed])
        _ = writer.received(directory, now: now(4))
        #expect(
            writer.received(page: page([strayed]), now: .at(5))
                == [.report(.restoring(1)), .restore([strayed], .first)])
    }

    /// All periods that cannot be read are found before the epoch ends: it ends once for all of them.
    @Test func S5_whatCannotBeReadIsDeletedByTheNextEpoch() {
        var (writer, _) = reading([.token(1), .token(2)])
        let bytes = [Self.period: 20, Self.period + 1: 20, Self.period + 2: 20]
        _ = writer.received(LiveDirectory(epoch: .first, bytes: bytes), now: now(4))
        _ = writer.received(page: [0xFF, 1, 2], now: .at(5))
        _ = writer.received(page: page([.token(2)]), now: .at(6))
        #expect(
            writer.received(page: nil, now: .at(7))
                == [.begin(over: .first, unreadable: [Self.period, Self.period + 2])])
        #expect(writer.begun(begun(.second), now: now(8)) == [.report(.damaged(.unreadable)), .persistEpoch(.second)])
        #expect(writer.persistedEpoch(.second, now: now(9)).last == .readOutbox(run: 2))
    }

    @Test func aDirectoryThatCannotBeReadIsMadeAnew() {
        var (writer, _) = reading([.token(1)])
        let directory = LiveDirectory(epoch: .first, bytes: [:], isReadable: false)
        #expect(writer.received(directory, now: now(4)) == [.begin(over: .first)])
    }

    /// Otherwise no issuer would find what no node can read.
    @Test func afterDamageTheLiveSetIsReadByAnIssuerThatHoldsNothing() {
        #expect(reading([]).1 == [.declareRestored(.first, excused: [])])
        #expect(reading([], damage: .unreadable).1 == [.readDirectory])
    }

    @Test func anErrorThatRepeatsEndsTheEpoch() {
        var writer = open()
        for attempt in 1...RepeatedFailures.most {
            #expect(!writer.isFailing)
            let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
            _ = writer.persisted(id, now: now(Int64(attempt) * 10))
            let actions = writer.commitFailed(id, isRefused: true, now: now(Int64(attempt) * 10 + 1))
            #expect(actions.contains(.begin(over: .first)) == (attempt == RepeatedFailures.most))
        }
        #expect(writer.isFailing)
        #expect(writer.begun(begun(.second), now: now(100)).first == .report(.damaged(.refused)))
        _ = writer.persistedEpoch(.second, now: now(101))
        _ = writer.outboxRead([], run: 2, now: now(102))
        _ = writer.declared(.open, now: now(103))
        #expect(!writer.isFailing)
    }

    /// A right that is missing, a Redis that is full or busy: reported, and no reason to end an epoch.
    @Test func anErrorThatPassesEndsNoEpoch() {
        var writer = open()
        for attempt in 1...10 {
            let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
            _ = writer.persisted(id, now: now(Int64(attempt) * 10))
            let actions = writer.commitFailed(id, isRefused: false, now: now(Int64(attempt) * 10 + 1))
            #expect(!actions.contains(.begin(over: .first)))
        }
        #expect(writer.isFailing)
    }

    /// Whoever can damage the data, or say so, does not keep the fleet busy with it.
    @Test func epochsThatFollowDamageComeEverMoreSlowly() {
        var pace = EpochPace(seed: 1)
        var at = now(0)
        var waits: [Duration] = []
        for _ in 0..<12 {
            #expect(pace.allows(at: at))
            pace.begun(at: at)
            let earliest = pace.earliest!
            #expect(!pace.allows(at: earliest + .nanoseconds(-1)))
            waits.append(earliest - at)
            at = earliest
        }
        for (wait, next) in zip(waits, waits.dropFirst()) where wait < EpochPace.longest {
            #expect(next >= wait * 5 / 4)
        }
        #expect(waits[0] >= EpochPace.first && waits[0] <= EpochPace.first * 3 / 2)
        #expect(waits[11] >= EpochPace.longest && waits[11] <= EpochPace.longest * 3 / 2)
        at = at + EpochPace.quiet
        pace.begun(at: at)
        #expect(pace.earliest! - at <= EpochPace.first * 3 / 2)
    }

    @Test func anEpochThatWouldFollowTooSoonWaits() {
        var writer = open()
        #expect(writer.end(.second, because: .missing, now: now(10)).isEmpty, "not the one that commits go to")
        #expect(writer.end(.first, because: .missing, now: now(10)) == [.begin(over: .first)])
        _ = writer.begun(begun(.second), now: now(11))
        _ = writer.persistedEpoch(.second, now: now(12))
        let asks: [FeedWriter.Action] = [.begin(over: nil, followsDamage: false)]
        #expect(writer.end(.second, because: .missing, now: now(20)) == asks)
        let earliest = wait(&writer, from: 20) { $0.begun(begun(.second, isOpen: true), now: $1) }
        #expect(earliest < now(1000))
        // What is to be committed meanwhile is durable, and answered so.
        let (id, _) = writer.publish(FeedWriter.Commit(revocations: [.token(1)]))
        #expect(writer.persisted(id, now: now(100)) == asks)
        #expect(writer.begun(begun(.second, isOpen: true), now: now(101)).first == .answer(id, .unavailable))
        #expect(writer.deadlineReached(now: earliest) == [.begin(over: .second)])
        // The same for one that a node ended: the script says so, and nothing is begun.
        _ = writer.begun(begun(.third), now: earliest)
        guard case .readOutbox(let run)? = writer.persistedEpoch(.third, now: earliest).last else {
            return #expect(Bool(false), "it makes no run")
        }
        _ = writer.outboxRead([], run: run, now: earliest)
        #expect(writer.declared(.recovering, now: earliest) == asks)
        guard case .wake(let soon)? = writer.mayNotBegin(now: earliest).last else {
            return #expect(Bool(false), "it does not wait")
        }
        #expect(soon <= earliest + FeedWriter.retryInterval)
        #expect(writer.deadlineReached(now: soon) == asks)
        // Another issuer began one, which waits for this one.
        #expect(writer.begun(begun(Epoch("00000000000000dd")!, isOpen: true), now: soon).count == 1)
    }

    /// Asks again until the epoch may end; gives when that was.
    private func wait(
        _ writer: inout FeedWriter, from milliseconds: Int64,
        answer: (inout FeedWriter, BootInstant) -> [FeedWriter.Action]
    ) -> BootInstant {
        var at = now(milliseconds)
        for _ in 0..<100 {
            guard case .wake(let next)? = answer(&writer, at).last, next <= at + FeedWriter.retryInterval else { break }
            at = next
            var other = writer
            if other.deadlineReached(now: at) == [.begin(over: .second)] { return at }
            _ = writer.deadlineReached(now: at)
        }
        return at
    }
}

extension [Feed.Action] {
    fileprivate var cause: Feed.ResyncCause {
        for case .report(.resync(let cause)) in self { return cause }
        return .start
    }
}
