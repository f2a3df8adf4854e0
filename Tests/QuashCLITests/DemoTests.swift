import TestSupport
import Testing

/// The demo keeps its promises, and the README shows what it prints.
@Suite struct DemoTests {
    /// The title of each step, in order, with its chapter's.
    private func story(_ text: some StringProtocol) -> [String] {
        text.split(separator: "\n").compactMap { line in
            if line.hasPrefix("  ok   ") || line.hasPrefix("  FAIL ") {
                let columns = line.dropFirst(7)
                return String(columns.prefix(46)).trimmingSpaces + " | "
                    + String(columns.dropFirst(47).prefix(26)).trimmingSpaces
            }
            return line.first?.isUppercase == true ? String(line) : nil
        }
    }

    @Test func itEndsWithEveryPromiseKeptAndIsWhatTheReadmeShows() throws {
        let result = try QuashProgram()(["demo"])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
        #expect(!result.output.contains("FAIL"))
        let readme = String(decoding: try Repository.read("README.md"), as: UTF8.self)
        let shown = readme.split(separator: "\n").drop { !$0.hasPrefix("A private redis-server") }
        let end = try #require(shown.firstIndex(of: "Every step went as promised."))
        #expect(story(shown[...end].joined(separator: "\n")) == story(result.output))
    }
}

extension String {
    fileprivate var trimmingSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}
