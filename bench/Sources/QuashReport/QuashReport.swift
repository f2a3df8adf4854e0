import BenchReport
import Foundation

/// Shows what a run of the benchmarks found, or how one stands to another.
@main
enum QuashReport {
    /// Ends with 2 when what was given cannot be read or understood.
    static func main() {
        do {
            let text = try Command(Array(CommandLine.arguments.dropFirst())).run()
            FileHandle.standardOutput.write(Data(text.utf8))
        } catch {
            FileHandle.standardError.write(Data("QuashReport: \(error)\n".utf8))
            exit(2)
        }
    }
}
