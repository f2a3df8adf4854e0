import ArgumentParser
import QuashJSON
import QuashServer

/// `-o json|text`, for every command that answers with data.
struct OutputOptions: ParsableArguments {
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, json
    }

    @Option(name: .shortAndLong, help: "json for programs, text for people.")
    var output: Format = .text

    /// Says `json` as one document, or `text`.
    func say(_ json: JSONValue, text: @autoclosure () -> String) {
        switch output {
        case .json: Terminal.say(String(decoding: json.prettyPrinted(), as: UTF8.self))
        case .text: Terminal.say(text())
        }
    }
}

/// Columns for people.
struct TextTable {
    private var rows: [[String]]

    init(_ headings: String...) {
        rows = [headings]
    }

    /// Adds a row; what is not printable in it is spelled out.
    mutating func append(_ cells: String...) {
        precondition(cells.count == rows[0].count, "a row with \(cells.count) cells, where \(rows[0].count) are")
        rows.append(cells.map(printable))
    }

    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            return String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}

/// A time for people: in the unit that gives it a few digits.
func durationText(microseconds: Int64) -> String {
    if microseconds < 1000 { return "\(microseconds) us" }
    let tenths = (microseconds + 50) / 100
    return tenths < 10_000 ? "\(tenths / 10).\(tenths % 10) ms" : "\(tenths / 10_000).\(tenths / 1000 % 10) s"
}
