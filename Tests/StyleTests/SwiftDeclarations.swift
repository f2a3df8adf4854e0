/// A function, initialiser or subscript.
struct FunctionExtent: Equatable {
    /// Its name, or the word that it is declared with.
    let name: String
    /// Counted from 1.
    let line: Int
    /// From its first line to the end of its body; nil when it has none.
    let lineCount: Int?
}

extension SwiftText {
    /// Every function, initialiser, deinitialiser and subscript.
    var functions: [FunctionExtent] {
        let code = Array(self.code.joined(separator: "\n").utf8)
        var functions: [FunctionExtent] = []
        var line = 1
        var position = 0
        while position < code.count {
            if code[position] == UInt8(ascii: "\n") { line += 1 }
            guard let word = Self.word(in: code, at: position) else {
                position += 1
                continue
            }
            if Self.declaresFunction(word, code, position) {
                let end = Self.end(of: word, code, position)
                let name = word == "func" ? Self.word(in: code, at: position + word.utf8.count + 1) : nil
                functions.append(
                    FunctionExtent(
                        name: name ?? word, line: line,
                        lineCount: end.map { code[position...$0].count { $0 == UInt8(ascii: "\n") } + 1 }))
            }
            position += word.utf8.count
        }
        return functions
    }

    /// The types that are declared here: their names and lines.
    var types: [(name: String, line: Int)] {
        let keywords: Set<String> = ["struct", "class", "enum", "protocol", "actor", "typealias", "extension"]
        var types: [(name: String, line: Int)] = []
        for (index, line) in code.enumerated() {
            let words = Self.words(of: line)
            for (keyword, name) in zip(words, words.dropFirst())
            where keywords.contains(keyword) && !keywords.contains(name) && name != "func" && name != "var" {
                types.append((name, index + 1))
            }
        }
        return types
    }

    /// The words of a line of code.
    static func words(of line: String) -> [String] {
        line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }

    /// The word that begins at `position`.
    private static func word(in code: [UInt8], at position: Int) -> String? {
        guard position < code.count, isWordByte(code[position]), position == 0 || !isWordByte(code[position - 1])
        else { return nil }
        return String(decoding: code[position...].prefix { isWordByte($0) }, as: UTF8.self)
    }

    private static func declaresFunction(_ word: String, _ code: [UInt8], _ position: Int) -> Bool {
        let before = position == 0 ? UInt8(ascii: "\n") : code[position - 1]
        // `self.init(…)` and `.init(…)` are calls; `` `init` `` is a name.
        guard before != UInt8(ascii: "."), before != UInt8(ascii: "`") else { return false }
        return ["func", "init", "deinit", "subscript"].contains(word)
    }

    /// Where the body of the declaration that begins at `position` ends; nil when it has none.
    private static func end(of word: String, _ code: [UInt8], _ position: Int) -> Int? {
        var brackets = 0
        var braces = 0
        var index = position + word.utf8.count
        while index < code.count {
            switch code[index] {
            case UInt8(ascii: "("), UInt8(ascii: "["): brackets += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): brackets -= 1
            case UInt8(ascii: "{") where brackets == 0: braces += 1
            case UInt8(ascii: "}") where brackets == 0:
                braces -= 1
                // Without a body, the brace is that of the protocol around it.
                if braces <= 0 { return braces == 0 ? index : nil }
            default:
                // Another declaration before any body: this one is a protocol's requirement.
                if braces == 0, brackets == 0, let next = Self.word(in: code, at: index),
                    ["func", "var", "let", "init", "subscript", "associatedtype"].contains(next)
                {
                    return nil
                }
            }
            index += 1
        }
        return nil
    }
}
