import Quash

/// Lets ten lines of a kind through within a second, so that whoever causes many does not fill the disk; of the others
/// only the number is told.
struct LineLimit {
    static let perSecond = 10

    private var second: Int64 = 0
    private var count = 0
    private var suppressed = 0

    /// - Returns: nil when the line is left out; otherwise how many were left out before it.
    mutating func admit(now: BootInstant = .now) -> Int? {
        let second = now.nanoseconds / 1_000_000_000
        if second != self.second { (self.second, count) = (second, 0) }
        count += 1
        guard count <= Self.perSecond else {
            suppressed += 1
            return nil
        }
        defer { suppressed = 0 }
        return suppressed
    }
}
