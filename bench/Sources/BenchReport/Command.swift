import BenchResults
import Foundation

/// What the program is asked to do.
public enum Command: Equatable, Sendable {
    /// Writes a page, a text for a README, or both.
    case report(results: String, html: String?, markdown: String?)
    /// Makes one result of the parts of a run.
    case merge(parts: [String], into: String)
    /// Prints how the second run stands to the first.
    case compare(first: String, second: String)
    /// Prints how the program is called.
    case help

    /// How the program is called.
    public static let usage = """
        usage: QuashReport report RESULTS.json [--html OUT.html] [--markdown OUT.md]
               QuashReport compare A.json B.json
               QuashReport merge OUT.json PART.json ...

        """

    /// - Parameter arguments: without the name of the program.
    public init(_ arguments: [String]) throws {
        switch arguments.first {
        case "report": self = try Self.report(Array(arguments.dropFirst()))
        case "compare":
            guard arguments.count == 3 else { throw CommandError("compare takes two files", Self.usage) }
            self = .compare(first: arguments[1], second: arguments[2])
        case "merge":
            guard arguments.count >= 3 else { throw CommandError("merge takes an output and parts", Self.usage) }
            self = .merge(parts: Array(arguments[2...]), into: arguments[1])
        case "help", "--help", "-h": self = .help
        case let other: throw CommandError(other.map { "there is no command \($0)" } ?? "no command", Self.usage)
        }
    }

    private static func report(_ arguments: [String]) throws -> Command {
        var results: String?
        var outputs: [String: String] = [:]
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--html", "--markdown":
                guard let path = rest.popFirst(), !path.hasPrefix("--") else {
                    throw CommandError("\(argument) takes a file", usage)
                }
                outputs[argument] = path
            case _ where argument.hasPrefix("--"): throw CommandError("there is no option \(argument)", usage)
            case _ where results == nil: results = argument
            default: throw CommandError("report takes one file of results, not \(argument), too", usage)
            }
        }
        guard let results else { throw CommandError("report takes a file of results", usage) }
        guard !outputs.isEmpty else { throw CommandError("report needs --html, --markdown or both", usage) }
        return .report(results: results, html: outputs["--html"], markdown: outputs["--markdown"])
    }

    /// - Returns: what is to be printed.
    public func run() throws -> String {
        switch self {
        case .help: return Self.usage
        case .compare(let first, let second): return try Comparison(Self.read(first), Self.read(second)).text()
        case .merge(let parts, let output):
            var merged = try Self.read(parts[0])
            for part in parts.dropFirst() { merged.merge(try Self.read(part)) }
            do {
                try merged.write(to: output)
            } catch {
                throw CommandError("\(output) cannot be written: \(error.localizedDescription)")
            }
            return ""
        case .report(let path, let html, let markdown):
            let results = try Self.read(path)
            if let html { try Self.write(HTMLReport.render(results), to: html) }
            if let markdown { try Self.write(MarkdownReport.render(results), to: markdown) }
            return ""
        }
    }

    private static func read(_ path: String) throws -> Results {
        do {
            return try Results(readingFrom: path)
        } catch let error as ResultsError {
            throw CommandError(error.description)
        } catch let error as DecodingError {
            throw CommandError("\(path) is not a file of results: \(error.reason)")
        } catch {
            throw CommandError("\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    private static func write(_ text: String, to path: String) throws {
        do {
            // In place: a file put there by renaming would take the place of a device such as /dev/stdout.
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            throw CommandError("\(path) cannot be written: \(error.localizedDescription)")
        }
    }
}

/// Why nothing was done.
public struct CommandError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String, _ usage: String = "") {
        self.description = usage.isEmpty ? description : "\(description)\n\(usage.dropLast())"
    }
}

extension DecodingError {
    /// Where, and what.
    fileprivate var reason: String {
        let (context, missing): (Context, String?) =
            switch self {
            case .keyNotFound(let key, let context): (context, key.stringValue)
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
                (context, nil)
            @unknown default: (Context(codingPath: [], debugDescription: localizedDescription), nil)
            }
        let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        let place = path.isEmpty ? "" : " in \(path)"
        return missing.map { "there is no \($0)\(place)" } ?? "\(context.debugDescription)\(place)"
    }
}
