/// By whose clock the time is given up to which a revocation covers what was issued.
public enum BoundClock: Hashable, Sendable {
    /// By that of the issuer which took the revocation, or of whoever asked it to.
    case ours
    /// By that of the provider which signs the tokens: `iat` is a time of the same clock.
    case provider
}

/// The strictest of all bounds that were given for one key, as one integer, so that readers need one load.
///
/// Two cuts are kept: the latest bound by our clock, and the latest of all. A token that says to the millisecond when
/// it was issued is ours and is covered up to the latest of all. Of another's, the provider's clock may be ahead by the
/// tolerance, so it is covered up to our bound plus the tolerance, too.
///
/// | bits | |
/// |---|---|
/// | 47 | the bound by our clock, milliseconds since 1970 |
/// | 16 | how much later the latest of all is, in milliseconds |
///
/// A bound by the provider's clock alone stands for one of ours that is earlier by the greatest difference that fits,
/// 65.535 s. That adds nothing, because no tolerance is longer.
struct IssueBound: Hashable {
    /// Not negative; greater when either cut is later.
    let packed: Int64

    /// Longer tolerances would make a bound by the provider's clock cover more than it says.
    static let maxTolerance: Duration = .seconds(60)
    /// The bounds that fit, in milliseconds since 1970: until the year 6429.
    static let milliseconds: ClosedRange<Int64> = 0...((1 << 47) - 1)
    private static let maxDifference: Int64 = 0xFFFF

    init(packed: Int64) {
        self.packed = packed
    }

    init(_ bound: WallInstant, by clock: BoundClock) {
        let latest = min(max(bound.milliseconds, 0), Self.milliseconds.upperBound)
        let ours = clock == .ours ? latest : max(0, latest - Self.maxDifference)
        self.init(ours: ours, latest: latest)
    }

    private init(ours: Int64, latest: Int64) {
        packed = ours << 16 | (latest - ours)
    }

    private var ours: Int64 { packed >> 16 }
    private var latest: Int64 { ours + (packed & Self.maxDifference) }

    /// What either covers, and nothing more.
    func joined(with other: IssueBound) -> IssueBound {
        IssueBound(ours: max(ours, other.ours), latest: max(latest, other.latest))
    }

    /// Whether it covers what says that it was issued at `issuedAt`.
    ///
    /// - Parameter toleranceMilliseconds: how far the clock that wrote this may be ahead of ours.
    func covers(_ issuedAt: WallInstant, toleranceMilliseconds: Int64) -> Bool {
        issuedAt.milliseconds <= max(latest, ours + toleranceMilliseconds)
    }

    /// The bounds that make it up again.
    var bounds: [(instant: WallInstant, clock: BoundClock)] {
        let byOurs = (instant: WallInstant(milliseconds: ours), clock: BoundClock.ours)
        let byTheirs = (instant: WallInstant(milliseconds: latest), clock: BoundClock.provider)
        if latest == ours { return [byOurs] }
        return latest - ours == Self.maxDifference || ours == 0 ? [byTheirs] : [byOurs, byTheirs]
    }
}
