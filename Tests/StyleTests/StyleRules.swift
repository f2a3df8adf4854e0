/// A place that breaks a rule, as `path:line: what`.
struct Violation: Hashable, CustomStringConvertible {
    let path: String
    /// Counted from 1; nil when the whole file is meant.
    var line: Int?
    let problem: String

    var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(problem)" }
}

/// A text file of the repository.
struct SourceFile {
    let path: String
    let lines: [String]
    /// Only of a Swift file.
    let swift: SwiftText?
    let isExecutable: Bool

    init(path: String, text: String, isExecutable: Bool = false) {
        self.path = path
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        self.lines = lines
        swift = path.hasSuffix(".swift") ? SwiftText(text) : nil
        self.isExecutable = isExecutable
    }

    /// The last part of the path.
    var name: String { String(path.split(separator: "/").last ?? "") }

    /// The target that a Swift file belongs to: the folder below `Sources` or `Tests`.
    var target: String? {
        let parts = path.split(separator: "/")
        guard swift != nil, parts.count > 2, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }

    func violation(_ problem: String, line: Int? = nil) -> Violation {
        Violation(path: path, line: line, problem: problem)
    }
}

/// The rules of one file at a time.
enum StyleRules {
    static let maxFileLines = 400
    static let maxFunctionLines = 70
    static let maxLineCharacters = 120

    /// Parts of names that say nothing about the thing that they name.
    static let emptyWords: Set<String> = [
        "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Handler", "Impl", "Base", "Common",
    ]
    /// Names of other people's making, which have such parts.
    static let foreignNames: Set<String> = ["LogHandler"]

    /// - Parameter requirements: the methods that protocols of this package ask for and say the meaning of.
    static func violations(in file: SourceFile, requirements: Set<String> = []) -> [Violation] {
        size(file) + functions(file) + unfinished(file) + names(file)
            + documentation(file, requirements: requirements) + script(file)
    }

    /// Files and lines that are too long.
    static func size(_ file: SourceFile) -> [Violation] {
        guard file.swift != nil || file.lines.first?.hasPrefix("#!") == true || file.path.hasSuffix(".lua") else {
            return []
        }
        var violations: [Violation] = []
        if file.lines.count > maxFileLines {
            violations.append(file.violation("\(file.lines.count) lines, more than \(maxFileLines)"))
        }
        for (index, line) in file.lines.enumerated() where line.utf8.count > maxLineCharacters {
            // How long a line of a multi-line string is, what it says decides.
            let isWithinString = file.swift?.isWithinString(line: index) ?? false
            if line.count > maxLineCharacters, !isWithinString {
                violations.append(file.violation("a line of \(line.count) characters", line: index + 1))
            }
        }
        return violations
    }

    static func functions(_ file: SourceFile) -> [Violation] {
        guard let swift = file.swift else { return [] }
        return swift.functions.compactMap { function in
            guard let lineCount = function.lineCount, lineCount > maxFunctionLines else { return nil }
            return file.violation(
                "\(function.name) has \(lineCount) lines, more than \(maxFunctionLines)", line: function.line)
        }
    }

    /// Marks of work that was left for later. In Swift they are looked for in comments, elsewhere in all the text.
    static func unfinished(_ file: SourceFile) -> [Violation] {
        let marks: Set<String> = ["TODO", "FIXME", "XXX"]
        return (file.swift?.comments ?? file.lines).enumerated().compactMap { index, line in
            guard let mark = SwiftText.words(of: line).first(where: marks.contains) else { return nil }
            return file.violation("\(mark) on the main line", line: index + 1)
        }
    }

    /// Empty words in the names of types, files and folders.
    static func names(_ file: SourceFile) -> [Violation] {
        guard let swift = file.swift else { return [] }
        var violations = swift.types.filter { !foreignNames.contains($0.name) && hasEmptyWord($0.name) }.map {
            file.violation("the name \($0.name) has an empty word", line: $0.line)
        }
        let parts = file.path.split(separator: "/").flatMap { $0.split(separator: ".") }.map(String.init)
        violations += parts.filter(hasEmptyWord).map { file.violation("the path's part \($0) has an empty word") }
        return violations
    }

