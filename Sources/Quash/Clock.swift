import Glibc

/// A point on CLOCK_BOOTTIME, in nanoseconds since the machine started (clock_gettime(2)). Leases are judged by it: it
/// goes on while the machine sleeps and no administrator can set it.
public struct BootInstant: Hashable, Comparable, Sendable {
    /// Since the machine started.
    public let nanoseconds: Int64

    /// The instant `nanoseconds` after the start of the machine.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    public static func < (left: BootInstant, right: BootInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    public static func + (left: BootInstant, right: Duration) -> BootInstant {
        BootInstant(nanoseconds: left.nanoseconds + right.wholeNanoseconds)
    }

    public static func - (left: BootInstant, right: BootInstant) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }
}

/// A point in civil time, in milliseconds since 1970-01-01 UTC. Token times and retention are judged by it.
public struct WallInstant: Hashable, Comparable, Sendable {
    /// Since 1970-01-01 UTC.
    public let milliseconds: Int64

    /// The instant `milliseconds` after 1970-01-01 UTC.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// - Parameter seconds: a NumericDate of RFC 7519 §2, whole seconds.
    public init(seconds: Int64) {
        milliseconds = seconds * 1000
    }

    /// Whole seconds since 1970, rounded down.
    public var seconds: Int64 { milliseconds / 1000 }

    public static func < (left: WallInstant, right: WallInstant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    public static func + (left: WallInstant, right: Duration) -> WallInstant {
        WallInstant(milliseconds: left.milliseconds + right.wholeNanoseconds / 1_000_000)
    }
}

/// Both clocks, read one directly after the other.
public struct ClockReading: Hashable, Sendable {
    /// CLOCK_BOOTTIME.
    public let boot: BootInstant
    /// CLOCK_REALTIME, in nanoseconds since 1970-01-01 UTC.
    public let wallNanoseconds: Int64

    /// Two readings that belong together.
    public init(boot: BootInstant, wallNanoseconds: Int64) {
        self.boot = boot
        self.wallNanoseconds = wallNanoseconds
    }

    /// The civil time, to the millisecond.
    public var wall: WallInstant { WallInstant(milliseconds: wallNanoseconds / 1_000_000) }

    /// Civil time minus boot time, in nanoseconds: constant but for slewing (at most 500 ppm) while nobody sets the
    /// clock and no hypervisor freezes the machine.
    public var offsetNanoseconds: Int64 { wallNanoseconds - boot.nanoseconds }

    /// Reads CLOCK_BOOTTIME and CLOCK_REALTIME now. About 50 ns: both are served by the vDSO, without a system call.
    public static func now() -> ClockReading {
        ClockReading(
            boot: BootInstant(nanoseconds: nanoseconds(of: CLOCK_BOOTTIME)),
            wallNanoseconds: nanoseconds(of: CLOCK_REALTIME))
    }

    private static func nanoseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        // SAFETY: clock_gettime(2) fills the structure it is given; both clocks exist on every Linux since 2.6.39.
        guard unsafe clock_gettime(clock, &time) == 0 else { preconditionFailure("clock_gettime failed for \(clock)") }
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Duration {
    /// The duration in nanoseconds; exact for spans under 292 years.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    /// The duration in whole milliseconds, rounded down.
    public var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
}
