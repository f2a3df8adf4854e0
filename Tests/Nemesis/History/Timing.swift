/// The times that the fleet was started with, and what they promise. All instants are of CLOCK_BOOTTIME, which every
/// process of one machine reads alike, so no clock's rate has to be allowed for but where the protocol itself does.
package struct Timing: Sendable {
    /// A lease lasts at most this, from when it was asked for.
    package let lease: Duration
    package let renewInterval: Duration
    /// How long a Redis that was replaced may go on granting.
    package let fence: Duration

    /// What a fleet with these settings promises.
    package init(lease: Duration, renewInterval: Duration, fence: Duration = .zero) {
        self.lease = lease
        self.renewInterval = renewInterval
        self.fence = fence
    }

    /// After a revocation was answered as stored, nobody accepts what it names later than this: L(1+2ρ)+δ+F, where ρ is
    /// 500 ppm and δ is 10 ms.
    package var staleness: Duration { lease + lease * 1_000 / 1_000_000 + .milliseconds(10) + fence }

    /// What is left of a lease at any moment at which nothing is the matter: it was asked for again at the latest one
    /// interval, a tenth of it, and a round trip ago.
    package var leaseInHand: Duration { lease - renewInterval * 11 / 10 - .milliseconds(30) }

    /// Once Redis grants leases again and can be reached, each validator holds one within this: the longest wait
    /// between two attempts to connect (half an interval), a renewal that comes an interval and a tenth after an answer
    /// that had come too late, 300 ms for the handshake, and for reading the live set 8 µs for each revocation in it,
    /// since all processes read it at once, on a machine that does other things too.
    package func regain(reading revocations: Int) -> Duration {
        renewInterval / 2 + renewInterval * 11 / 10 + .milliseconds(300) + .microseconds(8) * revocations
    }
}