    private static func hasEmptyWord(_ name: String) -> Bool {
        words(ofName: name).contains { emptyWords.contains($0) }
    }

    /// `HTTPServer` is two words, and so is `Base64URL`: a word begins where case rises, and with the last capital of
    /// several before a small letter.
    static func words(ofName name: String) -> [String] {
        let characters = Array(name)
        var words: [String] = []
        for (index, character) in characters.enumerated() {
            let isAfterCapital = index > 0 && characters[index - 1].isUppercase
            let isBeforeSmall = index + 1 < characters.count && characters[index + 1].isLowercase
            let begins = character.isUppercase && (!isAfterCapital || isBeforeSmall)
            if words.isEmpty || begins || character == "_" { words.append("") }
            if character != "_" { words[words.count - 1].append(character) }
        }
        return words
    }

    /// What other targets or packages can use, without a word about it.
    ///
    /// Everything public; at the level of this package types and functions, since a property's name and type often say
    /// all that there is. What a protocol asks for has its meaning there.
    static func documentation(_ file: SourceFile, requirements: Set<String> = []) -> [Violation] {
        guard let swift = file.swift, file.path.hasPrefix("Sources/") || file.target == "TestSupport" else { return [] }
        return swift.code.indices.compactMap { index in
            guard let declaration = Declaration(swift.code[index]), declaration.needsDocumentation,
                !requirements.contains(declaration.name)
            else { return nil }
            var above = index - 1
            while above >= 0, swift.code[above].drop(while: \.isWhitespace).hasPrefix("@") { above -= 1 }
            let comment = above >= 0 ? swift.comments[above].drop(while: \.isWhitespace) : ""
            if comment.hasPrefix("///") { return nil }
            return file.violation("\(declaration.summary) has no ///", line: index + 1)
        }
    }

    /// Scripts stop at the first failure and can be started by their name.
    static func script(_ file: SourceFile) -> [Violation] {
        let isPlacedAsScript = file.path.hasPrefix("scripts/") || file.path.hasPrefix(".ci/")
        guard let first = file.lines.first, isPlacedAsScript || first.hasPrefix("#!") else { return [] }
        var violations: [Violation] = []
        if !first.hasPrefix("#!") { violations.append(file.violation("a script without #!", line: 1)) }
        if !file.isExecutable { violations.append(file.violation("a script that is not executable")) }
        let command = file.lines.first { !$0.isEmpty && !$0.hasPrefix("#") }
        if first.hasSuffix("sh"), command != "set -euo pipefail" {
            violations.append(file.violation("a shell script that does not start with set -euo pipefail"))
        }
        return violations
    }
}

/// A declaration that other targets can see, as far as one line of code tells.
private struct Declaration {
    private let isPublic: Bool
    private let kind: String
    let name: String
    private let isOperator: Bool

    private static let modifiers: Set<String> = [
        "static", "final", "mutating", "convenience", "override", "indirect", "nonisolated", "consuming", "borrowing",
        "unowned", "weak", "private", "set", "unsafe", "required",
    ]
    private static let types: Set<String> = ["struct", "class", "enum", "protocol", "actor", "typealias"]
    /// What protocols of the standard library ask for, and say the meaning of.
    private static let witnesses: Set<String> = ["description", "debugDescription", "hash", "next", "customMirror"]

    init?(_ line: String) {
        let words = SwiftText.words(of: line)
        guard let access = words.firstIndex(where: { $0 == "public" || $0 == "package" }),
            access == 0 || line.drop(while: \.isWhitespace).hasPrefix("@")
        else { return nil }
        let declared = words[(access + 1)...].drop { Self.modifiers.contains($0) }
        guard let kind = declared.first, kind != "import", kind != "extension" else { return nil }
        isPublic = words[access] == "public"
        self.kind = kind
        name = declared.dropFirst().first ?? ""
        isOperator = kind == "func" && !line.contains("func \(name)")
    }

    var summary: String { "\(isPublic ? "public" : "package") \(kind)\(kind == "init" ? "" : " \(name)")" }

    var needsDocumentation: Bool {
        if Self.witnesses.contains(name) || isOperator { return false }
        return isPublic || kind == "func" || Self.types.contains(kind)
    }
}
