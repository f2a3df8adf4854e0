import TestSupport

/// A node of a YAML document, in the part of YAML that the files in `docker/` keep to.
indirect enum YAMLNode: Equatable {
    case scalar(String)
    case list([YAMLNode])
    case map([String: YAMLNode])
    case null

    subscript(key: String) -> YAMLNode? {
        if case .map(let members) = self { members[key] } else { nil }
    }

    var text: String? {
        if case .scalar(let text) = self { text } else { nil }
    }

    /// The texts of a list of scalars; empty for anything else.
    var texts: [String] {
        if case .list(let elements) = self { elements.compactMap(\.text) } else { [] }
    }

    var elements: [YAMLNode] {
        if case .list(let elements) = self { elements } else { [] }
    }

    var map: [String: YAMLNode] {
        if case .map(let members) = self { members } else { [:] }
    }
}

/// Reads block mappings, scalars, lists on one line, lists of mappings, anchors, aliases and merge keys, which is what
/// compose files and gateways need and `YAMLDocument`, made for settings, refuses. Anything else is an error: a
/// test must not overlook what it cannot read.
struct YAMLReader {
    private struct Line {
        let number: Int
        let indent: Int
        let text: Substring
    }

    private var lines: ArraySlice<Line>
    private var anchors: [String: YAMLNode] = [:]

    static func read(_ text: String) throws -> YAMLNode {
        var reader = YAMLReader(text)
        let document = try reader.map(indent: 0)
        guard reader.lines.isEmpty else { throw reader.flaw("is not indented as the lines before it") }
        return document
    }

    private init(_ text: String) {
        let split = text.split(separator: "\n", omittingEmptySubsequences: false)
        lines =
            split.enumerated().compactMap { index, line in
                let text = line.drop { $0 == " " }
                guard !text.isEmpty, text.first != "#" else { return nil }
                return Line(number: index + 1, indent: line.count - text.count, text: text)
            }[...]
    }

    private mutating func map(indent: Int) throws -> YAMLNode {
        var (own, merged): ([String: YAMLNode], [String: YAMLNode]) = ([:], [:])
        while let line = lines.first, line.indent >= indent {
            guard line.indent == indent, let colon = line.text.firstIndex(of: ":"),
                line.text[..<colon].allSatisfy({ $0.isLetter || $0.isNumber || "-_<".contains($0) })
            else { throw flaw("is not «key: value»") }
            lines.removeFirst()
            let key = String(line.text[..<colon])
            let value = try value(line.text[line.text.index(after: colon)...], line)
            if key == "<<" {
                merged.merge(value.map) { _, later in later }
            } else if own.updateValue(value, forKey: key) != nil {
                throw TestSupportError("line \(line.number): \(key) is there twice")
            }
        }
        return .map(merged.merging(own) { _, own in own })
    }

    private mutating func value(_ rest: Substring, _ line: Line) throws -> YAMLNode {
        guard rest.isEmpty || rest.first == " " else { throw flaw("has no space after its colon", line) }
        var text = rest.drop { $0 == " " }
        var anchor: String?
        if text.first == "&" {
            anchor = String(text.dropFirst().prefix { $0 != " " })
            text = text.drop { $0 != " " }.drop { $0 == " " }
        }
        let node: YAMLNode
        if text.isEmpty {
            if let next = lines.first, next.indent > line.indent {
                node = try next.text.hasPrefix("- ") ? list(indent: next.indent) : map(indent: next.indent)
            } else {
                node = .null
            }
        } else {
            node = try scalarOrList(text, line)
        }
        if let anchor { anchors[anchor] = node }
        return node
    }

    /// Elements that are mappings, each of which begins on the line of its hyphen.
    private mutating func list(indent: Int) throws -> YAMLNode {
        var elements: [YAMLNode] = []
        while let line = lines.first, line.indent >= indent {
            guard line.indent == indent, line.text.hasPrefix("- ") else { throw flaw("is not an element of the list") }
            let text = line.text.dropFirst().drop { $0 == " " }
            let inner = Line(number: line.number, indent: line.indent + line.text.count - text.count, text: text)
            lines[lines.startIndex] = inner
            elements.append(try map(indent: inner.indent))
        }
        return .list(elements)
    }

    private func scalarOrList(_ text: Substring, _ line: Line) throws -> YAMLNode {
        switch text.first {
        case "*":
            guard let node = anchors[String(text.dropFirst())] else { throw flaw("has an alias of nothing", line) }
            return node
        case "[":
            guard text.last == "]" else { throw flaw("has a list that goes on", line) }
            return .list(try elements(text.dropFirst().dropLast(), line).map { try scalarOrList($0, line) })
        case "\"":
            let inner = text.dropFirst().dropLast()
            guard text.count > 1, text.last == "\"", !inner.contains("\""), !inner.contains("\\") else {
                throw flaw("has quotes in quotes", line)
            }
            return .scalar(String(inner))
        case "{", "&", "!", "|", ">", "'", "%", "@", "`":
            throw flaw("has what this reader does not read", line)
        default:
            guard !text.contains(" #"), !text.contains(": ") else { throw flaw("has a comment or a colon in it", line) }
            return .scalar(String(text))
        }
    }

    /// The parts between commas, but for those in quotes.
    private func elements(_ text: Substring, _ line: Line) throws -> [Substring] {
        var parts: [Substring] = []
        var (start, isQuoted) = (text.startIndex, false)
        for index in text.indices {
            if text[index] == "\"" { isQuoted.toggle() }
            if text[index] == "," && !isQuoted {
                parts.append(text[start..<index])
                start = text.index(after: index)
            }
        }
        guard !isQuoted, !text.contains("[") else { throw flaw("has a list in a list, or an open quote", line) }
        parts.append(text[start...])
        return parts.map { part in part.drop { $0 == " " } }
    }

    private func flaw(_ words: String, _ line: Line? = nil) -> TestSupportError {
        TestSupportError("line \((line ?? lines.first)?.number ?? 0) \(words)")
    }
}
