import Glibc
import QuashJWT
import TestSupport
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

    /// A child has the memory of its parent, and no thread that hears of revocations.
    @Test func S4_aForkedChildHasNoLease() throws {
        let lease = Lease()
        lease.extend(grant)
        #expect(try inForkedChild { lease.holds(at: .at(1000)) ? 1 : 0 } == 0)
        #expect(lease.holds(at: .at(1000)))
        // Nor has a child of the child, whichever of them made the lease, and only who was granted one has one.
        let status = try inForkedChild {
            lease.extend(grant)
            if lease.holds(at: .at(1000)) || lease.remaining(at: .at(1000)) != .zero { return 1 }
            let own = Lease()
            own.extend(grant)
            guard own.holds(at: .at(1000)) else { return 2 }
            let grandchild = try? inForkedChild {
                own.holds(at: .at(1000)) || lease.holds(at: .at(1000)) ? 1 : 0
            }
            return grandchild == 0 && own.holds(at: .at(1000)) ? 0 : 3
        }
        #expect(status == 0)
    }

    @Test func S4_aForkedChildAcceptsNothing() throws {
        let fixture = try ValidatorFixture()
        let token = try fixture.token()
        #expect(fixture.outcome(token) == .accepted)
        #expect(try inForkedChild { fixture.outcome(token) == .unavailable(.leaseEnded) ? 0 : 1 } == 0)
        #expect(fixture.outcome(token) == .accepted)
    }

    /// Sessions and tokens that a child makes have other names than those of its parent: what is random starts anew.
    @Test func aForkedChildMakesOtherNames() throws {
        _ = SessionID.random()
        var ends: [Int32] = [0, 0]
        // SAFETY: pipe(2) writes two descriptors.
        try #require(unsafe pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let status = try inForkedChild {
            let name = Array("\(SessionID.random())\(UInt64.random(in: .min ... .max))".utf8)
            // SAFETY: write(2) reads as many bytes as the array has.
            return unsafe write(ends[1], name, name.count) == name.count ? 0 : 1
        }
        #expect(status == 0)
        let own = [SessionID.random().description, String(UInt64.random(in: .min ... .max))]
        var bytes = [UInt8](repeating: 0, count: 64)
        // SAFETY: read(2) writes at most as many bytes as the array has.
        let count = unsafe read(ends[0], &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        #expect(text.utf8.count > 20 && !text.hasPrefix(own[0]) && !text.hasSuffix(own[1]))
    }
}
