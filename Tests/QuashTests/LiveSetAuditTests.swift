import Testing

@testable import Quash

/// What an issuer holds and the live set lacks is found within two rounds, and nothing else is taken for that.
@Suite struct LiveSetAuditTests {
    /// A Redis and an outbox, as values.
    private struct Feed {
        var epoch = Epoch.first
        var live: [UInt32: [UInt8]] = [:]
        var isReadable = true
        var held: [Revocation] = []
        /// How often a part of what is held was asked for.
        var parts = 0

        mutating func store(_ revocations: [Revocation]) {
            for revocation in revocations {
                RevocationCodec.encode(
                    revocation, into: &live[LivePage.period(ofExpiry: revocation.expiresAtSeconds), default: []])
            }
        }

        mutating func hold(_ revocations: [Revocation]) {
            store(revocations)
            held += revocations
        }

        /// What the index makes of all that is held.
        private var index: RevocationIndex.Writer {
            var writer = RevocationIndex().makeWriter(maxRevocations: .max, clockSkew: .seconds(600))
            try? writer.apply(held)
            return writer
        }

        /// Lets one round happen, and gives what comes of it.
        mutating func round(_ audit: inout LiveSetAudit, at now: ClockReading) -> [LiveSetAudit.Action] {
            var actions = audit.deadlineReached(epoch: epoch, now: now)
            asking: while actions.count == 1, let action = actions.first {
                switch action {
                case .readDigests(let first, let count):
                    let digests = index.digests(first: first, count: count)
                    actions = audit.received(digests: digests, first: first, now: now.boot)
                case .readDirectory:
                    let directory = LiveDirectory(
                        epoch: epoch, bytes: live.mapValues(\.count), isReadable: isReadable)
                    actions = audit.received(directory, now: now.boot)
                case .read(let page):
                    let bytes = page.chunk == 0 ? live[page.period] ?? [] : []
                    let part = bytes.dropFirst(page.offset).prefix(LivePage.pageBytes)
                    actions = audit.received(page: Array(part), now: now)
                case .readHeld(let periods):
                    parts += 1
                    actions = audit.received(held: index.revocations(in: periods), now: now)
                default: break asking
                }
            }
            if case .wake? = actions.last { actions.removeLast() }
            return actions
        }
    }

    private static let start: Int64 = 1_800_000_000
    private static let expiry = UInt32(start) + 7200
    private static let period = LivePage.period(ofExpiry: expiry)

    /// A minute later each time.
    private func now(_ round: Int64) -> ClockReading {
        let nanoseconds = round * 60_000_000_000
        return ClockReading(
            boot: BootInstant(nanoseconds: nanoseconds), wallNanoseconds: Self.start * 1_000_000_000 + nanoseconds)
    }

    private func token(_ number: UInt64, later hours: UInt32 = 0) -> Revocation {
        .token(number, expiresAtSeconds: Self.expiry + hours * 3600)
    }

    private func subject(_ bound: Int64, later hours: UInt32 = 0) -> Revocation {
        Revocation(
            key: .subject("alice"), issuedBefore: WallInstant(milliseconds: bound),
            expiresAtSeconds: Self.expiry + hours * 3600)
    }

    private func end(_ how: EpochDamage, missing: Int = 0, unreadable: [UInt32] = []) -> [LiveSetAudit.Action] {
        [.end(.first, how, missing: missing, unreadable: unreadable)]
    }

    private func feed() -> (Feed, LiveSetAudit) {
        var feed = Feed()
        feed.hold([token(1), token(2), token(3, later: 5), subject(50, later: 9)])
        // What others hold is theirs to look for.
        feed.store([token(9)])
        return (feed, LiveSetAudit(seed: 1))
    }

    @Test func whatIsWholeIsComparedOnceAndReadEachTime() {
        var (feed, audit) = feed()
        // The strictest of two, of which Redis has let go of the one.
        feed.held.append(subject(100))
        #expect(feed.round(&audit, at: now(1)) == [.commit([subject(100, later: 9)])])
        feed.store([subject(100, later: 9)])
        #expect(feed.round(&audit, at: now(2)) == [.isWhole])
        #expect(feed.parts == 2)
        #expect(feed.round(&audit, at: now(3)) == [.isWhole])
        #expect(feed.parts == 2, "nothing has changed")
        feed.hold([token(4)])
        #expect(feed.round(&audit, at: now(4)) == [.isWhole])
        #expect(feed.parts == 3)
    }

    @Test func aPeriodThatIsTakenOutOfTheDirectoryEndsTheEpochInTheSecondRound() {
        var (feed, audit) = feed()
        #expect(feed.round(&audit, at: now(1)) == [.isWhole])
        feed.live[Self.period] = nil
        #expect(feed.round(&audit, at: now(2)).isEmpty)
        #expect(feed.round(&audit, at: now(3)) == end(.missing, missing: 2))
        // Once for what is missing: the next epoch has it.
        #expect(feed.round(&audit, at: now(4)).isEmpty)
    }

    /// In place, with as many bytes, and each of them a revocation.
    @Test func aRevocationThatIsWrittenOverIsFound() {
        var (feed, audit) = feed()
        #expect(feed.round(&audit, at: now(1)) == [.isWhole])
        let other = RevocationCodec.encode([token(77)])
        feed.live[Self.period]?.replaceSubrange(20..<40, with: other)
        #expect(feed.round(&audit, at: now(2)).isEmpty)
        #expect(feed.round(&audit, at: now(3)) == end(.missing, missing: 1))
    }

