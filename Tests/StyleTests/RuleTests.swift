import Testing

/// Every rule finds what it is for, and lets pass what looks like it.
@Suite struct RuleTests {
    private static func problems(
        _ text: String, path: String = "Sources/Quash/Sample.swift", isExecutable: Bool = false,
        requirements: Set<String> = []
    ) -> [String] {
        let file = SourceFile(path: path, text: text, isExecutable: isExecutable)
        return StyleRules.violations(in: file, requirements: requirements).map(\.description)
    }

    private static func lines(_ count: Int, _ line: String = "let a = 1") -> String {
        String(repeating: line + "\n", count: count)
    }

    @Test func aFileMayHaveFourHundredLines() {
        #expect(Self.problems(Self.lines(400)).isEmpty)
        #expect(Self.problems(Self.lines(401)) == ["Sources/Quash/Sample.swift: 401 lines, more than 400"])
    }

    @Test func aLineMayHaveTwelveTimesTenCharacters() {
        let line = "// " + String(repeating: "é", count: 117)
        #expect(Self.problems(line).isEmpty)
        #expect(Self.problems("\n" + line + "é") == ["Sources/Quash/Sample.swift:2: a line of 121 characters"])
        let long = String(repeating: "x", count: 130)
        #expect(Self.problems("let a = \"\"\"\n\(long)\n\"\"\"").isEmpty)
        #expect(Self.problems("let a = \"\(long)\"").count == 1)
        #expect(Self.problems(long, path: "docker/nginx.conf").isEmpty)
        #expect(Self.problems(long, path: "Sources/QuashServer/Scripts/a.lua").count == 1)
    }

    @Test func aFunctionMayHaveSeventyLines() {
        func function(_ lineCount: Int) -> String { "func f() {\n" + Self.lines(lineCount - 2) + "}\n" }
        #expect(Self.problems(function(70)).isEmpty)
        #expect(Self.problems("\n" + function(71)) == ["Sources/Quash/Sample.swift:2: f has 71 lines, more than 70"])
        #expect(Self.problems("struct A {\n" + function(71) + "}").count == 1)
        #expect(Self.problems("struct A {\n" + Self.lines(100) + function(70) + "}").isEmpty)
        #expect(Self.problems("class A {\ndeinit {\n" + Self.lines(70) + "}\n}").count == 1)
    }

    @Test func marksOfUnfinishedWorkAreFoundInComments() {
        #expect(Self.problems("// TODO: later") == ["Sources/Quash/Sample.swift:1: TODO on the main line"])
        #expect(Self.problems("/* a\n FIXME */").count == 1)
        #expect(Self.problems("let a = \"TODO\" // mkdtemp takes XXXXXX").isEmpty)
        #expect(Self.problems("# XXX", path: "docker/nginx.conf").count == 1)
    }

    @Test(arguments: [
        "struct TokenManager {}", "final class Helpers {}", "enum HTTPUtil {}", "protocol RequestHandler {}",
        "struct FeedImpl {}", "class BaseServer {}", "typealias CommonSettings = Int", "extension FeedUtils {}",
        "actor Manager {}", "struct Request_Handler {}",
    ])
    func emptyWordsAreNoNames(_ text: String) {
        #expect(Self.problems(text).count == 1, "\(text)")
    }

    @Test(arguments: [
        "struct Base64URL {}", "struct LogWriter: LogHandler {}", "struct Basement {}", "// struct TokenManager",
        "let text = \"class Helper\"", "class func handler() {}",
    ])
    func otherNamesAre(_ text: String) {
        #expect(Self.problems(text).isEmpty, "\(text)")
    }

    @Test func emptyWordsAreNoPaths() {
        #expect(Self.problems("", path: "Sources/Quash/Utils/Feed.swift").count == 1)
        #expect(Self.problems("", path: "Sources/Quash/FeedHelper.swift").count == 1)
    }

    @Test(arguments: [
        "public struct A {}", "package enum A {}", "public final class A {}", "public indirect enum A {}",
        "package func f() {}", "package static func f() {}", "@discardableResult package func f() {}",
        "public class func f() {}", "public let a = 1", "public private(set) var a = 1", "public init() {}",
        "package typealias A = Int", "// no such comment\npublic let a = 1", "/// Of b.\nlet b = 1\npublic let a = 1",
    ])
    func whatOthersCanUseIsDocumented(_ text: String) {
        #expect(Self.problems(text).count == 1, "\(text)")
        let declaration = text.split(whereSeparator: \.isNewline).last ?? ""
        let indented = "/// Of the type.\npublic struct B {\n    /// Of a.\n    \(declaration)\n}"
        #expect(Self.problems(indented).isEmpty, "\(indented)")
    }

