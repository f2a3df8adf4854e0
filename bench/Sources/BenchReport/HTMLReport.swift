public import BenchResults

/// The results of one run as one page that needs nothing else: no script, no other file.
public enum HTMLReport {
    /// The same page for the same results.
    public static func render(_ results: Results) -> String {
        let sections = sections(results)
        let page: Markup = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>Quash benchmarks, \(results.run.date)</title>
            <style>
            \(StyleSheet.markup)
            </style>
            </head>
            <body>
            \(StyleSheet.marks)<main>
            \(header(results))\(navigation(sections))\(sections.map(\.markup).joined())</main>
            </body>
            </html>

            """
        return page.text
    }

    /// Those about which the results say something.
    private static func sections(_ results: Results) -> [Section] {
        [goals(results.goals), checks(results.checks)].compactMap { $0 }
            + Figure.Kind.reported.compactMap { figures(results.figures, of: $0) }
            + [
                latencies(results.curves), series(results.series), absent(results.absent),
                versions(results.run.versions),
            ].compactMap { $0 }
    }

    private struct Section {
        let id: String
        let heading: String
        let introduction: String
        let body: Markup

        init(_ id: String, _ heading: String, _ introduction: String, _ body: Markup) {
            self.id = id
            self.heading = heading
            self.introduction = introduction
            self.body = body
        }

        var markup: Markup {
            let lead: Markup = introduction.isEmpty ? "" : "<p class=\"lead\">\(introduction)</p>\n"
            return """
                <section id="\(id)" aria-labelledby="\(id)-heading">
                <h2 id="\(id)-heading">\(heading)</h2>
                \(lead)\(body)</section>

                """
        }
    }

    private static func navigation(_ sections: [Section]) -> Markup {
        guard sections.count > 1 else { return "" }
        let links = sections.map { section -> Markup in "<a href=\"#\(section.id)\">\(section.heading)</a>" }
        return "<nav aria-label=\"Sections\">\(links.joined(separator: "\n"))</nav>\n"
    }

    // MARK: What it is about

    private static func header(_ results: Results) -> Markup {
        let facts = results.run.facts.map { fact -> Markup in
            "<div><dt>\(fact.name)</dt><dd>\(fact.value)</dd></div>\n"
        }
        let quick: Markup =
            results.run.isQuick
            ? "<p class=\"notice\"><strong>A quick run.</strong> Its rounds are few and short: not to be quoted.</p>\n"
            : ""
        let changed: Markup =
            results.run.commit.hasSuffix("+")
            ? "<p class=\"notice\">The work tree differed from the commit.</p>\n" : ""
        return """
            <header>
            <h1>Quash benchmarks</h1>
            <p class="lead">Everything here was measured in one run on one machine, in rounds that alternate between \
            the subjects. Machines differ: ratios within this run count, absolute figures do not travel.</p>
            \(quick)\(changed)\(tiles(results))<dl class="facts">
            \(facts.joined())</dl>
            </header>

            """
    }

    private static func tiles(_ results: Results) -> Markup {
        let goals = results.goals.map(GoalSummary.init)
        var tiles: [Markup] = []
        if !goals.isEmpty {
            let overview = GoalSummary.overview(goals)
            let isGood = !goals.contains { $0.outcome == .missed }
            tiles.append(tile(overview.reached, "goals reached", overview.rest, isGood: isGood))
        }
        if !results.checks.isEmpty {
            let failures = results.checks.failures
            tiles.append(
                tile(
                    Number.count(failures), failures == 1 ? "wrong answer" : "wrong answers",
                    "among \(Number.count(results.checks.total)) that were checked", isGood: failures == 0))
        }
        return tiles.isEmpty ? "" : "<div class=\"tiles\">\n\(tiles.joined())</div>\n"
    }

    private static func tile(_ number: String, _ what: String, _ rest: String, isGood: Bool) -> Markup {
        """
        <p class="tile \(isGood ? "reached" : "missed")"><strong>\(number)</strong> <span>\(what)</span> \
        <small>\(rest)</small></p>

        """
    }

    // MARK: Goals and checks

    private static func goals(_ goals: [Goal]) -> Section? {
        guard !goals.isEmpty else { return nil }
        let rows = goals.map { row(GoalSummary($0)) }
        return Section(
            "goals", "Goals",
            "Each is judged by the median of its rounds. The range is from the smallest round to the largest.",
            """
            <table class="cards">
            <thead><tr><th scope="col">What</th><th scope="col" class="number">Goal</th>\
            <th scope="col" class="number">Median</th><th scope="col" class="number">Range</th>\
            <th scope="col">Result</th></tr></thead>
            <tbody>
            \(rows.joined())</tbody>
            </table>

            """)
    }

    private static func row(_ summary: GoalSummary) -> Markup {
        let style = summary.outcome == .reached ? "reached" : summary.outcome == .missed ? "missed" : "none"
        let goal = summary.goal
        let against: Markup = goal.against.isEmpty ? "" : "<small>against \(goal.against)</small>"
        let note: Markup = goal.note.isEmpty ? "" : "<small>\(goal.note)</small>"
        return """
            <tr><th scope="row">\(goal.what.capitalised)\(against)</th>\
            <td class="number" data-label="Goal">\(summary.limit)</td>\
            <td class="number" data-label="Median"><strong>\(summary.measured)</strong></td>\
            <td class="number" data-label="Range">\(summary.spread)</td>\
            <td class="result" data-label="Result"><span class="verdict \(style)">\(summary.verdict)</span>\(note)\
            </td></tr>

            """
    }

    private static func checks(_ checks: [Check]) -> Section? {
        guard !checks.isEmpty else { return nil }
        var table = Table(["What was checked", "Answers", "Wrong"])
        table.rows = checks.map { [$0.what.capitalised, Number.count($0.count), Number.count($0.failures)] }
        table.alarms = Set(checks.indices.filter { checks[$0].failures > 0 })
        if checks.count > 1 {
            table.rows.append(["Together", Number.count(checks.total), Number.count(checks.failures)])
        }
        return Section(
            "checks", "Checks", "Answers were counted on both sides, and each was looked at while it was measured.",
            table.markup(caption: "Checks"))
    }

    // MARK: Figures

    private static func figures(_ figures: [Figure], of kind: Figure.Kind) -> Section? {
        let groups = FigureGroup.all(figures, of: kind)
        guard !groups.isEmpty else { return nil }
        let plots = groups.filter { $0.figures.count > 1 }.enumerated().map { index, group in
            BarPlot(group: group, id: "\(kind.rawValue)-\(index + 1)").markup()
        }
        let alone = groups.filter { $0.figures.count == 1 }
        let grid: Markup = plots.isEmpty ? "" : "<div class=\"plots\">\n\(plots.joined())</div>\n"
        return Section(kind.rawValue, kind.heading, kind.introduction, "\(grid)\(single(alone))")
    }

    /// A figure that is compared with no other is better read than drawn.
    private static func single(_ groups: [FigureGroup]) -> Markup {
        guard !groups.isEmpty else { return "" }
        return "<div class=\"single\">\n\(table(groups).markup(caption: "Single figures"))</div>\n"
    }

    /// Figures of several groups as rows.
    static func table(_ groups: [FigureGroup]) -> Table {
        var table = Table(["What", "Subject", "Median", "Range"], numericFrom: 2)
        table.rows = groups.flatMap { group in
            group.figures.map { figure in
                [
                    group.name, figure.subject, figure.rounds.isEmpty ? "–" : group.unit.text(figure.median),
                    group.unit.spread(figure.rounds),
                ]
            }
        }
        return table
    }

    private static func latencies(_ curves: [LatencyCurve]) -> Section? {
        let plots = grouped(curves) { $0.group }.enumerated().map { index, curves in
            LatencyPlot(id: "latency-\(index + 1)", curves: curves).plot().markup()
        }
        guard !plots.isEmpty else { return nil }
        return Section(
            "latency", "Latency",
            "By percentile. Where the load was open, time that a request waited to be sent counts.",
            "<div class=\"plots\">\n\(plots.joined())</div>\n")
    }

    private static func series(_ series: [Series]) -> Section? {
        let plots = grouped(series) { [$0.group, $0.xUnit, $0.yUnit] }.enumerated().map { index, series in
            SeriesPlot(id: "series-\(index + 1)", series: series).plot().markup()
        }
        guard !plots.isEmpty else { return nil }
        return Section(
            "series", "Distributions and growth", "", "<div class=\"plots\">\n\(plots.joined())</div>\n")
    }

    // MARK: Circumstances

    private static func absent(_ absent: [Absent]) -> Section? {
        guard !absent.isEmpty else { return nil }
        var table = Table(["Subject", "Why"], numericFrom: 2)
        table.rows = absent.map { [$0.subject, $0.reason] }
        return Section("absent", "Not measured here", "", table.markup(caption: "Not measured here"))
    }

    private static func versions(_ versions: [String: String]) -> Section? {
        guard !versions.isEmpty else { return nil }
        var table = Table(["Program", "Version"], numericFrom: 2)
        table.rows = versions.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
        return Section("versions", "Versions", "", table.markup(caption: "Versions"))
    }
}
