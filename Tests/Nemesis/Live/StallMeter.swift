import Glibc
import NemesisHistory
import Quash
import QuashLoop
import TestSupport

/// Finds out when this machine itself stood still: threads that want to sleep for two milliseconds and say when they
/// slept longer, and one that wants a byte to be on the disk and says when that took long. The others of a shared
/// machine are no fault of the fleet.
final class StallMeter: Sendable {
    private static let nap: Duration = .milliseconds(2)
    /// Shorter ones are within the 30 ms that a lease in hand leaves for them.
    private static let least: Duration = .milliseconds(10)

    private let isStopped = Locked(false)
    private let total = Locked(Duration.zero)

    /// - Parameter folder: on the disk that the fleet writes to.
    /// - Parameter found: called on a thread of the meter.
    init(folder: TemporaryFolder, found: @escaping @Sendable (TimeSpan) -> Void) {
        let report: @Sendable (BootInstant, Duration) -> Void = { [total] start, expected in
            let now = ClockReading.now().boot
            let late = now - start - expected
            guard late >= Self.least else { return }
            total.withLock { $0 += late }
            found(TimeSpan(start, now))
        }
        for _ in 0..<2 { _ = TestThread { [isStopped] in Self.sleep(until: isStopped, report) } }
        let file = folder.path("stall-meter")
        _ = TestThread { [isStopped] in Self.write(to: file, until: isStopped, report) }
    }

    func stop() { isStopped.withLock { $0 = true } }

    /// All that was found.
    var sum: Duration { total.withLock { $0 } }

    private static func sleep(until isStopped: Locked<Bool>, _ report: (BootInstant, Duration) -> Void) {
        while !isStopped.withLock({ $0 }) {
            let start = ClockReading.now().boot
            usleep(UInt32(nap / .microseconds(1)))
            report(start, nap)
        }
    }

    private static func write(to path: String, until isStopped: Locked<Bool>, _ report: (BootInstant, Duration) -> Void)
    {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        defer { close(file) }
        var byte: UInt8 = 0
        while !isStopped.withLock({ $0 }) {
            usleep(20_000)
            let start = ClockReading.now().boot
            // The file grows, as those of Redis and the issuers do: then its length has to get to the disk too, and
            // that waits for whatever else the file system's journal holds.
            _ = unsafe Glibc.write(file, &byte, 1)
            _ = fdatasync(file)
            report(start, .milliseconds(10))
        }
    }
}
