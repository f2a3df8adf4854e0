import Glibc

/// Nanoseconds of a clock of this machine. Processes on one machine share both clocks.
package enum Clocks {
    /// Since 1970: what Redis stamps a commit with.
    package static var civil: Int64 { read(CLOCK_REALTIME) }

    /// For durations.
    package static var monotonic: Int64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // SAFETY: clock_gettime(2) fills the structure it is given.
        guard unsafe clock_gettime(clock, &time) == 0 else { preconditionFailure("there is no clock \(clock)") }
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Lets other threads have this one's core for a while.
    package static func sleep(microseconds: UInt32) { usleep(microseconds) }
}

/// How long `body` took, in seconds.
package func seconds(_ body: () throws -> Void) rethrows -> Double {
    let begun = Clocks.monotonic
    try body()
    return Double(Clocks.monotonic - begun) / 1e9
}

/// Asks `condition` every `microseconds` until it holds or the time is over.
package func wait(
    atMost limit: Double, every microseconds: UInt32 = 1000, until condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = Clocks.monotonic + Int64(limit * 1e9)
    while try !condition() {
        guard Clocks.monotonic < deadline else { return false }
        Clocks.sleep(microseconds: microseconds)
    }
    return true
}
