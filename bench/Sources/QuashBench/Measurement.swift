import Glibc

/// Times of one thing, round by round: time of this thread on a core, as `openssl speed` counts its own, so that what
/// else the machine does meanwhile counts little.
struct Measurement {
    /// Of one operation, one value a round.
    private(set) var nanoseconds: [Double] = []

    /// Adds a round: calls `body` until `seconds` have been used, and notes the time of one of the operations that it
    /// counts.
    mutating func round(seconds: Double = 1, _ body: () -> Int) {
        let start = Self.usedNanoseconds()
        var operationCount = 0
        var used = 0.0
        repeat {
            operationCount += body()
            used = Self.usedNanoseconds() - start
        } while used < seconds * 1e9
        add(nanosecondsPerOperation: used / Double(operationCount))
    }

    mutating func add(nanosecondsPerOperation: Double) {
        nanoseconds.append(nanosecondsPerOperation)
    }

    /// Adds the one round of something that is done once, and consists of so many operations.
    mutating func once(operations: Int, _ body: () throws -> Void) rethrows {
        let start = Self.usedNanoseconds()
        try body()
        add(nanosecondsPerOperation: (Self.usedNanoseconds() - start) / Double(operations))
    }

    private static func usedNanoseconds() -> Double {
        var time = timespec()
        // SAFETY: clock_gettime(2) fills the structure it is given.
        guard unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else {
            preconditionFailure("there is no clock of the thread")
        }
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}
