/// Counts failures of one step that repeat: an error that Redis gives again and again is no passing one.
struct RepeatedFailures {
    /// Of so many refusals, one after the other, the data is the reason.
    static let most = 3

    private var failures = 0
    private var refusals = 0

    /// Whether so many have failed, one after the other, for whatever reason.
    var isReached: Bool { failures >= Self.most }

    /// - Parameter isRefused: whether the data may be the reason.
    /// - Returns: each time that so many have been refused, true.
    mutating func failed(isRefused: Bool) -> Bool {
        failures += 1
        guard isRefused else { return false }
        refusals += 1
        return refusals.isMultiple(of: Self.most)
    }

    mutating func succeeded() { (failures, refusals) = (0, 0) }
}

/// How soon an issuer may begin another epoch because the data of the last one was damaged.
///
/// The first may follow at once. Whoever can damage the data, or say so, could otherwise keep a whole fleet reading the
/// live set: so the wait doubles with each epoch, up to a limit, and begins anew after a quiet time.
struct EpochPace {
    static let first: Duration = .milliseconds(250)
    static let longest: Duration = .seconds(10)
    static let quiet: Duration = .seconds(60)

    private var jitter: SystemJitter
    private var wait: Duration = .zero
    private var last: BootInstant?
    /// None may be begun before.
    private(set) var earliest: BootInstant?

    /// `seed` is that of the jitter.
    init(seed: UInt64) { jitter = SystemJitter(state: seed) }

    func allows(at now: BootInstant) -> Bool { earliest.map { now >= $0 } ?? true }

    /// One was begun.
    mutating func begun(at now: BootInstant) {
        let isQuiet = last.map { now >= $0 + Self.quiet } ?? true
        wait = isQuiet ? Self.first : min(wait * 2, Self.longest)
        last = now
        earliest = now + wait + jitter.next(below: wait / 2)
    }
}
