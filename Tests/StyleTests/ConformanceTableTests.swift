import Testing

/// The table of what is kept of which RFC names the test that shows each row; a test that is gone shows nothing.
@Suite struct ConformanceTableTests {
    @Test func everyTestThatTheTableNamesIsThere() throws {
        let table = try TestTable("Sources/QuashServer/QuashServer.docc/Conformance.md")
        #expect(table.rows.count > 50)
        try table.expectTests()
    }
}
