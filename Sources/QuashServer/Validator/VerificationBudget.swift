/// How many signatures one loop verifies before it looks at its connections again.
///
/// A verification costs as much as three requests with a token that is known. So that a flood of forged tokens does not
/// keep everybody else waiting, only so many are made in a turn of the loop; and few, while most of them fail.
struct VerificationBudget {
    /// In one turn: 4 ms of work.
    static let normal = 256
    /// While most fail: a quarter of a millisecond.
    static let underAttack = 16
    private static let maxSuspicion = 64

    private var turn: UInt64 = 0
    private var spent = 0
    /// Goes up with each failure and down with each success.
    private var suspicion = 0

    var limit: Int { suspicion >= Self.maxSuspicion / 2 ? Self.underAttack : Self.normal }

    /// Whether another one may be made in this turn of the loop.
    mutating func allows(in turn: UInt64) -> Bool {
        if turn != self.turn {
            self.turn = turn
            spent = 0
        }
        return spent < limit
    }

    /// One was made.
    mutating func spend(failed: Bool) {
        spent += 1
        suspicion = failed ? min(suspicion + 1, Self.maxSuspicion) : max(suspicion - 1, 0)
    }
}
