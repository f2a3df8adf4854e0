/// Makes a schedule that fails as short as it can be made while it still fails.
package struct Shrinking {
    /// Whether a shorter schedule still fails, in the same way.
    private let fails: (Schedule) -> Bool
    /// Courses that are tried at most.
    private var remaining = 600

    /// - Parameter fails: whether a schedule still fails in the same way.
    package init(whileItFails fails: @escaping (Schedule) -> Bool) { self.fails = fails }

    /// Shrinks towards a schedule that breaks the same promise.
    package init(towards violation: Violation) {
        self.init {
            Simulation.run($0).violation?.invariant == violation.invariant
        }
    }

    /// Without every step that is not needed: halves first, then ever smaller parts, then one by one.
    package mutating func shrink(_ schedule: Schedule) -> Schedule {
        var best = schedule
        var part = max(1, best.steps.count / 2)
        while true {
            let isShorter = drop(part, of: &best)
            if part > 1 { part /= 2 } else if !isShorter { break }
        }
        simplify(&best)
        return best
    }

    private mutating func drop(_ part: Int, of best: inout Schedule) -> Bool {
        var isShorter = false
        var start = 0
        while start < best.steps.count {
            var shorter = best
            shorter.steps.removeSubrange(start..<min(start + part, best.steps.count))
            if check(shorter) {
                best = shorter
                isShorter = true
            } else {
                start += part
            }
        }
        return isShorter
    }

    /// With what is usual instead of what is not.
    private mutating func simplify(_ best: inout Schedule) {
        var plainer = best
        plainer.redisWallError = 0
        if plainer != best, check(plainer) { best = plainer }
        plainer = best
        plainer.logCommits = 100
        if plainer != best, check(plainer) { best = plainer }
        plainer = best
        plainer.recordsPerRenewal = 500
        if plainer != best, check(plainer) { best = plainer }
    }

    private mutating func check(_ schedule: Schedule) -> Bool {
        guard remaining > 0 else { return false }
        remaining -= 1
        return fails(schedule)
    }
}
