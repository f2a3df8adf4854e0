import Foundation
import Glibc
import Synchronization

/// A program that runs beside this one, on one core and for its time only: if this process ends, however it ends, the
/// kernel kills it (`setpriv --pdeathsig`).
///
/// The signal comes when the *thread* that started it ends, so only the main thread starts any.
final class ServerProcess {
    let name: String
    private let process = Process()
    private let log: String
    private static let alive = Mutex<Set<Int32>>([])

    /// - Parameter core: where it runs, all its threads.
    /// - Parameter log: the file that its output is written to.
    init(_ name: String, _ arguments: [String], core: Int, environment: [String: String] = [:], log: String) throws {
        self.name = name
        self.log = log
        guard FileManager.default.createFile(atPath: log, contents: nil), let output = FileHandle(forWritingAtPath: log)
        else { throw Failure("\(log) cannot be written") }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        process.arguments = ["--pdeathsig", "KILL", "--", "taskset", "-c", "\(core)"] + arguments
        var variables = ProcessInfo.processInfo.environment
        variables["PATH"] = "\(variables["PATH"] ?? "/usr/bin:/bin"):/usr/sbin:/usr/local/sbin"
        process.environment = variables.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let number = process.processIdentifier
        Self.alive.withLock { _ = $0.insert(number) }
    }

    deinit { kill() }

    var processID: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// All that it wrote so far.
    var output: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// The last of what it wrote, for a message.
    var lastWords: String {
        output.split(separator: "\n").suffix(3).joined(separator: " | ")
    }

    func kill() {
        let number = process.processIdentifier
        guard Self.alive.withLock({ $0.remove(number) }) != nil else { return }
        if process.isRunning { _ = Glibc.kill(number, SIGKILL) }
        process.waitUntilExit()
    }

    /// Waits until it has ended by itself.
    ///
    /// - Returns: what it wrote.
    func finish(within seconds: Double) throws -> String {
        guard poll(seconds: seconds, { !process.isRunning }) else {
            kill()
            throw Failure("\(name) still runs after \(seconds) s: \(lastWords)")
        }
        Self.alive.withLock { _ = $0.remove(process.processIdentifier) }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw Failure("\(name) ended with \(process.terminationStatus): \(lastWords)")
        }
        return output
    }

    /// Kills every one that is alive; for a signal that ends this process.
    static func killAll() {
        for process in alive.withLock({ $0 }) { _ = Glibc.kill(process, SIGKILL) }
    }
}
