public import BenchResults

/// Two runs, figure by figure.
public struct Comparison: Sendable {
    /// What became of a figure.
    public enum Verdict: String, Sendable {
        case better
        case worse
        /// The ranges of the rounds overlap.
        case withinNoise = "within noise"
        /// A range needs two rounds in each run.
        case unknown = "too few rounds"
    }

    /// A figure that both runs have.
    public struct Row: Sendable {
        /// Of the two runs.
        public let first: Figure, second: Figure

        /// Nil where there is nothing to divide.
        public var ratio: Double? {
            guard !first.rounds.isEmpty, !second.rounds.isEmpty, first.median != 0 else { return nil }
            return second.median / first.median
        }

        /// A difference counts when every round of one run is on the same side of every round of the other.
        public var verdict: Verdict {
            guard first.rounds.count > 1, second.rounds.count > 1, let before = first.rounds.range,
                let after = second.rounds.range
            else { return .unknown }
            if before.overlaps(after) { return .withinNoise }
            let isHigher = after.lowerBound > before.upperBound
            return isHigher == (second.better == .higher) ? .better : .worse
        }
    }

    private struct Key: Hashable {
        let kind: Figure.Kind, group: String, subject: String, unit: String
        /// A subject may stand in its group several times.
        let occurrence: Int

        /// Of each figure, in order.
        static func all(_ figures: [Figure]) -> [(key: Key, figure: Figure)] {
            var counts: [Key: Int] = [:]
            return figures.map { figure in
                let first = Key(figure, occurrence: 0)
                defer { counts[first, default: 0] += 1 }
                return (Key(figure, occurrence: counts[first] ?? 0), figure)
            }
        }

        private init(_ figure: Figure, occurrence: Int) {
            kind = figure.kind
            group = figure.group
            subject = figure.subject
            unit = figure.unit
            self.occurrence = occurrence
        }
    }

    /// In the order of the second run.
    public let rows: [Row]
    /// Figures that the other run does not have.
    public let onlyInFirst: [Figure], onlyInSecond: [Figure]
    /// Why the two runs may not be comparable.
    public let warnings: [String]

    /// - Parameters:
    ///   - first: the earlier.
    ///   - second: the later, judged against the first.
    public init(_ first: Results, _ second: Results) {
        let (before, after) = (Key.all(first.figures), Key.all(second.figures))
        let earlier = Dictionary(before.map { ($0.key, $0.figure) }, uniquingKeysWith: { kept, _ in kept })
        let later = Set(after.map(\.key))
        rows = after.compactMap { key, figure in earlier[key].map { Row(first: $0, second: figure) } }
        onlyInFirst = before.filter { !later.contains($0.key) }.map(\.figure)
        onlyInSecond = after.filter { earlier[$0.key] == nil }.map(\.figure)
        warnings = Self.warnings(first.run, second.run)
    }

    private static func warnings(_ first: Run, _ second: Run) -> [String] {
        var warnings: [String] = []
        func compare(_ what: String, _ first: String, _ second: String) {
            if first != second { warnings.append("\(what) differ: \(first), \(second)") }
        }
        compare("processors", first.processor, second.processor)
        compare("numbers of cores", String(first.cores), String(second.cores))
        compare("sizes of memory", Number.count(first.memoryBytes), Number.count(second.memoryBytes))
        compare("kernels", first.kernel, second.kernel)
        if first.isQuick || second.isQuick { warnings.append("a quick run's rounds are few and short") }
        return warnings
    }

    /// A table, and what stands in only one run.
    public func text() -> String {
        var text = warnings.map { "warning: \($0)\n" }.joined()
        if !text.isEmpty { text += "\n" }
        text += table()
        let counts = [Verdict.better, .worse, .withinNoise, .unknown].compactMap { verdict -> String? in
            let count = rows.count { $0.verdict == verdict }
            return count > 0 ? "\(count) \(verdict.rawValue)" : nil
        }
        text += "\n" + (counts.isEmpty ? "no figure stands in both" : counts.joined(separator: ", ")) + "\n"
        for (run, figures) in [("A", onlyInFirst), ("B", onlyInSecond)] where !figures.isEmpty {
            text += "\nonly in \(run):\n"
            text += figures.map { "  \($0.group): \($0.subject), \($0.unit)\n" }.joined()
        }
        return text
    }

    private func table() -> String {
        let heads = ["figure", "subject", "unit", "A", "A's rounds", "B", "B's rounds", "B/A", "verdict"]
        let isNumeric = [false, false, false, true, true, true, true, true, false]
        let lines = [heads] + rows.map(cells)
        let widths = heads.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            let padded = cells.enumerated().map { index, cell in
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                return isNumeric[index] ? padding + cell : cell + padding
            }
            var line = padded.joined(separator: "  ")
            while line.hasSuffix(" ") { line.removeLast() }
            return line + "\n"
        }.joined()
    }

    private func cells(_ row: Row) -> [String] {
        let unit = Unit(row.second.unit, values: row.first.rounds + row.second.rounds)
        func spread(_ figure: Figure) -> String {
            guard let range = figure.rounds.range else { return "–" }
            return "\(unit.number(range.lowerBound))–\(unit.number(range.upperBound))"
        }
        return [
            row.second.group, row.second.subject, unit.name, unit.number(row.first.median), spread(row.first),
            unit.number(row.second.median), spread(row.second), row.ratio.map { Number.fixed($0, decimals: 3) } ?? "–",
            row.verdict.rawValue,
        ]
    }
}
