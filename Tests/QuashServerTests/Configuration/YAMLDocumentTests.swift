import Testing

@testable import QuashServer

@Suite("The YAML file")
struct YAMLDocumentTests {
    private func entries(_ text: String) throws -> [YAMLDocument.Entry] {
        try YAMLDocument(Array(text.utf8)).entries
    }

    private func flaw(_ text: String) -> YAMLFlaw? {
        do throws(YAMLFlaw) {
            _ = try YAMLDocument(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test func readsScalarsAndListsWithTheirLines() throws {
        let text = """
            # the feed
            lease: 5s
            "renew-interval": '1s'

            listen:
              - 127.0.0.1:8080
              - "unix:/run/quash.sock"
            audience: [a, b]
            """
        #expect(
            try entries(text) == [
                YAMLDocument.Entry(key: "lease", line: 2, values: ["5s"], isList: false),
                YAMLDocument.Entry(key: "renew-interval", line: 3, values: ["1s"], isList: false),
                YAMLDocument.Entry(
                    key: "listen", line: 5, values: ["127.0.0.1:8080", "unix:/run/quash.sock"], isList: true),
                YAMLDocument.Entry(key: "audience", line: 8, values: ["a", "b"], isList: true),
            ])
    }

    @Test(arguments: ["", "\n\n", "# nothing\n", "{}", "--- {}\n...\n"])
    func nothingIsFine(text: String) throws {
        #expect(try entries(text).isEmpty)
    }

    @Test func aKeyMayComeTwiceHere() throws {
        #expect(try entries("a: 1\na: 2").map(\.line) == [1, 2])
    }

    @Test(arguments: [
        ("- a\n- b", 1, "not a mapping"), ("just text", 1, "not a mapping"), ("a:\n  b: c", 2, "nested"),
        ("x: 1\na: [[b]]", 2, "nested"), ("a: {b: c}", 1, "nested"), ("a: &x 1", 1, "an anchor is defined"),
        ("&x a: 1", 1, "an anchor is defined"), ("x: 1\na: *x", 2, "an alias is used"),
        ("a: !!str 1", 1, "a tag is used"),
        ("a: !ruby/object 1", 1, "a tag is used"), ("a: 1\n---\nb: 2", 2, "a second document begins"),
        ("a:", 1, "no value"), ("a: ~", 1, "no value"), ("a: null", 1, "no value"), ("a: [b,,c]", 1, "not YAML"),
        ("a: 1\n b: 2", 2, "not YAML"), ("a: \"open", 1, "not YAML"), ("a: 1\n\tb: 2", 2, "not YAML"),
        ("[a]: 1", 1, "a key is not plain text"), ("a: \u{1}", 1, "not YAML"),
    ])
    func refuses(text: String, line: Int, reason: String) throws {
        let flaw = try #require(self.flaw(text))
        #expect(flaw.line == line)
        #expect(flaw.reason.contains(reason))
        #expect(!flaw.reason.contains("\n"))
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: YAMLFlaw.self) { try YAMLDocument([0x61, 0x3A, 0x20, 0xFF, 0xFE]) }
        #expect(throws: YAMLFlaw.self) { try YAMLDocument([0xFF, 0xFE, 0x61, 0, 0x3A, 0, 0x20, 0, 0x62, 0]) }
    }

    @Test func everyTruncationIsReadOrRefused() {
        let text = Array("lease: 5s\nlisten: [\"a:1\", 'b:2']\naudience:\n  - x\n".utf8)
        for count in 0...text.count { _ = try? YAMLDocument(Array(text[..<count])) }
    }
}
