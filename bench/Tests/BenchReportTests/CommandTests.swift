import BenchReport
import BenchResults
import Foundation
import Testing

@Suite struct CommandTests {
    @Test func commandsAreUnderstood() throws {
        #expect(try Command(["compare", "a", "b"]) == .compare(first: "a", second: "b"))
        #expect(
            try Command(["report", "--html", "h", "r", "--markdown", "m"])
                == .report(results: "r", html: "h", markdown: "m"))
        #expect(try Command(["report", "r", "--html", "h"]) == .report(results: "r", html: "h", markdown: nil))
        #expect(try Command(["--help"]) == .help)
    }

    @Test(arguments: [
        [], ["draw"], ["compare", "a"], ["compare", "a", "b", "c"], ["report"], ["report", "r"],
        ["report", "--html", "h"], ["report", "r", "--html"], ["report", "r", "--html", "--markdown"],
        ["report", "r", "s", "--html", "h"],
        ["report", "r", "--pdf", "h"],
    ])
    func othersAreRefused(_ arguments: [String]) {
        #expect(throws: CommandError.self) { try Command(arguments) }
    }

    /// To look at the page, say in BENCH_REPORT_FOLDER where it is to be kept.
    @Test func aFileOfResultsBecomesAPage() throws {
        let kept = ProcessInfo.processInfo.environment["BENCH_REPORT_FOLDER"]
        let folder = kept.map { URL(fileURLWithPath: $0) } ?? Self.temporaryFolder()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { if kept == nil { try? FileManager.default.removeItem(at: folder) } }
        let paths = ["sample.json", "sample.html", "sample.md"].map { folder.appendingPathComponent($0).path }
        try Sample.results.write(to: paths[0])
        #expect(try Command(["report", paths[0], "--html", paths[1], "--markdown", paths[2]]).run().isEmpty)
        #expect(try String(contentsOfFile: paths[1], encoding: .utf8) == HTMLReport.render(Sample.results))
        #expect(try String(contentsOfFile: paths[2], encoding: .utf8) == MarkdownReport.render(Sample.results))
        let comparison = try Command(["compare", paths[0], paths[0]]).run()
        #expect(comparison.contains("within noise") && !comparison.contains("better,"))
    }

    /// A symbolic link stands for a device here.
    @Test func whatIsWrittenToStays() throws {
        let folder = Self.temporaryFolder()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let paths = ["results.json", "link.md", "target.md"].map { folder.appendingPathComponent($0).path }
        try Sample.results.write(to: paths[0])
        try Data("a longer text that was there before\n".utf8).write(to: URL(fileURLWithPath: paths[2]))
        try FileManager.default.createSymbolicLink(atPath: paths[1], withDestinationPath: paths[2])
        _ = try Command(["report", paths[0], "--markdown", paths[1]]).run()
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: paths[1]) == paths[2])
        #expect(try String(contentsOfFile: paths[2], encoding: .utf8) == MarkdownReport.render(Sample.results))
    }

    @Test(arguments: [
        ("", "is not a file of results"), ("[]", "is not a file of results"),
        ("{\"format\": 7, \"other\": 1}", "has format 7, not 1"),
        ("{\"format\": 1}", "is not a file of results: there is no run"),
    ])
    func whatIsNoResultsIsSaidSo(content: String, message: String) throws {
        let folder = Self.temporaryFolder()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("results.json").path
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        let error = try #require(throws: CommandError.self) { try Command(["compare", path, path]).run() }
        #expect(error.description.contains("\(path) \(message)"))
    }

    @Test func aMissingFileIsNamed() throws {
        let path = Self.temporaryFolder().path
        let error = try #require(throws: CommandError.self) {
            try Command(["report", path, "--html", "/dev/null"]).run()
        }
        #expect(error.description.hasPrefix("\(path) cannot be read: "))
    }

    private static func temporaryFolder() -> URL {
        FileManager.default.temporaryDirectory.appendingPathComponent("quash-bench-report-\(UUID().uuidString)")
    }
}
