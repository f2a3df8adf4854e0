import QuashJWT
import TestSupport
import Testing

@testable import Quash

/// Decisions by a clock that is set, and after it was corrected.
@Suite struct WrongClockTests {
    private static let hour: Int64 = 3_600_000

    /// A token that is good for ten minutes is not expired because the clock of this node is wrong: 503, never 401.
    @Test(arguments: [-3_600_000, 3_600_000] as [Int64])
    func S0_noTimeIsJudgedByAClockThatWasSet(step: Int64) throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        #expect(fixture.outcome(token) == .accepted)
        for wrong in [step, step / 3600 * 2] {
            fixture.reading = .at(1000, wallStep: wrong)
            #expect(fixture.outcome(token) == .unavailable(.clock), "\(wrong) ms")
            #expect(fixture.isGenuine(token, as: .access), "enough to end what it belongs to")
        }
        fixture.reading = .at(2000)
        #expect(fixture.outcome(token) == .accepted, "no time that was read by it counts")
    }

    /// Before the first grant nobody has compared the clock.
    @Test func nothingIsCalledExpiredBeforeTheFirstLease() throws {
        let index = RevocationIndex()
        let fixture = try ValidatorFixture()
        let validator = try Validator(
            keys: fixture.keys, policy: TokenPolicy(types: [.access]), clockSkew: .zero, index: index, lease: Lease()
        ) { .at(Self.hour) }
        let token = try fixture.token()
        guard case .unavailable(.leaseEnded) = validator.validate(token.span) else {
            Issue.record("judged by a clock that was never compared")
            return
        }
    }

    /// The greatest time seen may be ahead by the setting; by more than that nothing is judged.
    @Test(arguments: [-1000, -1001] as [Int64])
    func theGreatestTimeSeenMayBeAheadByTheSetting(step: Int64) throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token(ValidatorFixture.claims(issuedAtMilliseconds: Self.issued))
        fixture.reading = .at(2000)
        #expect(fixture.outcome(token) == .accepted)
        fixture.lease.extend(LeaseGrant(sent: .at(2000, wallStep: step), length: .seconds(5)))
        fixture.reading = .at(2000, wallStep: step)
        #expect(fixture.outcome(token) == (step == -1000 ? .accepted : .unavailable(.clock)))
    }

    private static let issued = ValidatorFixture.startSeconds * 1000 - 60_000

    /// All clocks were wrong together, and are corrected together: the index has dropped a revocation by that time, and
    /// it is back before anything is accepted. What is there stays.
    @Test func S1_whatWasDroppedByAWrongClockIsNotAcceptedAfterwards() throws {
        let fixture = try ValidatorFixture()
        let claims = ValidatorFixture.claims()
        let token = try fixture.token(claims)
        let key = RevocationKey.token(claims.id)
        let expiry = UInt32(claims.expiresAt.seconds)
        for number in 0..<600 { try fixture.revoke(.subject("\(number)"), expiresAtSeconds: expiry) }
        try fixture.revoke(key, expiresAtSeconds: expiry)
        let wrong = ClockReading.at(1000, wallStep: Self.hour)
        fixture.lease.extend(LeaseGrant(sent: wrong, length: .seconds(5)))
        fixture.reading = wrong
        fixture.expire(at: wrong.wall)
        #expect(fixture.index.count(of: .subject) == 0, "dropped")
        let other = try fixture.token(ValidatorFixture.claims())
        #expect(fixture.outcome(other) == .refused(.invalid(.expired)), "by all clocks that there are")

        fixture.reading = .at(2000)
        #expect(fixture.outcome(other) == .unavailable(.clock))
        fixture.lease.drop()
        fixture.discardTime()
        #expect(fixture.outcome(token) == .unavailable(.clock))
        try fixture.revoke(key, expiresAtSeconds: expiry)
        fixture.lease.extend(LeaseGrant(sent: .at(2000), length: .seconds(5)))
        #expect(fixture.outcome(token) == .refused(.revoked(.token)))
        #expect(fixture.outcome(other) == .accepted, "the greatest time is discarded")
        fixture.expire(at: fixture.reading.wall)
        #expect(fixture.outcome(token) == .refused(.revoked(.token)))
    }

    /// The feed's thread has read a time that no lease was granted by.
    @Test func S0_nothingIsCalledExpiredByATimeThatTheIndexAloneHasSeen() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        fixture.expire(at: ClockReading.at(1000, wallStep: Self.hour).wall)
        fixture.reading = .at(2000)
        #expect(fixture.outcome(token) == .unavailable(.clock))
        fixture.discardTime()
        #expect(fixture.outcome(token) == .accepted)
    }

    /// It looked up while the revocation was dropped, and looks at its clock when that is back and the lease, too.
    @Test func S1_aDecisionThatBeganBeforeTheTimeWasDiscardedDoesNotCount() throws {
        let fixture = try ValidatorFixture()
        let claims = ValidatorFixture.claims()
        let token = try fixture.token(claims)
        let wrong = ClockReading.at(1000, wallStep: Self.hour)
        fixture.lease.extend(LeaseGrant(sent: .at(1000), length: .seconds(5)))
        fixture.expire(at: wrong.wall)
        fixture.reading = .at(1500)
        fixture.clockIsRead = {
            fixture.lease.drop()
            fixture.discardTime()
            try? fixture.revoke(.token(claims.id))
            fixture.lease.extend(LeaseGrant(sent: .at(1200), length: .seconds(5)))
        }
        #expect(fixture.outcome(token) == .unavailable(.clock))
        fixture.clockIsRead = {}
        #expect(fixture.outcome(token) == .refused(.revoked(.token)))
    }

    /// Entries that were counted as expired are counted as what they are again.
    @Test func discardingTheTimeKeepsTheCounts() throws {
        let index = RevocationIndex()
        var writer = index.makeWriter(maxRevocations: 10_000, clockSkew: .zero)
        let start = ValidatorFixture.startSeconds
        func apply(_ range: Range<Int>, expiring seconds: Int64) throws {
            try writer.apply(range.map { Revocation(key: .token("\($0)"), expiresAtSeconds: UInt32(seconds)) })
        }
        try apply(0..<700, expiring: start)
        try apply(700..<3000, expiring: start + 100_000)
        // Fewer than are worth giving their memory back.
        writer.expire(at: WallInstant(seconds: start + 10_000))
        #expect(writer.count == 3000)
        writer.discardTime()
        #expect(index.droppedBy == WallInstant(milliseconds: 0) && index.latest == WallInstant(milliseconds: 0))
        try apply(3000..<3100, expiring: start - 1000)
        writer.expire(at: WallInstant(seconds: start - 100))
        #expect(writer.count == 3100, "the 700 are none that have expired")
        let reader = RevocationIndex.Reader(index)
        #expect((0..<3100).allSatisfy { reader.revokes(.token("\($0)"), issuedAt: WallInstant(milliseconds: 0)) })
        writer.expire(at: WallInstant(seconds: start + 200_000))
        #expect(writer.count == 0 && index.count(of: .token) == 0)
    }
}
