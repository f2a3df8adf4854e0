/// How much is measured.
struct Plan {
    let isQuick: Bool
    let rounds: Int
    /// Of one subject in one round.
    let seconds: Double
    /// Before the first round, of each subject: programs that compile themselves while they run need it.
    let warmUpSeconds: Double
    let coldTokens = 60_000
    /// Forged tokens a second.
    let floodRate = 10_000.0
    /// Revocations a second of a feed that is busy.
    let feedRate = 10_000
    /// Of a validator that has many.
    let manyRevocations: Int
    /// After which everything is ended, whatever it does.
    let limitSeconds: Int

    init(isQuick: Bool) {
        self.isQuick = isQuick
        rounds = isQuick ? 3 : 5
        seconds = isQuick ? 2 : 8
        warmUpSeconds = isQuick ? 1 : 3
        manyRevocations = isQuick ? 1_000_000 : 10_000_000
        limitSeconds = isQuick ? 15 * 60 : 60 * 60
    }
}
