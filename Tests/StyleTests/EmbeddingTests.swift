import TestSupport
import Testing

/// The article on embedding quotes the examples that are compiled.
@Suite struct EmbeddingTests {
    @Test func theArticleQuotesTheExamples() throws {
        let examples = try [
            "Snippets/EmbeddedValidation.swift", "docker/examples/service/Sources/Service/BearerMiddleware.swift",
        ].map { String(decoding: try Repository.read($0), as: UTF8.self) }
        let article = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Embedding.md"), as: UTF8.self)
        // What stands between a mark and the end of it, and between the fences.
        let mark = #/// snippet\.(?!end)[a-z]+\n(?s)(.*?) *\/\/ snippet\.end\n/#
        let parts = examples.flatMap { $0.matches(of: mark).map(\.output.1) }
        let quotes = article.matches(of: #/```swift\n(?s)(.*?)```\n/#).map(\.output.1)
        #expect(parts.count == 3)
        #expect(parts == quotes)
    }
}
