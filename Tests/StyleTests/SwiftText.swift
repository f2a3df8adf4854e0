/// The text of a Swift file in two layers of equal shape: what is code, with strings and comments blanked, and what is
/// comment, with all else blanked. Lines are those of the file in both.
struct SwiftText {
    private(set) var code: [String] = []
    private(set) var comments: [String] = []

    init(_ text: String) {
        var scanner = LayerScanner(text)
        scanner.scan()
        code = Self.lines(scanner.code)
        comments = Self.lines(scanner.comments)
    }

    /// Whether the whole line, counted from 0, is text of a multi-line string.
    func isWithinString(line: Int) -> Bool {
        (code[line] + comments[line]).allSatisfy(\.isWhitespace)
    }

    private static func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }
}

/// Tells code, strings and comments apart, byte by byte.
private struct LayerScanner {
    private(set) var code: [UInt8] = []
    private(set) var comments: [UInt8] = []
    private let text: [UInt8]
    private var position = 0

    init(_ text: String) {
        self.text = Array(text.utf8)
    }

    private enum Layer { case code, comment, string }

    mutating func scan() {
        while position < text.count { scanToken() }
    }

    private mutating func take(_ count: Int, as layer: Layer) {
        for _ in 0..<count where position < text.count {
            let byte = text[position]
            let blank = byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " ")
            code.append(layer == .code ? byte : blank)
            comments.append(layer == .comment ? byte : blank)
            position += 1
        }
    }

    private func isNext(_ token: String) -> Bool {
        text[position...].starts(with: token.utf8)
    }

    private mutating func scanToken() {
        switch text[position] {
        case UInt8(ascii: "/") where isNext("//"):
            while position < text.count, text[position] != UInt8(ascii: "\n") { take(1, as: .comment) }
        case UInt8(ascii: "/") where isNext("/*"):
            scanBlockComment()
        case UInt8(ascii: "\""), UInt8(ascii: "#"):
            if let hashes = hashesOfString { scanString(hashes: hashes) } else { take(1, as: .code) }
        default:
            take(1, as: .code)
        }
    }

    /// Block comments nest.
    private mutating func scanBlockComment() {
        var depth = 0
        repeat {
            if isNext("/*") {
                depth += 1
                take(2, as: .comment)
            } else if isNext("*/") {
                depth -= 1
                take(2, as: .comment)
            } else {
                take(1, as: .comment)
            }
        } while depth > 0 && position < text.count
    }

    /// How many `#` stand before the quote that begins a string here; nil when none begins.
    private var hashesOfString: Int? {
        let hashes = text[position...].prefix { $0 == UInt8(ascii: "#") }.count
        let quote = position + hashes
        return quote < text.count && text[quote] == UInt8(ascii: "\"") ? hashes : nil
    }

    private mutating func scanString(hashes: Int) {
        take(hashes, as: .string)
        let quote = isNext("\"\"\"") ? "\"\"\"" : "\""
        take(quote.utf8.count, as: .string)
        let hashText = String(repeating: "#", count: hashes)
        while position < text.count {
            switch text[position] {
            case UInt8(ascii: "\"") where isNext(quote + hashText):
                take(quote.utf8.count + hashes, as: .string)
                return
            case UInt8(ascii: "\\") where isNext("\\" + hashText + "("):
                take(1 + hashes, as: .string)
                scanInterpolation()
            case UInt8(ascii: "\\") where isNext("\\" + hashText):
                take(2 + hashes, as: .string)
            default:
                take(1, as: .string)
            }
        }
    }

    /// The parentheses of an interpolation and the code in them.
    private mutating func scanInterpolation() {
        var depth = 0
        repeat {
            if isNext("(") { depth += 1 }
            if isNext(")") { depth -= 1 }
            scanToken()
        } while depth > 0 && position < text.count
    }
}
