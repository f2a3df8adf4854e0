import Logging
import TestSupport
import Testing

@testable import QuashServer

/// The names of what is logged are an interface, and the documentation has all of them.
@Suite("Names of what is logged") struct LoggedEventTests {
    private let document: [Substring]

    init() throws {
        document = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Logs.md"), as: UTF8.self
        ).split(separator: "\n")
    }

    /// The rows of the table below a heading row.
    private func rows(below heading: String) -> [Substring] {
        document.drop { $0 != heading }.dropFirst(2).prefix { $0.hasPrefix("|") }.map { $0 }
    }

    @Test func theDocumentationHasEveryEventAndNoOther() {
        let expected = LoggedEvent.allCases.map { "| `\($0.rawValue)` | \($0.level) | \($0.text) |" }
        #expect(rows(below: "| event | level | what happened |").map(String.init) == expected)
    }

    @Test func theDocumentationHasEveryActionAndNoOther() {
        let expected = AuditAction.allCases.map { "| `\($0.rawValue)` | \($0.meaning) |" }
        #expect(rows(below: "| action | what was done |").map(String.init) == expected)
    }

    @Test func noNameIsThereTwiceAndEachIsInOneForm() {
        let names = LoggedEvent.allCases.map(\.rawValue)
        #expect(Set(names).count == names.count)
        for name in names + AuditAction.allCases.map(\.rawValue) {
            #expect(name.allSatisfy { $0.isLowercase || $0 == "." || $0 == "_" }, "\(name)")
        }
    }

    /// Whoever logs gives a name: no line comes about in another way.
    @Test func everyLineHasAName() throws {
        let levels = Logger.Level.allCases.map { "log.\($0)(" }
        for path in try Repository.files() where path.hasPrefix("Sources/") && path.hasSuffix(".swift") {
            let source = String(decoding: try Repository.read(path), as: UTF8.self)
            for level in levels { #expect(!source.contains(level), "\(path): \(level)") }
        }
    }
}
