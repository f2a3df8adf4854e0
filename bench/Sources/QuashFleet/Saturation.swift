import BenchResults
import FleetParts
import Foundation

/// Requests that keep a validator's loop busy without a pause, from a process of its own.
final class Saturation {
    private let child: Child

    init(_ validator: ValidatorProcess, token: String, folder: Folder) throws {
        let file = folder.path("saturation-token")
        try Data(token.utf8).write(to: URL(fileURLWithPath: file))
        child = try Child(
            [CommandLine.arguments[0], "--saturate", validator.gatePath, file],
            outputPath: folder.path("saturation.log"))
    }

    func end() { child.end() }

    var isRunning: Bool { child.isRunning }

    // MARK: The process

    /// What the program does that is started to saturate a validator, until it is ended: sixteen requests at a time.
    static func run(_ socket: String, _ tokenFile: String) throws {
        let question = ValidatorProcess.question(try String(contentsOfFile: tokenFile, encoding: .utf8))
        let load = try ClosedLoad(path: socket, connections: 16)
        let outcome = try load.run(seconds: 3600, next: { question }, isRight: { $0.status == 204 })
        throw FleetFailure("the load ended, \(outcome.failures) wrong")
    }
}

/// How long a revocation takes into a validator whose loop is saturated: the feed has a thread of its own.
struct SaturatedPropagation {
    let fleet: QuashProcesses
    let report: Report
    let folder: Folder

    func run() throws {
        report.say("Propagation into a validator whose loop is saturated")
        try fleet.grow(to: 1)
        let token = try fleet.signIn("busy")
        let probe = try AppliedProbe(fleet, report)
        let (rounds, events) = (report.choose(5, 10), report.choose(60, 200))
        var idle = Latencies()
        var busy = Latencies()
        var limits: [Double] = []
        for round in 0...rounds {
            let quiet = try probe.committed(events).stamped
            let load = try Saturation(fleet.validators[0], token: token.access, folder: folder)
            let before = try fleet.validators[0].child.processorMicroseconds
            Clocks.sleep(microseconds: 300_000)
            let used = try fleet.validators[0].child.processorMicroseconds - before
            let loud = try probe.committed(events).stamped
            report.check("the load goes on, and takes most of a core", load.isRunning && used > 100_000)
            load.end()
            guard round > 0 else { continue }
            idle.add(quiet)
            busy.add(loud)
            limits.append(loud.p99 / 1000)
        }
        let group = "committed → applied at 1 validator"
        report.latencies(group, "idle", idle)
        report.latencies(group, "its loop saturated", busy)
        let cores = ProcessInfo.processInfo.activeProcessorCount
        report.goal(
            Goal(
                what: "committed → applied while the loop is saturated, p99", against: "a limit", relation: .atMost,
                limit: cores > 2 ? 0.5 : 2, unit: "ms", rounds: limits,
                note: cores > 2 ? "" : "the loop and the load take both cores: the limit without one to spare"))
        fleet.shrink(to: 0)
    }
}
