public import BenchResults

/// The results of one run for a README: the goals, the figures and the checks as tables.
public enum MarkdownReport {
    /// The same text for the same results.
    public static func render(_ results: Results) -> String {
        let parts = [
            circumstances(results.run), goals(results.goals), figures(results.figures),
            latencies(results.curves), checks(results.checks), absent(results.absent),
        ]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private static func circumstances(_ run: Run) -> String {
        let memory = Number.text(Double(run.memoryBytes) / 1_073_741_824)
        let kind = run.isQuick ? "A quick run" : "One run"
        let machine = "\(run.cores) cores of \(run.processor), \(memory) GiB, \(run.kernel)"
        return """
            \(Table.escape("\(kind) of commit \(run.shortCommit) on \(run.date): \(machine)")).
            Medians of the rounds; the range is from the smallest to the largest. Ratios within this run count; absolute \
            figures do not travel.

            """
    }

    private static func goals(_ goals: [Goal]) -> String {
        guard !goals.isEmpty else { return "" }
        let summaries = goals.map(GoalSummary.init)
        var table = Table(["Goal", "Against", "Reach", "Median", "Range", "Result"], numericFrom: 2)
        table.isNumeric[5] = false
        table.rows = summaries.map { summary in
            let note = summary.goal.note.isEmpty ? "" : ": \(summary.goal.note)"
            let verdict = summary.outcome == .reached ? summary.verdict : "**\(summary.verdict)**"
            return [
                summary.goal.what.capitalised, summary.goal.against, summary.limit, summary.measured, summary.spread,
                verdict + note,
            ]
        }
        let overview = GoalSummary.overview(summaries)
        let rest = overview.rest.isEmpty ? "" : ", \(overview.rest)"
        return "### Goals\n\n\(overview.reached) reached\(rest).\n\n\(table.markdown())"
    }

    private static func figures(_ figures: [Figure]) -> String {
        let parts = Figure.Kind.reported.compactMap { kind -> String? in
            let groups = FigureGroup.all(figures, of: kind)
            guard !groups.isEmpty else { return nil }
            var table = Table(["What", "Subject", "Median", "Range"], numericFrom: 2)
            table.rows = groups.flatMap(rows)
            return "### \(kind.heading)\n\n\(table.markdown())"
        }
        return parts.joined(separator: "\n")
    }

    /// The group is named in its first row, and Quash stands out.
    private static func rows(_ group: FigureGroup) -> [[String]] {
        group.figures.enumerated().map { index, figure in
            let median = figure.rounds.isEmpty ? "not measured" : group.unit.text(figure.median)
            return [
                index == 0 ? group.name : "", emphasised(figure.subject),
                figure.subject.isQuash ? "**\(median)**" : median, group.unit.bareSpread(figure.rounds),
            ]
        }
    }

    private static func emphasised(_ subject: String) -> String { subject.isQuash ? "**\(subject)**" : subject }

    private static func latencies(_ curves: [LatencyCurve]) -> String {
        guard !curves.isEmpty else { return "" }
        var table = Table(["What", "Subject", "Offered /s", "50 %", "99 %", "99.9 %"], numericFrom: 2)
        table.rows = grouped(curves) { $0.group }.flatMap { curves in
            curves.ownFirst(\.subject).enumerated().map { index, curve in
                [
                    index == 0 ? curve.group.capitalised : "", emphasised(curve.subject),
                    curve.offeredRate.map(Number.short) ?? "closed",
                ] + [0.5, 0.99, 0.999].map { curve.microseconds(at: $0).map(Number.text) ?? "–" }
            }
        }
        return "### Latency, µs\n\n\(table.markdown())"
    }

    private static func checks(_ checks: [Check]) -> String {
        guard !checks.isEmpty else { return "" }
        var table = Table(["What was checked", "Answers", "Wrong"])
        table.rows = checks.map { [$0.what.capitalised, Number.count($0.count), Number.count($0.failures)] }
        return "### Checks\n\n\(table.markdown())"
    }

    private static func absent(_ absent: [Absent]) -> String {
        guard !absent.isEmpty else { return "" }
        var table = Table(["Not measured here", "Why"], numericFrom: 2)
        table.rows = absent.map { [$0.subject, $0.reason] }
        return table.markdown()
    }
}
