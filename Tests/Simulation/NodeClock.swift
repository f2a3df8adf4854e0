import Quash

/// The two clocks of one machine, as functions of real time: a rate that is wrong by up to 500 ppm, a civil time that
/// somebody sets, a boot time that a hypervisor freezes.
struct NodeClock {
    /// Parts per million.
    private let rate: Int64
    private var origin: Instant = 0
    private var boot: Int64
    private var wallOffset: Int64
    /// The end of the last pause, and where it began: while it lasts, boot time stands and civil time goes on.
    private var pause: Range<Instant> = 0..<0

    /// The civil time at which every schedule begins, in seconds since 1970.
    static let startSeconds: Int64 = 1_800_000_000

    init(ratePPM: Int64, boot: Int64, wallError: Int64) {
        rate = ratePPM
        self.boot = boot
        wallOffset = Self.startSeconds * .second + wallError - boot
    }

    func reading(at instant: Instant) -> ClockReading {
        let now = bootTime(at: instant)
        let missed = pause.isEmpty ? 0 : max(0, min(instant, pause.upperBound) - pause.lowerBound)
        return ClockReading(boot: BootInstant(nanoseconds: now), wallNanoseconds: now + wallOffset + missed)
    }

    private func bootTime(at instant: Instant) -> Int64 {
        if pause.contains(instant) { return boot }
        let elapsed = max(0, instant - origin)
        return boot + elapsed + elapsed * rate / 1_000_000
    }

    private mutating func settle(at instant: Instant) {
        boot = bootTime(at: instant)
        origin = instant
    }

    mutating func setWall(by jump: Int64) { wallOffset += jump }

    /// The machine stands still, and does not know it by its boot time.
    mutating func pause(at instant: Instant, for length: Int64) {
        settle(at: instant)
        wallOffset += pause.isEmpty ? 0 : pause.upperBound - pause.lowerBound
        pause = instant..<instant + length
        origin = instant + length
    }
}
