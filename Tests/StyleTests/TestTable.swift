import TestSupport
import Testing

/// A table of a document with a test in each row: in its last column stand the file below `Tests` and the function.
struct TestTable {
    struct Row {
        let text: String
        /// What stands between the bars.
        let cells: [String]
        let file: String
        let function: String
    }

    let rows: [Row]

    /// - Parameter path: of a Markdown file, relative to the root; rows without a test are none.
    init(_ path: String) throws {
        let document = String(decoding: try Repository.read(path), as: UTF8.self)
        let lines = document.split(separator: "\n").filter { $0.hasPrefix("| ") && $0.contains(".swift`") }
        rows = try lines.map { line in
            let names = Self.quoted(line).filter { !$0.contains(" ") }.suffix(2)
            try #require(names.count == 2, "\(line)")
            return Row(
                text: String(line), cells: line.split(separator: "|").map(String.init), file: names[names.startIndex],
                function: names[names.startIndex + 1])
        }
    }

    /// What stands in backticks.
    static func quoted(_ text: some StringProtocol) -> [String] {
        text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .compactMap { $0.offset.isMultiple(of: 2) ? nil : String($0.element) }
    }

    /// Fails for each row whose test is gone: that shows nothing.
    func expectTests() throws {
        for row in rows {
            let source = String(decoding: try Repository.read("Tests/\(row.file)"), as: UTF8.self)
            let isThere = source.contains("func \(row.function)(")
            #expect(isThere, "\(row.text)")
        }
    }
}
