import Foundation

extension Run {
    /// This machine, and the commit of the source that the benchmarks were built from, now.
    ///
    /// - Parameter folder: any in the work tree.
    public static func here(isQuick: Bool, folder: String) -> Run {
        let changes = output(of: ["git", "-C", folder, "status", "--porcelain"])
        let commit = output(of: ["git", "-C", folder, "rev-parse", "--short=12", "HEAD"])
        let processors = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = processors.split(separator: "\n").first { $0.hasPrefix("model name") }
        return Run(
            date: Date().formatted(.iso8601),
            commit: commit.isEmpty ? "unknown" : commit + (changes.isEmpty ? "" : "+"),
            isQuick: isQuick,
            processor: model?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            memoryBytes: ProcessInfo.processInfo.physicalMemory, kernel: output(of: ["uname", "-sr"]))
    }

    /// Notes which version of a program takes part: the first line that the command prints.
    public mutating func addVersion(_ program: String, _ command: [String]) {
        versions[program] = Self.output(of: command).split(separator: "\n").first.map(String.init) ?? "unknown"
    }

    /// What a command prints, without the white space around it; empty when it cannot be run.
    private static func output(of command: [String]) -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return "" }
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
