import Quash

/// The sizes of things: a tenth of the defaults, so that much happens in little time.
struct Settings {
    static let lease = 500 * Int64.millisecond
    static let renewInterval = 100 * Int64.millisecond
    static let answerTimeout = 200 * Int64.millisecond
    /// Between two looks of an issuer at whether the live set has what it holds.
    static let auditInterval = 400 * Int64.millisecond
    /// What a clock's jump may add to a lease, and a little: as `Fleet.margin`.
    static let margin = 110 * Int64.millisecond

    let feed = Feed.Settings(
        lease: .nanoseconds(Self.lease), renewInterval: .nanoseconds(Self.renewInterval))
    let limits: ModelRedis.Limits
    let answerTimeout = Self.answerTimeout
    let expiryInterval = 150 * Int64.millisecond
    let inspectionInterval = 1500 * Int64.millisecond
    let unfitInspectionInterval = 200 * Int64.millisecond
    let leaseMilliseconds = Self.lease / .millisecond
    /// L(1+2ρ)+δ+F: so long after it was stored, a revocation is applied wherever a lease holds.
    let staleness: Int64

    init(_ schedule: Schedule) {
        var limits = ModelRedis.Limits()
        limits.logCommits = schedule.logCommits
        limits.recordsPerRenewal = schedule.recordsPerRenewal
        self.limits = limits
        staleness = Self.lease + Self.lease / 1000 + Self.margin + schedule.fence
    }
}
