/// HTML or SVG. What is interpolated is escaped, unless it is markup itself.
public struct Markup: ExpressibleByStringInterpolation, Sendable, Equatable {
    /// As it is written into the page.
    public private(set) var text: String

    public init(stringLiteral value: String) { text = value }

    public init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    /// Text in which nothing has a meaning to HTML, in an element or in a quoted attribute.
    public static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            case "\n", "\t": result.unicodeScalars.append(scalar)
            // Control characters, which a page may not contain.
            case "\0"..<" ", "\u{7f}"..."\u{9f}": result += "\u{fffd}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    public static func + (left: Markup, right: Markup) -> Markup { "\(left)\(right)" }

    /// The parts of a literal.
    public struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        public init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        public mutating func appendLiteral(_ literal: String) { text += literal }

        public mutating func appendInterpolation(_ markup: Markup) { text += markup.text }

        public mutating func appendInterpolation(_ value: String) { text += Markup.escape(value) }

        public mutating func appendInterpolation(_ value: Int) { text += String(value) }

        /// A coordinate.
        public mutating func appendInterpolation(_ value: Double) { text += Number.coordinate(value) }
    }
}

extension Sequence<Markup> {
    /// One after the other.
    func joined(separator: Markup = "") -> Markup {
        var result: Markup = ""
        var isFirst = true
        for part in self {
            result = isFirst ? part : "\(result)\(separator)\(part)"
            isFirst = false
        }
        return result
    }
}

/// A table of text; its first column heads the rows.
struct Table {
    var columns: [String]
    /// Of the columns, whether they hold numbers, which stand at the right.
    var isNumeric: [Bool]
    var rows: [[String]] = []
    /// Rows that must not be overlooked.
    var alarms: Set<Int> = []

    init(_ columns: [String], numericFrom first: Int = 1) {
        self.columns = columns
        isNumeric = columns.indices.map { $0 >= first }
    }

    /// - Parameter caption: what a reader who does not see the page hears first.
    func markup(caption: String) -> Markup {
        let head = columns.enumerated().map { index, column -> Markup in
            "<th scope=\"col\"\(numberClass(index))>\(column)</th>"
        }
        let body = rows.enumerated().map { number, row -> Markup in
            let style: Markup = alarms.contains(number) ? " class=\"alarm\"" : ""
            let cells = row.enumerated().map { index, cell -> Markup in
                index == 0
                    ? "<th scope=\"row\">\(cell)</th>"
                    : "<td\(numberClass(index))>\(cell)</td>"
            }
            return "<tr\(style)>\(cells.joined())</tr>\n"
        }
        return """
            <div class="scroll" tabindex="0" role="region" aria-label="\(caption)"><table>
            <thead><tr>\(head.joined())</tr></thead>
            <tbody>
            \(body.joined())</tbody>
            </table></div>

            """
    }

    /// For Markdown. A bar or a line's end in a cell does not break the table.
    func markdown() -> String {
        func line(_ cells: [String]) -> String { "| " + cells.map(Self.escape).joined(separator: " | ") + " |\n" }
        let rule = columns.indices.map { isNumeric[$0] ? "---:" : "---" }
        return line(columns) + "|" + rule.joined(separator: "|") + "|\n" + rows.map(line).joined()
    }

    /// Text in which nothing breaks a line or a table of Markdown, or is an element of HTML.
    static func escape(_ text: String) -> String {
        text.replacing("\u{a0}", with: " ").replacing("\\", with: "\\\\").replacing("|", with: "\\|")
            .replacing("\n", with: " ").replacing("<", with: "&lt;")
    }

    private func numberClass(_ index: Int) -> Markup { isNumeric[index] ? " class=\"number\"" : "" }
}
