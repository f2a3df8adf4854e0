import CLinux
import Glibc

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
