/// Whether the civil clock of this process may be believed, as a pure state machine: comparisons with the clock of
/// Redis in, one statement out.
///
/// A comparison holds for as long as civil time and boot time do not part: CLOCK_BOOTTIME cannot be set, so a civil
/// clock that is set afterwards is noticed without asking anyone. A clock that disagrees may be wrong, or that of Redis
/// may; nobody can tell which, so neither is believed.
///
/// While agreement lasts, no time was read that is ahead of the clock by more than ``maxDeviation``. When it begins
/// anew, the greatest time seen may be any time: whoever keeps one discards it, with all that was dropped by it.
public struct ClockAgreement: Sendable {
    /// Differences up to this are none.
    public let maxDeviation: Duration
    /// How far this clock was certainly ahead of that of Redis when they were last compared; negative when it was
    /// behind; nil before the first time.
    public private(set) var lead: Duration?
    /// Civil time minus boot time, in nanoseconds, when the clocks were first found to agree; nil while they do not.
    private var offset: Int64?

    /// Nothing was compared yet.
    public init(maxDeviation: Duration) {
        self.maxDeviation = maxDeviation
    }

    /// What a comparison came to.
    public enum Outcome: Equatable, Sendable {
        case differs
        /// The clocks agree, and did not before, or this one was set meanwhile: what was read before is void.
        case agreesAnew
        case agrees
    }

    /// The clocks were compared.
    ///
    /// - Parameter lead: how far this one was certainly ahead of that of Redis; negative when it was behind.
    /// - Parameter now: the reading of this one that was compared.
    public mutating func compared(lead: Duration, at now: ClockReading) -> Outcome {
        self.lead = lead
        guard lead <= maxDeviation, lead >= .zero - maxDeviation else {
            offset = nil
            return .differs
        }
        if holds(at: now) { return .agrees }
        offset = now.offsetNanoseconds
        return .agreesAnew
    }

    /// The clocks agreed when they were last compared, and this one was not set since.
    public func holds(at now: ClockReading) -> Bool {
        guard let offset else { return false }
        return (now.offsetNanoseconds - offset).magnitude <= UInt64(maxDeviation.wholeNanoseconds)
    }

    /// Why the clock is not believed at `now`, in words; nil when it is.
    public func problem(at now: ClockReading) -> String? {
        if holds(at: now) { return nil }
        guard let lead else { return "not compared with that of Redis yet" }
        guard offset == nil else { return "was set, and is not compared with that of Redis yet" }
        let (seconds, attoseconds) = lead.components
        let milliseconds = (seconds * 1000 + attoseconds / 1_000_000_000_000_000).magnitude
        return "\(milliseconds) ms \(lead < .zero ? "behind" : "ahead of") that of Redis"
    }
}
