/// Spreads what many nodes would otherwise do at the same instant. SplitMix64: a seed gives the same spread again.
struct SystemJitter: Sendable {
    var state: UInt64

    mutating func next(below limit: Duration) -> Duration {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        word ^= word >> 31
        return .nanoseconds(Int64(word % UInt64(max(1, limit.wholeNanoseconds))))
    }
}
