import TestSupport
import Testing

/// The article on embedding quotes the example that is compiled.
@Suite struct EmbeddingTests {
    @Test func theArticleQuotesTheExample() throws {
        let example = String(decoding: try Repository.read("Snippets/EmbeddedValidation.swift"), as: UTF8.self)
        let article = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Embedding.md"), as: UTF8.self)
        // What stands between a mark and `// snippet.end`, and between the fences.
        let parts = example.matches(of: #/// snippet\.(?!end)[a-z]+\n(?s)(.*?)\/\/ snippet\.end\n/#).map(\.output.1)
        let quotes = article.matches(of: #/```swift\n(?s)(.*?)```\n/#).map(\.output.1)
        #expect(parts.count == 2)
        #expect(parts == quotes)
    }
}
