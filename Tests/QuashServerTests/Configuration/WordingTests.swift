import Testing

@testable import QuashServer

@Suite("The words of errors")
struct WordingTests {
    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("lease", "lease", 0), ("lease", "laese", 1), ("lease", "leas", 1),
        ("lease", "leases", 1),
        ("lease", "leave", 1), ("kitten", "sitting", 3), ("ca", "abc", 3),
    ])
    func editDistanceCountsSingleMistakes(left: String, right: String, distance: Int) {
        #expect(editDistance(left, right) == distance)
        #expect(editDistance(right, left) == distance)
    }

    @Test func nearestIsGivenForMistypedNamesAlone() {
        let names = ["listen", "lease", "redis-url"]
        #expect(nearest(to: "lisen", among: names) == "listen")
        #expect(nearest(to: "LISTEN", among: names) == "listen")
        #expect(nearest(to: "redis_url", among: names) == "redis-url")
        #expect(nearest(to: "colour", among: names) == nil)
        #expect(nearest(to: String(repeating: "x", count: 100_000), among: names) == nil)
    }

    @Test func quotedStaysOnOneLine() {
        #expect(quoted("a\nb\u{202E}c\u{2028}d\u{1B}[0m") == #""a\u{a}b\u{202e}c\u{2028}d\u{1b}[0m""#)
        #expect(quoted("grüße") == "\"grüße\"")
        #expect(quoted(String(repeating: "x", count: 81)) == "\"\(String(repeating: "x", count: 80))…\"")
    }
}
