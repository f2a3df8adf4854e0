/// A moment of libuv's monotonic clock, which is `CLOCK_MONOTONIC`: it never goes back, and it stands still while the
/// machine is suspended.
///
/// The pure state machines of QuashHTTP and QuashRedis take it as an argument, so that a test chooses the time.
package struct LoopInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since a point that the operating system chose; only differences mean anything.
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: LoopInstant, right: LoopInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `duration` later, or earlier when it is negative. Stops at the ends of the clock (584 years) instead
    /// of trapping, so that "never" can be written as a very long duration.
    package static func + (instant: LoopInstant, duration: Duration) -> LoopInstant {
        let offset = duration.clampedNanoseconds
        let (sum, overflow) =
            offset >= 0
            ? instant.nanoseconds.addingReportingOverflow(offset.magnitude)
            : instant.nanoseconds.subtractingReportingOverflow(offset.magnitude)
        return LoopInstant(nanoseconds: overflow ? (offset >= 0 ? .max : 0) : sum)
    }

    /// The time from `right` to `left`; negative when `left` is the earlier one.
    package static func - (left: LoopInstant, right: LoopInstant) -> Duration {
        left >= right
            ? .nanoseconds(Int64(clamping: left.nanoseconds - right.nanoseconds))
            : .zero - .nanoseconds(Int64(clamping: right.nanoseconds - left.nanoseconds))
    }
}

extension Duration {
    /// Whole nanoseconds, held within `Int64` (292 years).
    var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }

    /// Whole milliseconds, rounded up, as libuv's timers want them: a timer may fire late, never early. Negative is 0.
    var timerMilliseconds: UInt64 {
        let nanoseconds = max(clampedNanoseconds, 0)
        return UInt64(nanoseconds / 1_000_000) + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
    }
}
