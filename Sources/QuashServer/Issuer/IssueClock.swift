import Quash

/// The times of an issuer's tokens and of its bounds, in one order, whatever the civil clock does within small steps:
/// a bound covers every token that was issued before it, and no token that is issued after it.
///
/// - SeeAlso: S. Kulkarni et al., «Logical Physical Clocks», OPODIS 2014: the same thought, for one process.
struct IssueClock {
    /// How far ahead of the clock a bound, and with it a token, may be.
    private let maxLead: Duration
    private var latestBound = WallInstant(milliseconds: -1)
    private var latestIssued = WallInstant(milliseconds: 0)

    init(maxLead: Duration) {
        self.maxLead = maxLead
    }

    /// The time at which a token is issued: now, but after every bound.
    mutating func issue(now: WallInstant) -> WallInstant {
        forgetWrongTimes(now)
        let time = max(now, WallInstant(milliseconds: latestBound.milliseconds + 1))
        latestIssued = max(latestIssued, time)
        return time
    }

    /// The bound of a revocation of what was issued until now: no token that was issued is later.
    mutating func bound(now: WallInstant) -> WallInstant {
        forgetWrongTimes(now)
        let bound = max(now, latestIssued)
        note(bound: bound)
        return bound
    }

    /// Something is revoked by a bound that the caller has chosen.
    mutating func note(bound: WallInstant) { latestBound = max(latestBound, bound) }

    /// A time that is further ahead was read from a clock that was wrong, and has been corrected since: what is dated
    /// after it would be good nowhere until then.
    private mutating func forgetWrongTimes(_ now: WallInstant) {
        guard max(latestBound, latestIssued) > now + maxLead else { return }
        (latestBound, latestIssued) = (WallInstant(milliseconds: -1), WallInstant(milliseconds: 0))
    }
}
