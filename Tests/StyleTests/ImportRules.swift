/// Who may import whom. The compiler does not check it: a module that was built for another target can be imported
/// without being a declared dependency, and a C module always.
struct ImportRules {
    /// For each target under Sources the modules that it may import, besides those that all may.
    let allowed: [String: Set<String>]
    /// The modules of C libraries, each imported by one target.
    let cModules: Set<String>
    /// What every target may import.
    var always: Set<String> = ["Glibc", "Synchronization"]

    /// The picture of targets in the architecture, arrow by arrow.
    static let quash = ImportRules(
        allowed: [
            "QuashCrypto": ["COpenSSL"],
            "QuashJSON": [],
            "QuashProcess": [],
            "QuashLoop": ["CUV", "QuashCrypto"],
            "QuashHTTP": ["QuashLoop", "QuashCrypto"],
            "QuashRedis": ["CHiredis", "QuashLoop", "QuashCrypto"],
            "QuashJWT": ["QuashCrypto", "QuashJSON"],
            "Quash": ["QuashJWT", "QuashCrypto"],
            "QuashServer": [
                "Quash", "QuashHTTP", "QuashRedis", "QuashLoop", "QuashJWT", "QuashJSON", "QuashCrypto", "CYAML",
                "Logging",
            ],
            "QuashCLI": [
                "QuashServer", "QuashProcess", "Quash", "QuashHTTP", "QuashRedis", "QuashJWT", "QuashJSON", "QuashLoop",
                "QuashCrypto", "ArgumentParser", "Logging",
            ],
        ],
        cModules: ["CUV", "CHiredis", "COpenSSL", "CYAML"])

    func violations(in files: [SourceFile]) -> [Violation] {
        var violations: [Violation] = []
        var importers: [String: Set<String>] = [:]
        for file in files {
            guard let target = file.target else { continue }
            for (module, line) in file.imports {
                if cModules.contains(module) { importers[module, default: []].insert(target) }
                if module.hasPrefix("Foundation") { violations.append(file.violation("imports \(module)", line: line)) }
                guard file.path.hasPrefix("Sources/") else { continue }
                if allowed[target]?.union(always).contains(module) != true {
                    violations.append(file.violation("\(target) may not import \(module)", line: line))
                }
            }
        }
        for module in cModules.sorted() where importers[module]?.count != 1 {
            let names = importers[module, default: []].sorted().joined(separator: ", ")
            violations.append(
                Violation(path: "Sources/\(module)", problem: "has not one importer: \(names.isEmpty ? "none" : names)")
            )
        }
        return violations
    }
}

extension SourceFile {
    /// The modules that a Swift file imports.
    var imports: [(module: String, line: Int)] {
        guard let swift else { return [] }
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "var", "let"]
        return swift.code.enumerated().compactMap { index, line in
            guard line.contains("import") else { return nil }
            let words = SwiftText.words(of: line).drop { $0 != "import" }.dropFirst().drop(while: kinds.contains)
            return words.first.map { ($0, index + 1) }
        }
    }
}
