import TestSupport
import Testing

/// The table of what is kept of which RFC names the test that shows each row; a test that is gone shows nothing.
@Suite struct ConformanceTableTests {
    @Test func everyTestThatTheTableNamesIsThere() throws {
        let table = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Conformance.md"), as: UTF8.self)
        let rows = table.split(separator: "\n").filter { $0.hasPrefix("| ") && $0.contains(".swift`") }
        #expect(rows.count > 50)
        for row in rows {
            // In the last column: the file below Tests, and the function.
            let names = row.split(separator: "`").filter { !$0.contains(" ") }.suffix(2).map(String.init)
            try #require(names.count == 2, "\(row)")
            let source = String(decoding: try Repository.read("Tests/\(names[0])"), as: UTF8.self)
            #expect(source.contains("func \(names[1])("), "\(row)")
        }
    }
}
