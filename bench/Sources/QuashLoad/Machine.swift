import BenchResults
import CLinux
import Foundation
import Glibc

extension Run {
    /// This machine, now.
    static func here(isQuick: Bool, bench: String) -> Run {
        let head = (try? Command.run(["git", "-C", bench, "rev-parse", "--short=12", "HEAD"])) ?? ""
        let changes = (try? Command.run(["git", "-C", bench, "status", "--porcelain"])) ?? ""
        let commit = head.trimmingCharacters(in: .whitespacesAndNewlines) + (changes.isEmpty ? "" : "+")
        let kernel = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)) ?? ""
        return Run(
            date: Date().formatted(.iso8601), commit: commit, isQuick: isQuick, processor: processor,
            cores: ProcessInfo.processInfo.processorCount, memoryBytes: ProcessInfo.processInfo.physicalMemory,
            kernel: kernel.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private static var processor: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }
}

/// Where threads run.
enum Core {
    /// Keeps all threads of this process, and those that they start, on one core.
    static func pin(_ core: Int) throws {
        try Command.run(["taskset", "--all-tasks", "--cpu-list", "--pid", "\(core)", "\(getpid())"])
    }

    /// Runs `body` before everything else on the core, where this process may: what shares it with the load, the issuer
    /// and its Redis, must not delay it. Programs that are started meanwhile are not privileged.
    static func first<Value>(_ body: () throws -> Value) rethrows -> Value {
        _ = quash_priority(1)
        defer { _ = quash_priority(0) }
        return try body()
    }
}
