import TestSupport
import Testing

/// The table of what is relied on in Redis, and the tests of it, are in step.
@Suite struct RedisContractTableTests {
    private static let folder = "QuashServerTests/RedisContract/"

    private let table: TestTable
    private let files: [String]

    init() throws {
        table = try TestTable("Sources/QuashServer/QuashServer.docc/RedisContract.md")
        files = try Repository.files()
    }

    private func swift(_ path: String) throws -> SwiftText {
        SwiftText(String(decoding: try Repository.read(path), as: UTF8.self))
    }

    @Test func everyTestThatTheTableNamesIsThere() throws {
        #expect(table.rows.count > 30)
        try table.expectTests()
    }

    @Test func everyTestOfTheContractHasOneRow() throws {
        var tests: [String] = []
        for path in files where path.hasPrefix("Tests/\(Self.folder)") && path.hasSuffix(".swift") {
            tests += try swift(path).tests.map { "\(path.dropFirst("Tests/".count)) \($0)" }
        }
        let rows = table.rows.map { "\($0.file) \($0.function)" }
        #expect(Set(rows).symmetricDifference(tests).isEmpty)
        #expect(rows.count == tests.count, "a test has two rows")
    }

    /// The second column says who relies on a behaviour: scripts and types that there are.
    @Test func everyRowNamesWhatReliesOnIt() throws {
        var names = Set(
            files.filter { $0.hasSuffix(".lua") }.map { path in
                String(path.split(separator: "/").last?.dropLast(".lua".count) ?? "")
            })
        for path in files where path.hasPrefix("Sources/") && path.hasSuffix(".swift") {
            names.formUnion(try swift(path).types.map(\.name))
        }
        for row in table.rows {
            try #require(row.cells.count > 2, "\(row.text)")
            let relying = TestTable.quoted(row.cells[1])
            #expect(!relying.isEmpty, "nobody relies on it: \(row.text)")
            #expect(relying.filter { !names.contains($0) }.isEmpty, "\(row.text)")
        }
    }
}

extension SwiftText {
    /// The names of the functions that are tests.
    fileprivate var tests: [String] {
        var names: [String] = []
        var isTest = false
        for line in code {
            let words = Self.words(of: line)
            if line.contains("@Test") { isTest = true }
            guard isTest, let function = words.firstIndex(of: "func"), function + 1 < words.count else { continue }
            names.append(words[function + 1])
            isTest = false
        }
        return names
    }
}
