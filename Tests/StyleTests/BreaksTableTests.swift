import TestSupport
import Testing

/// The table of what was broken names tests that there are.
@Suite struct BreaksTableTests {
    @Test func everyTestThatTheTableNamesIsThere() throws {
        let document = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Breaks.md"), as: UTF8.self)
        let suites = try Self.suites()
        let rows = document.split(separator: "\n").filter { $0.hasPrefix("| `") || Self.namesAFault($0) }
        #expect(rows.count > 150)
        for row in rows {
            let cells = row.split(separator: "|").map(String.init)
            try #require(cells.count >= 2, "\(row)")
            var suite = ""
            let tests = TestTable.quoted(Self.namesAFault(row) ? cells[2] : cells[cells.count - 1])
                .filter { !$0.contains(" ") }
            #expect(!tests.isEmpty, "\(row)")
            for test in tests {
                // A name without a suite is of the suite named before it.
                let parts = test.split(separator: ".")
                if parts.count == 2 { suite = String(parts[0]) }
                let function = parts.last ?? ""
                #expect(suites[suite]?.contains("func \(function)(") == true, "\(test) of \(suite): \(row)")
            }
        }
    }

    /// A row of the table of faults, such as `| A1 …`, has the tests in its third cell.
    private static func namesAFault(_ row: Substring) -> Bool {
        row.hasPrefix("| A") || row.hasPrefix("| B")
    }

    /// What the articles and the READMEs say is shown by a test, is: the suites and scripts that they name are there.
    @Test func everySuiteAndScriptThatAnArticleNamesIsThere() throws {
        let suites = try Self.suites()
        let files = Set(try Repository.files())
        var named = 0
        for path in files where path.hasSuffix(".md") {
            for name in TestTable.quoted(String(decoding: try Repository.read(path), as: UTF8.self)) {
                if name.hasSuffix("Tests"), name.count > 5, !name.contains(where: { " ./\n".contains($0) }) {
                    let isThere = suites[name] != nil || suites.values.contains { $0.contains("struct \(name) ") }
                    #expect(isThere, "\(path): \(name)")
                    named += 1
                } else if name.hasPrefix("scripts/"), let script = name.split(separator: " ").first {
                    #expect(files.contains(String(script)), "\(path): \(name)")
                    named += 1
                }
            }
        }
        #expect(named > 40)
    }

    /// The source of each file of tests, by its name.
    private static func suites() throws -> [String: String] {
        var suites: [String: String] = [:]
        for path in try Repository.files() where path.hasPrefix("Tests/") && path.hasSuffix("Tests.swift") {
            let suite = String((path.split(separator: "/").last ?? "").dropLast(".swift".count))
            suites[suite, default: ""] += String(decoding: try Repository.read(path), as: UTF8.self)
        }
        return suites
    }
}
