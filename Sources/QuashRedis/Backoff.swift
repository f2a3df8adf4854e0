/// How long to wait before a connection is tried again: doubled with each failure up to a ceiling, and spread by
/// chance, so that ten thousand clients which lost one server do not all come back at the same moment.
struct Backoff: Equatable, Sendable {
    let first: Duration
    let ceiling: Duration
    private(set) var failures = 0

    init(first: Duration = .milliseconds(50), ceiling: Duration = .seconds(2)) {
        self.first = first
        self.ceiling = ceiling
    }

    /// The wait before the next attempt: from half of the doubled time to the whole of it.
    ///
    /// - Parameter random: any 64 bits, evenly spread.
    mutating func next(random: UInt64) -> Duration {
        // Beyond 2^20 times the first wait, every ceiling is reached.
        let whole = min(ceiling, first * (1 << min(failures, 20)))
        failures += 1
        // 32 bits are as fine as a nanosecond of 4 s, and their product with the wait stays far below the limits of
        // Duration.
        return whole / 2 + whole / 2 * Int(random >> 32) / Int(UInt32.max)
    }

    /// The connection held: the next failure is the first again.
    mutating func reset() {
        failures = 0
    }
}
