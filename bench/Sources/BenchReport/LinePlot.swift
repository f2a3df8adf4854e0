/// Lines over two axes. Across it is measured in percent and down in pixels, so that the text keeps its size however
/// wide the page is.
struct LinePlot {
    struct Line {
        let name: String
        let points: [(x: Double, y: Double)]
    }

    /// Unique in the page.
    let id: String
    let title: String
    let subtitle: String
    let xTitle: String
    let x: Axis
    let y: Axis
    let xLabel: (Double) -> String
    let yLabel: (Double) -> String
    /// Those of Quash come first, are thicker, and lie above the others.
    let lines: [Line]
    let table: Table
    /// Below the table.
    let tableNote: String

    private static let height = 260.0
    /// A line with more points has few marks, and those of several lines not beside each other.
    private static let maxMarks = 16, fewMarks = 8

    func markup() -> Markup {
        let noteBelow: Markup = tableNote.isEmpty ? "" : "<p class=\"sub\">\(tableNote)</p>\n"
        return """
            <figure class="of-lines">
            <figcaption><h3>\(title)</h3>
            <p class="sub">\(subtitle)</p></figcaption>
            \(legend())\(svg())<div>\(note())<details><summary>Data</summary>
            \(table.markup(caption: title))\(noteBelow)</details></div>
            </figure>

            """
    }

    /// Colour, dashes and mark repeat in different periods, so that no two of many lines look alike.
    private func style(_ index: Int) -> Markup {
        let isOwn = lines[index].name.isQuash
        return "c\(index % 7) d\(index % 4)\(isOwn ? " own" : "")"
    }

    private func mark(_ index: Int) -> Markup {
        "#mark\(index % 5)"
    }

    private func legend() -> Markup {
        let items = lines.indices.map { index -> Markup in
            """
            <li class="\(style(index))"><svg width="36" height="12" aria-hidden="true">\
            <line class="line" x1="1" x2="35" y1="6" y2="6"/><use class="mark" href="\(mark(index))" x="18" y="6"/>\
            </svg> \(lines[index].name)</li>
            """
        }
        return "<ul class=\"legend\">\(items.joined(separator: "\n"))</ul>\n"
    }

    private func svg() -> Markup {
        let labelWidth = y.ticks.map { yLabel($0).count }.max() ?? 0
        return """
            <svg class="lines" role="img" aria-labelledby="\(id)-title \(id)-desc" height="\(Self.height + 46)" \
            style="--start: \(labelWidth * 7 + 16)px">
            <title id="\(id)-title">\(title)</title>
            <desc id="\(id)-desc">\(description)</desc>
            \(grid())<svg viewBox="0 0 1000 \(Self.height)" preserveAspectRatio="none" width="100%" \
            height="\(Self.height)">
            \(lines.indices.reversed().map(path).joined())</svg>
            \(lines.indices.reversed().map(marks).joined())</svg>

            """
    }

    private func grid() -> Markup {
        let across = y.ticks.compactMap { tick -> Markup? in
            guard let top = top(tick) else { return nil }
            return """
                <line class="grid" x1="0" x2="100%" y1="\(top)" y2="\(top)"/>\
                <text class="tick" x="-9" y="\(top + 4)" text-anchor="end">\(yLabel(tick))</text>

                """
        }
        let down = x.ticks.compactMap { tick -> Markup? in
            guard let position = x.position(tick) else { return nil }
            return """
                <line class="grid" x1="\(position * 100)%" x2="\(position * 100)%" y1="0" y2="\(Self.height)"/>\
                <text class="tick" x="\(position * 100)%" y="\(Self.height + 19)" text-anchor="middle">\
                \(xLabel(tick))</text>

                """
        }
        return """
            \(across.joined())\(down.joined())\
            <line class="base" x1="0" x2="100%" y1="\(Self.height)" y2="\(Self.height)"/>
            <text class="tick" x="50%" y="\(Self.height + 41)" text-anchor="middle">\(xTitle)</text>

            """
    }

    private func path(_ index: Int) -> Markup {
        let points = drawn(index).map { point -> Markup in "\(point.across * 1000),\(point.top)" }
        guard points.count > 1 else { return "" }
        return """
            <polyline class="line \(style(index))" points="\(points.joined(separator: " "))"><title>\
            \(lines[index].name)</title></polyline>

            """
    }

    private func marks(_ index: Int) -> Markup {
        let points = drawn(index)
        let step = points.count <= Self.maxMarks ? 1 : (points.count + Self.fewMarks - 1) / Self.fewMarks
        let first = (index * 2 + 1) * step / (lines.count * 2)
        let chosen = stride(from: first, to: points.count, by: step).map { points[$0] }
        let uses = chosen.map { point -> Markup in
            "<use href=\"\(mark(index))\" x=\"\(point.across * 100)%\" y=\"\(point.top)\"/>"
        }
        return "<g class=\"mark \(style(index))\">\(uses.joined())</g>\n"
    }

    /// Where the points stand that both axes show.
    private func drawn(_ index: Int) -> [(across: Double, top: Double)] {
        lines[index].points.compactMap { point in
            guard let across = x.position(point.x), let top = top(point.y) else { return nil }
            return (across, top)
        }
    }

    private func top(_ value: Double) -> Double? { y.position(value).map { (1 - $0) * Self.height } }

    /// What a logarithmic axis cannot show is not passed over in silence.
    private func note() -> Markup {
        let omitted = lines.map(\.points).joined().count { point in
            x.kind == .logarithmic && point.x <= 0 || y.kind == .logarithmic && point.y <= 0
        }
        guard omitted > 0 else { return "" }
        let points = omitted == 1 ? "1 point at zero has" : "\(omitted) points at zero have"
        return "<p class=\"sub note\">\(points) no place on a logarithmic axis.</p>\n"
    }

    private var description: String {
        let parts = lines.map { line in
            guard let first = line.points.first, let last = line.points.last else { return "\(line.name): no points" }
            let (start, end) = ((xLabel(first.x), yLabel(first.y)), (xLabel(last.x), yLabel(last.y)))
            return "\(line.name): from \(start.1) at \(start.0) to \(end.1) at \(end.0)"
        }
        return "Lines, \(subtitle). " + parts.joined(separator: "; ") + "."
    }
}
