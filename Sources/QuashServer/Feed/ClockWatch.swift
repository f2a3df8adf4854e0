import Logging
import Quash
import QuashRedis

/// Compares the civil clock of this process with that of Redis, and says so: the driver of ``ClockAgreement``.
struct ClockWatch {
    private var agreement: ClockAgreement
    private let status: FeedStatus
    private let log: Logger
    private var isDifferenceTold = false
    private var hasAgreed = false

    init(maxDeviation: Duration, status: FeedStatus, log: Logger) {
        agreement = ClockAgreement(maxDeviation: maxDeviation)
        self.status = status
        self.log = log
        status.update { [agreement] in $0.clock = agreement }
    }

    /// The clock agreed when it was last compared, and was not set since.
    func holds(at now: ClockReading) -> Bool { agreement.holds(at: now) }

    /// Redis has said what time it has. One that does not say is believed to agree.
    mutating func compared(_ facts: ServerFacts, at now: ClockReading) -> ClockAgreement.Outcome {
        // What the clock was set by since the answer arrived is part of the difference.
        let elapsed = Duration.nanoseconds(now.wallNanoseconds) - .microseconds(facts.arrivedMicroseconds)
        let outcome = agreement.compared(lead: elapsed - (facts.clockLead ?? .zero), at: now)
        status.update { [agreement] in $0.clock = agreement }
        switch outcome {
        case .differs:
            if !isDifferenceTold {
                log.record(.clockWrong, ["error": "the clock is \(agreement.problem(at: now) ?? "")"])
            }
            isDifferenceTold = true
        case .agreesAnew:
            if hasAgreed || isDifferenceTold { log.record(.clockRight) }
            (hasAgreed, isDifferenceTold) = (true, false)
        case .agrees: break
        }
        return outcome
    }
}
