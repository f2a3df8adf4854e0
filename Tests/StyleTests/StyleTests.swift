import TestSupport
import Testing

/// The repository keeps its own rules. What they are, `StyleRules` and `ImportRules` say.
@Suite struct StyleTests {
    /// Names that break a rule and wait for a better one. One that no file has any more fails the test.
    private static let exceptions: Set<String> = []

    private let files: [SourceFile]

    init() throws {
        files = try Repository.files().compactMap { path in
            let bytes = try Repository.read(path)
            // A file that is not text has no style.
            guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else { return nil }
            return SourceFile(path: path, text: text, isExecutable: Repository.isExecutable(path))
        }
    }

    @Test func everyFileKeepsTheRules() {
        // A test that looks at nothing passes.
        #expect(files.count > 100)
        let functions = files.flatMap { $0.swift?.functions ?? [] }
        let requirements = Set(functions.filter { $0.lineCount == nil }.map(\.name)).subtracting(["init", "subscript"])
        report(files.flatMap { StyleRules.violations(in: $0, requirements: requirements) })
    }

    @Test func everyTargetImportsWhatTheArchitectureAllows() {
        report(ImportRules.quash.violations(in: files))
    }

    @Test func whatIsBuiltIsNotInTheRepository() throws {
        let built = try Repository.trackedFiles().filter { path in
            let parts = path.split(separator: "/")
            return parts.contains { $0.hasPrefix(".build") || $0 == "Package.resolved" || $0 == ".swiftpm" }
                || path.hasSuffix(".profraw")
        }
        #expect(built.isEmpty)
    }

    private func report(_ violations: [Violation]) {
        let lines = violations.map { "\n\($0)" }.sorted().joined()
        if !violations.isEmpty { Issue.record("\(violations.count) violations:\(lines)") }
    }
}
