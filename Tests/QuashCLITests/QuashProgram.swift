import Glibc
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

    /// The program lies beside the program that runs the tests.
    static let path: String = {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            // SAFETY: readlink(2) writes at most the given count of bytes, and says how many.
            unsafe readlink("/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        let own = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        return own.lastIndex(of: "/").map { own[...$0] + "quash" } ?? "quash"
    }()
}
