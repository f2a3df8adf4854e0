import ArgumentParser
import QuashServer

/// `quash`: everything that Quash runs and everything that operates it, in one binary.
@main
struct QuashCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quash",
        abstract: "Takes signed tokens back: an issuer, its validators, and what operates them.",
        discussion: """
            Exit codes: 0 done or confirmed, 2 wrong usage or configuration, 3 stored but not confirmed, or accepted \
            after it was revoked, 4 refused, 5 unreachable.
            """,
        version: "quash \(BuildVersion.current)",
        subcommands: [
            IssuerCommand.self, ValidatorCommand.self, DemoCommand.self, RevokeCommand.self, StatusCommand.self,
            NodesCommand.self, RecoverCommand.self, KeysCommand.self, TokenCommand.self, FeedCommand.self,
            ConfigCommand.self, CanaryCommand.self,
            HealthcheckCommand.self, VersionCommand.self,
        ])

    /// Runs the command that the arguments name, and ends with the exit code that scripts rely on. Whatever went wrong
    /// is told on standard error, a line for each problem.
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch let failure as CommandFailure {
            Terminal.complain(failure.lines)
            exit(withCode: failure.outcome)
        } catch let error as ConfigurationError {
            Terminal.complain(error.problems)
            exit(withCode: .usage)
        } catch {
            // argument-parser's own: help and version are no failures; its usage errors would exit with 64.
            guard exitCode(for: error) != .success else { exit(withError: error) }
            Terminal.complain(["\(sentence(message(for: error))); `\(name(of: arguments)) --help` tells what it takes"])
            exit(withCode: .usage)
        }
    }

    /// A message of argument-parser's as a part of one of ours: without its capital and its final stop, on one line.
    private static func sentence(_ message: String) -> String {
        var text = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        if text.hasSuffix(".") { text.removeLast() }
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    /// The command that `arguments` begin with, such as `quash keys list`.
    private static func name(of arguments: [String]) -> String {
        var command: any ParsableCommand.Type = self
        var name = "quash"
        for argument in arguments {
            let next = command.configuration.subcommands.first { $0.configuration.commandName == argument }
            guard let next else { break }
            command = next
            name += " \(argument)"
        }
        return name
    }

    private static func exit(withCode outcome: Outcome) -> Never {
        exit(withError: ExitCode(outcome.rawValue))
    }
}
