import QuashJSON
import TestSupport
import Testing

/// The built `quash`, run as a person or a script runs it.
struct QuashProgram {
    struct Result {
        let exit: ChildProcess.Exit
        let output: String
        let errors: String

        /// The lines on standard error, without the program's name.
        var problems: [String] {
            errors.split(separator: "\n").map { $0.hasPrefix("quash: ") ? String($0.dropFirst(7)) : "?? \($0)" }
        }

        var json: JSONValue? { try? JSONValue(parsing: Array(output.utf8).span) }
    }

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// - Parameter input: on standard input, which is empty without it.
    func callAsFunction(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Result {
        let input = try folder.write("input", input)
        let (output, errors) = (folder.path("output"), folder.path("errors"))
        let script = "in=$1 out=$2 err=$3; shift 3; exec \"$@\" <\"$in\" >\"$out\" 2>\"$err\""
        let child = try ChildProcess(
            ["sh", "-c", script, "sh", input, output, errors, Self.path] + arguments, environment: environment)
        let exit = try child.waitForExit(within: .seconds(30))
        return Result(exit: exit, output: TemporaryFolder.read(output), errors: TemporaryFolder.read(errors))
    }

    func callAsFunction(_ arguments: String...) throws -> Result { try self(arguments) }

    static let path = BuiltProgram.path("quash")
}
