import Glibc

/// CLOCK_MONOTONIC, in nanoseconds: what the load is scheduled and measured by.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    // SAFETY: clock_gettime(2) fills the structure it is given.
    guard unsafe clock_gettime(CLOCK_MONOTONIC, &time) == 0 else {
        preconditionFailure("there is no monotonic clock")
    }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Asks `condition` again and again until it holds or `seconds` have passed.
///
/// - Returns: whether it came to hold.
func poll(seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = monotonicNanoseconds() + UInt64(seconds * 1e9)
    while try !condition() {
        guard monotonicNanoseconds() < deadline else { return false }
        usleep(10_000)
    }
    return true
}
