import Glibc
import QuashSimulation

/// The program behind `scripts/simulate`.
///
/// - `run <first seed> <schedules> <share> <shares>`: every so many of these schedules, from the share's own on. What
///   fails is printed, shrunk. The last line is `<passed> <failed>`.
/// - `find <first seed> <schedules>`: the first schedule that fails, as `<seed> <invariant>`; or `none`.
/// - `show <seed>`: all that happens in one schedule.
@main struct Simulate {
    /// Schedules that are shrunk and printed; of the others only the seed is.
    private static let maxShrunk = 3

    static func main() {
        let words = Array(CommandLine.arguments.dropFirst())
        let numbers = words.dropFirst().compactMap { UInt64($0) }
        switch (words.first, numbers.count) {
        case ("run", 4): run(first: numbers[0], count: numbers[1], share: numbers[2], of: numbers[3])
        case ("find", 2): find(first: numbers[0], count: numbers[1])
        case ("show", 1): show(numbers[0])
        default:
            print("usage: run <first> <count> <share> <shares> | find <first> <count> | show <seed>")
            exit(2)
        }
    }

    private static func run(first: UInt64, count: UInt64, share: UInt64, of shares: UInt64) {
        var (passed, failed) = (0, 0)
        for number in stride(from: share, to: count, by: Int(shares)) {
            let schedule = Simulation.schedule(first + number)
            let outcome = Simulation.run(schedule)
            if let violation = outcome.violation {
                failed += 1
                report(schedule, violation, isShrunk: failed <= maxShrunk)
            } else {
                passed += 1
            }
            if share == 0, number > 0, number % 2000 < shares { tell("\(number) of \(count) schedules") }
        }
        print("\(passed) \(failed)")
        exit(failed == 0 ? 0 : 1)
    }

    private static func report(_ schedule: Schedule, _ violation: Violation, isShrunk: Bool) {
        guard isShrunk else { return tell("seed \(schedule.seed) fails: \(violation)") }
        var shrinking = Shrinking(towards: violation)
        let shortest = shrinking.shrink(schedule)
        let outcome = Simulation.run(shortest)
        tell(
            """
            seed \(schedule.seed) fails: \(violation)
            shrunk to \(shortest)
            \(outcome.violation.map(\.description) ?? "")
            """)
    }

    private static func find(first: UInt64, count: UInt64) {
        for seed in first..<first + count {
            if let violation = Simulation.run(Simulation.schedule(seed)).violation {
                return print("\(seed) \(violation.invariant)")
            }
        }
        print("none")
    }

    private static func show(_ seed: UInt64) {
        let schedule = Simulation.schedule(seed)
        print(schedule)
        print(Simulation.run(schedule, isNoted: true).notes.joined(separator: "\n"))
    }

    private static func tell(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        // SAFETY: write(2) reads as many bytes as the array has. What it cannot write is not worth failing for.
        _ = unsafe bytes.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
    }
}
