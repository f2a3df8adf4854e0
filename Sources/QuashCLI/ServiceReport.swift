import Glibc
import QuashLoop
import QuashServer
import Synchronization

/// A role that runs in this process.
struct RunningRole {
    let stop: () -> Void
    let reload: () -> Void
    /// What is missing for all of its work; nothing when it is ready.
    let problems: () -> [String]
    /// Whether it is told to be started only when nothing is missing.
    let startsWhenReady: Bool
    /// Calls back, on whatever thread, once each of its loops has answered.
    let probe: (_ answered: @escaping @Sendable () -> Void) -> Void
}

/// Tells systemd how a role is (sd_notify(3)): started, what it lacks, and, when a watchdog is wanted, that all of its
/// loops still turn. A process that systemd did not start has nobody to tell, and does nothing.
final class ServiceReport {
    private static let startInterval: Duration = .milliseconds(50)
    private static let statusInterval: Duration = .seconds(1)

    private let loop: Loop
    private let role: RunningRole
    private let watchdog = Watchdog()
    private var status: Timer?
    private var pulse: Timer?
    private var hasStarted = false
    private var said: [String]?

    init(on loop: Loop, _ role: RunningRole, environment: [String: String]) {
        self.loop = loop
        self.role = role
        guard environment["NOTIFY_SOCKET"] != nil else { return }
        status = Timer(on: loop) { [unowned self] in tell() }
        status?.start(after: .zero, repeating: Self.startInterval)
        guard let interval = Self.watchdogInterval(environment, process: getpid()) else { return }
        pulse = Timer(on: loop) { [watchdog] in watchdog.ask(role.probe) }
        pulse?.start(after: .zero, repeating: interval)
    }

    /// A third of the time after which systemd ends a service that is silent; nil when it does not watch this process
    /// (sd_watchdog_enabled(3)).
    static func watchdogInterval(_ environment: [String: String], process: pid_t) -> Duration? {
        guard let limit = environment["WATCHDOG_USEC"].flatMap(Int64.init), limit > 0 else { return nil }
        if let watched = environment["WATCHDOG_PID"], watched != "\(process)" { return nil }
        return .microseconds(limit) / 3
    }

    private func tell() {
        let problems = role.problems()
        if problems != said {
            said = problems
            ServiceNotification.send(
                "STATUS=" + (problems.isEmpty ? "ready" : "not ready: \(problems.joined(separator: "; "))"))
        }
        guard !hasStarted, problems.isEmpty || !role.startsWhenReady else { return }
        hasStarted = true
        ServiceNotification.send("READY=1")
        status?.start(after: Self.statusInterval, repeating: Self.statusInterval)
    }

    /// Does what a reload is. A service that has not started yet is not told to be reloading: the end of that would
    /// count as its start.
    func reloading(_ reload: () -> Void) {
        if hasStarted {
            // Of CLOCK_MONOTONIC, by which the loop counts.
            let now = loop.now.nanoseconds / 1000
            ServiceNotification.send("RELOADING=1\nMONOTONIC_USEC=\(now)")
        }
        reload()
        if hasStarted { ServiceNotification.send("READY=1") }
    }

    /// The service ends; nothing is told after this.
    func stopping() {
        status?.close()
        pulse?.close()
        ServiceNotification.send("STOPPING=1")
    }
}

/// Passes the answer of all loops on to systemd's watchdog. One question is under way at a time, so that a loop which
/// hangs does not collect them.
private final class Watchdog: Sendable {
    private let isAsked = Atomic(false)

    func ask(_ probe: (@escaping @Sendable () -> Void) -> Void) {
        guard !isAsked.exchange(true, ordering: .relaxed) else { return }
        probe { [self] in
            isAsked.store(false, ordering: .relaxed)
            ServiceNotification.send("WATCHDOG=1")
        }
    }
}
