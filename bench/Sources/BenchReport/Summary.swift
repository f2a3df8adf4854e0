import BenchResults

/// The figures that stand in one plot.
struct FigureGroup {
    let kind: Figure.Kind
    let name: String
    let better: Figure.Better
    let unit: Unit
    /// The best first; those without a value last.
    let figures: [Figure]

    /// The groups in the order in which they first appear.
    static func all(_ figures: [Figure], of kind: Figure.Kind) -> [FigureGroup] {
        let ofKind = figures.filter { $0.kind == kind }
        return grouped(ofKind) { [$0.group, $0.unit, $0.better.rawValue] }.map { FigureGroup(kind: kind, figures: $0) }
    }

    /// - Parameter figures: at least one, and all of one group, unit and direction.
    private init(kind: Figure.Kind, figures: [Figure]) {
        let first = figures[0]
        self.kind = kind
        name = first.group.capitalised
        better = first.better
        unit = Unit(first.unit, values: figures.flatMap(\.rounds))
        let measured = figures.filter { !$0.rounds.isEmpty }
        let sorted = measured.enumerated().sorted { left, right in
            let (leftMedian, rightMedian) = (left.element.median, right.element.median)
            if leftMedian == rightMedian { return left.offset < right.offset }
            return first.better == .higher ? leftMedian > rightMedian : leftMedian < rightMedian
        }
        self.figures = sorted.map(\.element) + figures.filter(\.rounds.isEmpty)
    }

    var direction: String { better == .higher ? "higher is better" : "lower is better" }

    /// What the others are compared with: the best of Quash's own.
    var reference: Figure? { figures.first { $0.subject.isQuash && !$0.rounds.isEmpty } }

    /// How a figure stands to the reference; empty when there is none.
    func ratio(_ figure: Figure) -> String {
        guard let reference, !figure.rounds.isEmpty, reference.median != 0 else { return "" }
        return Unit("", largest: 0).text(figure.median / reference.median)
    }

    /// One round, or how many at least and at most.
    var roundCount: String {
        let counts = figures.map(\.rounds.count).filter { $0 > 0 }
        guard let low = counts.min(), let high = counts.max() else { return "no rounds" }
        if low != high { return "\(low) to \(high) rounds" }
        return low == 1 ? "1 round" : "\(low) rounds"
    }
}

/// Whether a goal was reached, in words.
struct GoalSummary {
    enum Outcome: String { case reached = "Reached", missed = "Missed", notMeasured = "Not measured" }

    let goal: Goal
    let outcome: Outcome
    /// With what it was missed by.
    let verdict: String
    let limit: String
    let measured: String
    let spread: String

    init(_ goal: Goal) {
        self.goal = goal
        let unit = Unit(goal.unit, values: goal.rounds + [goal.limit])
        limit = "\(goal.relation.rawValue)\u{a0}\(unit.short(goal.limit))"
        measured = goal.rounds.isEmpty ? "–" : unit.text(goal.rounds.median)
        spread = goal.rounds.count == 1 ? "one round" : unit.spread(goal.rounds)
        switch goal.isReached {
        case nil:
            outcome = .notMeasured
            verdict = outcome.rawValue
        case true?:
            outcome = .reached
            let isInEveryRound = goal.rounds.allSatisfy {
                goal.relation == .atLeast ? $0 >= goal.limit : $0 <= goal.limit
            }
            verdict = isInEveryRound ? outcome.rawValue : "Reached, not in every round"
        case false?:
            outcome = .missed
            verdict = "Missed by \(Self.miss(goal, unit))"
        }
    }

    private static func miss(_ goal: Goal, _ unit: Unit) -> String {
        let miss = abs(goal.rounds.median - goal.limit)
        guard goal.limit != 0 else { return unit.text(miss) }
        let percent = miss / abs(goal.limit) * 100
        if percent >= 200 { return "a factor of \(Number.text(goal.rounds.median / goal.limit))" }
        return (percent < 10 ? Number.fixed(percent, decimals: 1) : Number.fixed(percent, decimals: 0)) + "\u{a0}%"
    }

    /// How many of all were reached, and what became of the others: `9 of 12` and `2 missed, 1 not measured here`.
    static func overview(_ goals: [GoalSummary]) -> (reached: String, rest: String) {
        let missed = goals.count { $0.outcome == .missed }
        let unmeasured = goals.count { $0.outcome == .notMeasured }
        let rest = [missed > 0 ? "\(missed) missed" : "", unmeasured > 0 ? "\(unmeasured) not measured here" : ""]
            .filter { !$0.isEmpty }.joined(separator: ", ")
        return ("\(goals.count - missed - unmeasured) of \(goals.count)", rest)
    }
}

extension [Check] {
    var total: UInt64 { reduce(0) { $0 &+ $1.count } }
    var failures: UInt64 { reduce(0) { $0 &+ $1.failures } }
}

extension Run {
    /// What a reader must know before any figure.
    var facts: [(name: String, value: String)] {
        let memory = Number.text(Double(memoryBytes) / 1_073_741_824)
        return [
            ("Date", date), ("Commit", shortCommit), ("Processor", processor),
            ("Cores", String(cores)), ("Memory", "\(memory)\u{a0}GiB"), ("Kernel", kernel),
        ]
    }
}

extension Run {
    /// Enough digits to find it, and the mark of a changed work tree.
    var shortCommit: String { String(commit.prefix(12)) + (commit.count > 12 && commit.hasSuffix("+") ? "+" : "") }
}

extension Figure.Kind {
    /// In the order of the report: what a gateway sees first.
    static var reported: [Figure.Kind] { [.load, .fleet, .micro] }

    var heading: String {
        switch self {
        case .load: "Under load"
        case .fleet: "In a fleet"
        case .micro: "In a process"
        }
    }

    var introduction: String {
        switch self {
        case .load: "Requests over HTTP, and what one costs, beside other ways to do the same."
        case .fleet: "Issuers, validators and Redis together: how revocations travel, and what they cost."
        case .micro: "What one core does, without a network."
        }
    }
}

extension String {
    /// With a capital, as a heading or a sentence begins; names keep their small letter.
    var capitalised: String {
        let word = prefix { $0.isLowercase && $0.isASCII }
        let names: Set<Substring> = ["quash", "nginx", "openssl", "libuv", "wrk", "jti", "p"]
        return word.isEmpty || names.contains(word) ? self : word.prefix(1).uppercased() + dropFirst()
    }

    /// Whether a subject is Quash, a variant of it, or something that uses it.
    var isQuash: Bool { lowercased().contains("quash") }
}

/// Elements with the same key together, in the order in which each key first appears.
func grouped<Element, Key: Hashable>(_ elements: [Element], by key: (Element) -> Key) -> [[Element]] {
    var positions: [Key: Int] = [:]
    var groups: [[Element]] = []
    for element in elements {
        let key = key(element)
        if let position = positions[key] {
            groups[position].append(element)
        } else {
            positions[key] = groups.count
            groups.append([element])
        }
    }
    return groups
}
