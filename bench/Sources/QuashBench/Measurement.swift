import Glibc

/// Times of one thing, round by round: time of this thread on a core, as `openssl speed` counts its own, so that what
/// else the machine does meanwhile counts little.
struct Measurement {
    private var nanoseconds: [Double] = []

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

    /// Of one operation: the median of the rounds, in nanoseconds.
    var median: Double { nanoseconds.sorted()[nanoseconds.count / 2] }

    /// Operations per second on one core.
    var rate: Int { Int(1e9 / median) }

    private static func usedNanoseconds() -> Double {
        var time = timespec()
        // SAFETY: clock_gettime(2) fills the structure it is given.
        guard unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else {
            preconditionFailure("there is no clock of the thread")
        }
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}

/// The quotient of two figures, with two digits after the point.
func ratio(_ part: Double, _ whole: Double) -> String {
    let hundredths = Int((part / whole * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
}
