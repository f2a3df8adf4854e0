import Glibc
import NemesisHistory
import Quash
import QuashLoop
import TestSupport

/// One process of the fleet, as those see it that ask it something.
final class Node: Sendable {
    enum Role: String, Sendable {
        case issuer
        case validator
    }

    let name: String
    let role: Role
    /// Where clients and gateways ask.
    let endpoint: Endpoint
    let adminEndpoint: Endpoint
    let logPath: String
    private let arguments: [String]
    private let environment: [String: String]
    private let started = Locked(BootInstant(nanoseconds: 0))
    private let away = Locked(true)
    private let process = Locked<Running?>(nil)

    private final class Running: @unchecked Sendable {
        // SAFETY of @unchecked: used under the lock that holds it.
        let child: ChildProcess
        init(_ child: ChildProcess) { self.child = child }
    }

    /// - Parameter nodeID: its name in the feed; another process may have the same.
    init(
        _ role: Role, _ name: String, nodeID: String, in folder: TemporaryFolder, program: String,
        arguments: [String], environment: [String: String]
    ) {
        self.role = role
        self.name = name
        endpoint = .unix(path: folder.path("\(name).sock"))
        adminEndpoint = .unix(path: folder.path("\(name)-admin.sock"))
        logPath = folder.path("\(name).log")
        self.arguments =
            [program, role.rawValue, "--node-id", nodeID, "--listen", "\(endpoint)", "--admin-listen"]
            + ["\(adminEndpoint)"] + arguments
        self.environment = environment
    }

    /// When the process that runs now was about to be started.
    var startTime: BootInstant { started.withLock { $0 } }

    /// Whether a fault keeps it from answering, so that asking it is mostly a waste.
    var isAway: Bool { away.withLock { $0 } }

    func setAway(_ isAway: Bool) { away.withLock { $0 = isAway } }

    /// - Returns: when it was about to be started.
    @discardableResult
    func start() throws -> BootInstant {
        let now = ClockReading.now().boot
        started.withLock { $0 = now }
        let child = try ChildProcess(arguments, environment: environment, outputPath: logPath)
        process.withLock { $0 = Running(child) }
        setAway(false)
        return now
    }

    func kill() {
        setAway(true)
        process.withLock { $0?.child.kill() }
    }

    /// SIGSTOP, and waits until it stands still.
    func stop() {
        signal(SIGSTOP)
        let id = process.withLock { $0?.child.processID ?? 0 }
        // Stopped is state T, after the closing parenthesis of the name: proc(5), /proc/pid/stat.
        poll { TemporaryFolder.read("/proc/\(id)/stat").contains(") T ") }
    }

    func signal(_ number: Int32) { process.withLock { $0?.child.signal(number) } }

    /// SIGTERM, and waits for its end.
    func end() throws {
        setAway(true)
        signal(SIGTERM)
        guard poll(within: .seconds(15), { !isRunning }) else { throw TestSupportError("\(name) does not end") }
    }

    var isRunning: Bool { process.withLock { $0?.child.isRunning ?? false } }
}
