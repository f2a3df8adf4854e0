import BenchResults

/// Horizontal bars of one group of figures: a median each, with a whisker from the smallest round to the largest.
///
/// Lengths are percentages and heights pixels, so that the text keeps its size however wide the page is.
struct BarPlot {
    let group: FigureGroup
    /// Unique in the page.
    let id: String

    private static let lineHeight = 18
    private static let barHeight = 14
    private static let gap = 18
    /// Characters of a label in a line, which a telephone has room for.
    private static let labelWidth = 50

    func markup() -> Markup {
        """
        <figure class="of-bars">
        <figcaption><h3>\(group.name)</h3>
        <p class="sub">\(axisTitle) · \(group.direction) · \(group.roundCount)</p></figcaption>
        \(svg())<details><summary>Data</summary>
        \(table().markup(caption: group.name))</details>
        </figure>

        """
    }

    private var axisTitle: String { group.unit.name.isEmpty ? "ratio" : group.unit.name }

    private func svg() -> Markup {
        var y = 0
        let rows = group.figures.map { figure in row(figure, at: &y) }
        let valueWidth = group.figures.map { value($0).count }.max() ?? 0
        return """
            <svg class="bars" role="img" aria-labelledby="\(id)-title \(id)-desc" height="\(max(0, y - Self.gap))" \
            style="--end: \(valueWidth * 8 + 14)px">
            <title id="\(id)-title">\(group.name)</title>
            <desc id="\(id)-desc">\(description)</desc>
            \(rows.joined())</svg>

            """
    }

    private func row(_ figure: Figure, at y: inout Int) -> Markup {
        var text: Markup = ""
        for line in figure.subject.wrapped(at: Self.labelWidth) {
            text = text + "<text class=\"label\" x=\"0\" y=\"\(y + 13)\">\(line)</text>"
            y += Self.lineHeight
        }
        let top = y + 2
        y = top + Self.barHeight + Self.gap
        let bar = bar(figure, at: top)
        let style = figure.subject.isQuash ? "own" : "peer"
        return "<g class=\"\(style)\"><title>\(summary(figure))</title>\(text)\(bar)</g>\n"
    }

    private func bar(_ figure: Figure, at top: Int) -> Markup {
        guard let range = figure.rounds.range else {
            return "<text class=\"none\" x=\"0\" y=\"\(top + Self.barHeight - 2)\">not measured</text>"
        }
        let (low, high) = (length(range.lowerBound), length(range.upperBound))
        let middle = top + Self.barHeight / 2
        let (capTop, capEnd) = (middle - 4, middle + 4)
        let lines: Markup = """
            <line x1="\(low)%" x2="\(high)%" y1="\(middle)" y2="\(middle)"/>\
            <line x1="\(low)%" x2="\(low)%" y1="\(capTop)" y2="\(capEnd)"/>\
            <line x1="\(high)%" x2="\(high)%" y1="\(capTop)" y2="\(capEnd)"/>
            """
        // Twice, so that it is seen on its bar and beside it.
        let whisker: Markup =
            range.lowerBound == range.upperBound
            ? "" : "<g class=\"halo\">\(lines)</g><g class=\"whisker\">\(lines)</g>"
        return """
            <rect x="0" y="\(top)" width="\(length(figure.median))%" height="\(Self.barHeight)" rx="2"/>\(whisker)\
            <text class="value" x="\(high)%" dx="9" y="\(top + Self.barHeight - 2)">\(value(figure))</text>
            """
    }

    /// In percent of the longest bar with its whisker.
    private func length(_ value: Double) -> Double {
        let longest = group.figures.flatMap(\.rounds).max() ?? 0
        return longest > 0 ? max(0, value / longest * 100) : 0
    }

    private func value(_ figure: Figure) -> String {
        figure.rounds.isEmpty ? "" : group.unit.number(figure.median)
    }

    private var description: String {
        "Bars, \(group.direction). " + group.figures.map(summary).joined(separator: "; ") + "."
    }

    private func summary(_ figure: Figure) -> String {
        guard !figure.rounds.isEmpty else { return "\(figure.subject): not measured" }
        return "\(figure.subject): \(group.unit.text(figure.median)) (\(group.unit.bareSpread(figure.rounds)))"
    }

    private func table() -> Table {
        let isRelative = group.reference != nil
        // Otherwise the caption says it.
        let hasCounts = Set(group.figures.map(\.rounds.count)).count > 1
        let heads = ["Subject", "Median, \(axisTitle)", "Range"]
        var table = Table(heads + (hasCounts ? ["Rounds"] : []) + (isRelative ? ["Relative"] : []))
        table.rows = group.figures.map { figure in
            let median = figure.rounds.isEmpty ? "–" : value(figure)
            return [figure.subject, median, group.unit.bareSpread(figure.rounds)]
                + (hasCounts ? [String(figure.rounds.count)] : []) + (isRelative ? [group.ratio(figure)] : [])
        }
        return table
    }
}

extension String {
    /// As few lines of at most so many characters as there can be, about as long as each other. They are broken at
    /// spaces; a longer word has a line of its own.
    func wrapped(at width: Int) -> [String] {
        let count = filled(to: width).count
        let narrowest = (1...max(1, width)).first { filled(to: $0).count <= count } ?? width
        return filled(to: narrowest)
    }

    private func filled(to width: Int) -> [String] {
        var lines: [String] = []
        for word in split(whereSeparator: \.isWhitespace) {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
