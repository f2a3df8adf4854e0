import BenchResults
import Quash

/// What one core does without a network: decide about tokens, and look revocations up.
@main
enum QuashBench {
    static func main() throws {
        let options = try Options(CommandLine.arguments.dropFirst())
        var results = Results(run: .here(isQuick: options.isQuick, folder: sourceFolder))
        results.run.addVersion("openssl", ["openssl", "version"])
        let rounds = options.isQuick ? 3 : 7

        print("decisions in a process, beside openssl speed: \(rounds) rounds")
        try Decisions(rounds: rounds).measure(into: &results)
        for millions in options.isQuick ? [1] : [1, 10] {
            print("an index of \(millions) million revocations")
            try IndexFigures(count: millions * 1_000_000, rounds: rounds).measure(into: &results)
        }
        for figure in results.figures { print(text(figure)) }
        for goal in results.goals { print(text(goal)) }
        if let output = options.output { try results.write(to: output) }
    }

    private static var sourceFolder: String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }

    private static func text(_ figure: Figure) -> String {
        "  \(figure.group), \(figure.subject): \(rounded(figure.median)) \(figure.unit)"
    }

    private static func text(_ goal: Goal) -> String {
        let reach = "\(goal.relation.rawValue) \(goal.limit)"
        return "  \(goal.what), against \(goal.against): \(rounded(goal.rounds.median)), to reach \(reach)"
    }

    /// With two digits behind the point below 100.
    private static func rounded(_ number: Double) -> String {
        number >= 100 ? "\(Int(number.rounded()))" : "\((number * 100).rounded() / 100)"
    }
}

private struct Options {
    var isQuick = false
    var output: String?

    init(_ words: ArraySlice<String>) throws {
        var words = words
        while let word = words.popFirst() {
            switch word {
            case "--quick": isQuick = true
            case "--output":
                guard let path = words.popFirst() else { throw ResultsError("--output wants a path") }
                output = path
            default: throw ResultsError("unknown: \(word). Usage: QuashBench [--quick] [--output FILE]")
            }
        }
    }
}