    /// An earlier expiry would be forgotten too soon.
    @Test func aRevocationThatExpiresEarlierDoesNotDo() {
        var (feed, audit) = (Feed(), LiveSetAudit(seed: 1))
        feed.held = [token(1)]
        feed.store([.token(1, expiresAtSeconds: Self.expiry - 1)])
        #expect(feed.round(&audit, at: now(1)).isEmpty)
        #expect(feed.round(&audit, at: now(2)) == end(.missing, missing: 1))
    }

    /// It goes with the period in which it stands.
    @Test func aRevocationInAnotherPeriodDoesNotDo() {
        var (feed, audit) = (Feed(), LiveSetAudit(seed: 1))
        feed.hold([token(2)])
        feed.held.append(token(1, later: 3))
        feed.live[Self.period]? += RevocationCodec.encode([token(1, later: 3)])
        #expect(feed.round(&audit, at: now(1)).isEmpty)
        #expect(feed.round(&audit, at: now(2)) == end(.missing, missing: 1))
    }

    /// By the provider's clock it covers less. Both are one entry of the index.
    @Test(arguments: [0, 1000] as [Int64])
    func aBoundIsLookedForByTheClockThatItIsOf(later: Int64) {
        func subject(_ bound: Int64, _ clock: BoundClock) -> Revocation {
            let instant = WallInstant(milliseconds: Self.start * 1000 + bound)
            return Revocation(
                key: .subject("alice"), issuedBefore: instant, by: clock, expiresAtSeconds: Self.expiry)
        }
        var (feed, audit) = feed()
        feed.held = [subject(0, .ours)] + (later > 0 ? [subject(later, .provider)] : [])
        feed.store([subject(later, .provider)])
        let before = feed.round(&audit, at: now(1))
        #expect(before == [.commit([subject(0, .ours)])])
        feed.store([subject(0, .ours)])
        #expect(feed.round(&audit, at: now(2)) == [.isWhole])
    }

    @Test func aCommitThatIsUnderWayIsNotMissing() {
        var (feed, audit) = feed()
        feed.held.append(token(5))
        #expect(feed.round(&audit, at: now(1)).isEmpty)
        feed.store([token(5)])
        feed.held.append(token(6))
        #expect(feed.round(&audit, at: now(2)).isEmpty, "another, for the first time")
        feed.store([token(6)])
        #expect(feed.round(&audit, at: now(3)) == [.isWhole])
    }

    @Test func whatIsMissingInTwoEpochsIsMissingOnceInEach() {
        var (feed, audit) = feed()
        feed.live = [:]
        #expect(feed.round(&audit, at: now(1)).isEmpty)
        feed.epoch = .second
        #expect(feed.round(&audit, at: now(2)).isEmpty)
        // While something may still have to be committed there is no round, and what was missing does not count.
        #expect(audit.deadlineReached(epoch: nil, now: now(3)).count == 1)
        #expect(feed.round(&audit, at: now(4)).isEmpty)
        let found = feed.round(&audit, at: now(5))
        #expect(found == [.end(.second, .missing, missing: 4, unreadable: [])])
    }

    /// Redis lets go of what has expired, and keeps nothing that no token can need.
    @Test func whatExpiresSoonOrBeyondAllTokensIsNotLookedFor() {
        var (feed, audit) = (Feed(), LiveSetAudit(seed: 1))
        let soon = UInt32(now(1).wall.seconds + 100)
        feed.held = [.token(1, expiresAtSeconds: soon), .token(2, expiresAtSeconds: UInt32(Self.start) + 40 * 86_400)]
        for round in 1...3 as ClosedRange<Int64> { #expect(feed.round(&audit, at: now(round)) == [.isWhole]) }
    }

    @Test func aLiveSetThatCannotBeReadEndsTheEpochAtOnce() {
        var (feed, audit) = feed()
        feed.live[Self.period]?[20] = 0xFF
        #expect(feed.round(&audit, at: now(1)) == end(.unreadable, unreadable: [Self.period]))
        var (other, again) = self.feed()
        other.isReadable = false
        #expect(other.round(&again, at: now(1)) == end(.unreadable))
    }

    @Test func muchIsComparedInParts() {
        var (feed, _) = feed()
        var audit = LiveSetAudit(seed: 1, mostHeld: 2)
        feed.live[Self.period + 5] = nil
        #expect(feed.round(&audit, at: now(1)).isEmpty)
        #expect(feed.parts == 2, "two entries, and two periods of one")
        #expect(feed.round(&audit, at: now(2)) == end(.missing, missing: 1))
        #expect(feed.parts == 3, "only the one that is not whole")
    }

    @Test func aRoundThatFailsEndsAndTheNextComes() {
        var (_, audit) = feed()
        #expect(audit.started(now: now(0).boot).count == 1)
        #expect(audit.deadlineReached(epoch: .first, now: now(1)).count == 1)
        #expect(audit.deadlineReached(epoch: .first, now: now(1)).isEmpty)
        guard case .wake(let at)? = audit.failed(now: now(1).boot).first else { return #expect(Bool(false)) }
        #expect(at >= now(1).boot + .seconds(54) && at <= now(1).boot + .seconds(66))
        #expect(audit.deadlineReached(epoch: .first, now: now(2)).count == 1)
    }
}