    @Test(arguments: [
        "struct A {}", "func f() {}", "package let a = 1", "package init() {}", "public import Quash",
        "public var description: String { a }", "public static func < (left: A, right: A) -> Bool { a }",
        "public func hash(into hasher: inout Hasher) {}", "/// A.\n@safe\npublic struct A {}", "public extension A {}",
        "let text = \"public let a = 1\"", "package func required() {}",
    ])
    func theRestNeedNotBe(_ text: String) {
        #expect(Self.problems(text, requirements: ["required"]).isEmpty, "\(text)")
    }

    @Test func scriptsStopAtTheFirstFailure() {
        let good = "#!/usr/bin/env bash\n# What it does.\nset -euo pipefail\necho\n"
        func problems(_ text: String, isExecutable: Bool = true) -> [String] {
            Self.problems(text, path: "scripts/a", isExecutable: isExecutable)
        }
        #expect(problems(good).isEmpty)
        #expect(problems(good, isExecutable: false) == ["scripts/a: a script that is not executable"])
        #expect(problems("#!/usr/bin/env bash\necho\nset -euo pipefail\n").count == 1)
        #expect(problems("echo\n") == ["scripts/a:1: a script without #!"])
        #expect(problems("#!/usr/bin/env python3\nprint()\n").isEmpty)
    }

    @Test func stringsAndCommentsAreToldFromCode() {
        let text = ##"""
            let a = "x // \(b + "}") \" {" + c // "d"
            let e = #"\" // \#(f) "# + """
              { /* no comment
            """ /* g /* h */ i */ + j
            """##
        let layers = SwiftText(text)
        let code = layers.code.map { SwiftText.words(of: $0).joined(separator: " ") }
        #expect(code == ["let a b c", "let e f", "", "j"])
        #expect(!layers.code.joined().contains { "\"{}/".contains($0) })
        #expect(layers.comments.map { SwiftText.words(of: $0) } == [["d"], [], [], ["g", "h", "i"]])
        let lineLengths = text.split(whereSeparator: \.isNewline).map(\.count)
        #expect(layers.code.map(\.count) == lineLengths)
    }

    @Test func functionsAreToldFromCallsAndRequirements() {
        let text = """
            protocol P {
                func required(a: Int)
                init(b: Int)
                func last()
            }
            struct A: P {
                init(b: Int) { self.init(c: .init()) }
                func required(a: Int = { 1 }()) {
                    if a { b() }
                }
                subscript(c: Int) -> Int {
                    c
                }
            }
            """
        let names = SwiftText(text).functions.map { "\($0.name) \($0.line) \($0.lineCount.map(String.init) ?? "-")" }
        #expect(names == ["required 2 -", "init 3 -", "last 4 -", "init 7 1", "required 8 3", "subscript 11 3"])
    }
}

@Suite struct ImportRuleTests {
    private static func problems(_ files: [(path: String, text: String)]) -> [String] {
        let rules = ImportRules(allowed: ["A": ["CA"], "B": ["A"], "C": []], cModules: ["CA"])
        return rules.violations(in: files.map { SourceFile(path: $0.path, text: $0.text) }).map(\.description)
    }

    private static let good = [
        (path: "Sources/A/A.swift", text: "import CA\nimport Glibc"),
        (path: "Sources/B/B.swift", text: "package import A\n// import CA\nimport struct A.Part"),
    ]

    @Test func arrowsOfTheArchitectureAreAllowed() {
        #expect(Self.problems(Self.good).isEmpty)
    }

    @Test(arguments: [
        ("Sources/B/X.swift", "import CA", 2),
        ("Sources/C/X.swift", "public import A", 1),
        ("Sources/A/X.swift", "@testable import B", 1),
        ("Sources/D/X.swift", "import A", 1),
        ("Sources/A/X.swift", "import struct B.Part", 1),
        ("Sources/A/X.swift", "import FoundationEssentials", 2),
        ("Tests/ATests/X.swift", "import Foundation", 1),
        ("Tests/ATests/X.swift", "import CA", 1),
    ])
    func othersAreNot(path: String, text: String, count: Int) {
        #expect(Self.problems(Self.good + [(path, text)]).count == count)
    }

    @Test func aModuleWithoutAnImporterIsNoLongerNeeded() {
        #expect(Self.problems([Self.good[1]]) == ["Sources/CA: has not one importer: none"])
    }
}
