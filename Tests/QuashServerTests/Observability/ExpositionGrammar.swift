/// A reader of the Prometheus text format 0.0.4, for tests: it takes what the format's grammar takes and nothing else.
struct Exposition {
    struct Sample: Hashable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    private(set) var help: [String: String] = [:]
    private(set) var types: [String: String] = [:]
    private(set) var samples: [Sample] = []

    struct Flaw: Error {
        let line: String
    }

    init(_ text: String) throws {
        guard text.isEmpty || text.hasSuffix("\n") else { throw Flaw(line: "the last line has no end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            try read(String(line))
        }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    private mutating func read(_ line: String) throws {
        let parts = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        if line.hasPrefix("# HELP "), parts.count == 4 {
            guard help.updateValue(parts[3], forKey: parts[2]) == nil else { throw Flaw(line: line) }
        } else if line.hasPrefix("# TYPE "), parts.count == 4 {
            guard types.updateValue(parts[3], forKey: parts[2]) == nil,
                ["counter", "gauge", "histogram"].contains(parts[3])
            else { throw Flaw(line: line) }
        } else {
            samples.append(try Self.sample(line))
            guard let last = samples.last,
                samples.filter({ $0.name == last.name && $0.labels == last.labels }).count == 1,
                types.keys.contains(where: {
                    last.name == $0 || ["_bucket", "_sum", "_count"].map($0.appending).contains(last.name)
                })
            else { throw Flaw(line: line) }
        }
    }

    private static func sample(_ line: String) throws -> Sample {
        var rest = line[...]
        let name = take(&rest) { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
        guard !name.isEmpty else { throw Flaw(line: line) }
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest.removeFirst()
            while rest.first != "}" {
                let label = take(&rest) { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
                guard !label.isEmpty, rest.hasPrefix("=\"") else { throw Flaw(line: line) }
                rest = rest.dropFirst(2)
                var value = ""
                while let character = rest.popFirst(), character != "\"" {
                    guard character == "\\" else {
                        value.append(character)
                        continue
                    }
                    switch rest.popFirst() {
                    case "\\": value += "\\"
                    case "\"": value += "\""
                    case "n": value += "\n"
                    default: throw Flaw(line: line)
                    }
                }
                labels[label] = value
                if rest.first == "," { rest.removeFirst() } else if rest.first != "}" { throw Flaw(line: line) }
            }
            rest.removeFirst()
        }
        guard rest.popFirst() == " ", let value = rest == "+Inf" ? .infinity : Double(rest) else {
            throw Flaw(line: line)
        }
        return Sample(name: name, labels: labels, value: value)
    }

    private static func take(_ text: inout Substring, while condition: (Character) -> Bool) -> String {
        let taken = text.prefix(while: condition)
        text = text[taken.endIndex...]
        return String(taken)
    }
}

extension String {
    fileprivate func appending(_ suffix: String) -> String { self + suffix }
}
