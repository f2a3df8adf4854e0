import Testing

@testable import Quash

@Suite struct LeaseTests {
    private let grant = LeaseGrant(sent: .at(1000), length: .seconds(5))

    @Test func S4_lastsFromTheSendTimeToItsEndExactly() {
        let lease = Lease()
        #expect(!lease.holds(at: .at(0)))
        lease.extend(grant)
        #expect(lease.holds(at: .at(1000)))
        #expect(lease.holds(at: .at(5999)))
        #expect(!lease.holds(at: .at(6000)))
        #expect(grant.holds(at: .at(5999)))
        #expect(!grant.holds(at: .at(6000)))
        #expect(lease.remaining(at: .at(2000)) == .seconds(4))
        #expect(lease.remaining(at: .at(7000)) == .zero)
    }

    @Test(arguments: [(-3_600_000, false), (-101, false), (-100, true), (100, true), (101, false), (3_600_000, false)])
    func aJumpOfEitherClockEndsIt(stepMilliseconds: Int, holds: Bool) {
        #expect(grant.holds(at: .at(2000, wallStep: Int64(stepMilliseconds))) == holds)
    }

    @Test func aGrantAfterTheJumpHoldsAgain() {
        let lease = Lease()
        lease.extend(grant)
        #expect(!lease.holds(at: .at(2000, wallStep: 5000)))
        lease.extend(LeaseGrant(sent: .at(2000, wallStep: 5000), length: .seconds(5)))
        #expect(lease.holds(at: .at(2100, wallStep: 5000)))
    }

    @Test func droppedIsEnded() {
        let lease = Lease()
        lease.extend(grant)
        lease.drop()
        #expect(!lease.holds(at: .at(1000)))
    }
}
