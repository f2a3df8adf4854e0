import Synchronization

/// A grant of the right to accept tokens (invariant S4): from the moment the request for it was sent.
public struct LeaseGrant: Hashable, Sendable {
    /// When the request was sent.
    public let sent: BootInstant
    /// The first instant at which nothing may be accepted any more.
    public let end: BootInstant
    /// Civil time minus boot time when the request was sent, in nanoseconds.
    public let clockOffsetNanoseconds: Int64

    /// A grant of `length` that was asked for at `sent`: it counts from then, not from its arrival.
    public init(sent: ClockReading, length: Duration) {
        self.sent = sent.boot
        end = sent.boot + length
        clockOffsetNanoseconds = sent.offsetNanoseconds
    }

    /// The right has not ended at `now`, and the two clocks did not part by more than ``maxClockJump`` since the grant.
    public func holds(at now: ClockReading) -> Bool {
        Self.holds(at: now, end: end, clockOffsetNanoseconds: clockOffsetNanoseconds)
    }

    /// The two clocks did not part by more than `limit` since the grant.
    fileprivate static func parted(at now: ClockReading, since clockOffsetNanoseconds: Int64, by limit: UInt64) -> Bool
    {
        (now.offsetNanoseconds - clockOffsetNanoseconds).magnitude > limit
    }

    fileprivate static func holds(at now: ClockReading, end: BootInstant, clockOffsetNanoseconds: Int64) -> Bool {
        now.boot < end && !parted(at: now, since: clockOffsetNanoseconds, by: maxClockJumpNanoseconds)
    }

    /// A greater jump between the civil and the boot clock means that one of them was set, or that the machine was
    /// frozen without CLOCK_BOOTTIME noticing: then how much of the lease is left is unknown, and it counts as ended.
    /// 100 ms.
    public static let maxClockJump: Duration = .milliseconds(100)
    private static let maxClockJumpNanoseconds = UInt64(maxClockJump.wholeNanoseconds)
}

/// The lease of this process, written by the feed's thread and read in every decision, without a lock. It is of the
/// process that made it: a forked child, which has no feed's thread, never holds it.
public final class Lease: Sendable {
    private let birth = BirthProcess()
    private let end = Atomic<Int64>(.min)
    private let clockOffset = Atomic<Int64>(Snapshot.noOffset)

    /// A lease that has ended.
    public init() {}

    /// Extends the lease. The offset is stored first, so that a reader with the new end has the new offset too; one
    /// with the old end and the new offset judges the old end against a later reading of the clocks, which is as good.
    public func extend(_ grant: LeaseGrant) {
        clockOffset.store(grant.clockOffsetNanoseconds, ordering: .relaxed)
        end.store(grant.end.nanoseconds, ordering: .releasing)
    }

    /// Ends the lease now, for a validator that knows it must not go on.
    public func drop() {
        end.store(.min, ordering: .sequentiallyConsistent)
    }

    /// Whether tokens may be accepted at `now`. The reading must be fresh and this check the last of a decision
    /// (invariant S0): a flag set by a timer is still up in a process that was stopped before the timer ran.
    public func holds(at now: ClockReading) -> Bool { remaining(at: now) > .zero }

    /// The lease as it is now, for a decision that begins.
    var snapshot: Snapshot {
        let end = BootInstant(nanoseconds: end.load(ordering: .acquiring))
        return Snapshot(end: end, clockOffsetNanoseconds: clockOffset.load(ordering: .relaxed))
    }

    /// A lease at one instant. What extends the lease later came with revocations that a decision may have missed.
    struct Snapshot {
        fileprivate let end: BootInstant
        fileprivate let clockOffsetNanoseconds: Int64
        /// Before the first grant.
        fileprivate static let noOffset: Int64 = 0

        /// Whether there was ever a lease.
        var hasBegun: Bool { clockOffsetNanoseconds != Self.noOffset }

        /// Whether the civil clock was set by more than `limit`, in nanoseconds, since the last grant. Grants are asked
        /// for only while it agrees with that of Redis, so otherwise it may be believed, though the lease has ended.
        func isClockSet(at now: ClockReading, by limit: UInt64) -> Bool {
            LeaseGrant.parted(at: now, since: clockOffsetNanoseconds, by: limit)
        }

        func holds(at now: ClockReading) -> Bool {
            LeaseGrant.holds(at: now, end: end, clockOffsetNanoseconds: clockOffsetNanoseconds)
        }
    }

    /// Time left at `now`, zero when it has ended.
    public func remaining(at now: ClockReading) -> Duration {
        guard birth.isCurrent else { return .zero }
        let snapshot = snapshot
        return snapshot.holds(at: now) ? snapshot.end - now.boot : .zero
    }
}
