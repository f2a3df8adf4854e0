import Glibc
import NemesisHistory
import Quash
import QuashLoop
import TestSupport

/// `QuashNemesis PROGRAM FOLDER SEED smoke|long|SECONDS [FAULT…]`: runs the program `quash` as a fleet of processes,
/// injects faults while clients use it, and exits with 1 when a promise was broken. What happened around a violation,
/// and the logs of all processes, are then left in the folder.
@main
struct QuashNemesis {
    /// How long a run is.
    enum Extent: Equatable {
        case smoke
        case long
        case seconds(Int)

        init?(_ word: String) {
            switch word {
            case "smoke": self = .smoke
            case "long": self = .long
            default:
                guard let seconds = Int(word), seconds > 0 else { return nil }
                self = .seconds(seconds)
            }
        }
    }

    static let longFaults = 200
    static let longRevocations = 100_000

    static func main() async {
        let words = CommandLine.arguments.dropFirst().map { $0 }
        guard words.count >= 4, let seed = UInt64(words[2]), let extent = Extent(words[3]) else {
            say("usage: QuashNemesis PROGRAM FOLDER SEED smoke|long|SECONDS [FAULT...]")
            exit(2)
        }
        do {
            let names = Array(words.dropFirst(4))
            let faults = Fault.allCases.filter { names.isEmpty || names.contains("\($0)") }
            let run = try NemesisRun(program: words[0], folder: words[1], seed: seed, extent: extent, faults: faults)
            exit(try await run.run() ? 0 : 1)
        } catch {
            say("the nemesis cannot run: \(error)")
            exit(2)
        }
    }
}

/// Prints a line, which is there at once even where the output is a file.
private func say(_ line: String) {
    print(line)
    fflush(nil)
}

/// One run, from the start of the fleet to the table.
struct NemesisRun {
    private let fleet: ProcessFleet
    private let observer: Observer
    private let meter: StallMeter
    private let traffic: Traffic
    private let seed: UInt64
    private let extent: QuashNemesis.Extent
    private let faults: [Fault]
    private let folder: String
    private let begun = ContinuousClock.now

    init(program: String, folder: String, seed: UInt64, extent: QuashNemesis.Extent, faults: [Fault]) throws {
        let timing = Timing(lease: .seconds(1), renewInterval: .milliseconds(200))
        let observer = Observer(timing: timing)
        fleet = try ProcessFleet(program: program, timing: timing)
        self.observer = observer
        meter = try StallMeter(folder: fleet.folder) { observer.stalled($0) }
        traffic = Traffic(
            observer: observer, web: try Web(), issuers: fleet.issuers, validators: fleet.validators,
            load: Traffic.Load())
        self.seed = seed
        self.extent = extent
        let setsClocks = !fleet.clockFiles.isEmpty
        self.faults = faults.filter { setsClocks || ($0 != .clockOfValidator && $0 != .clockOfIssuer) }
        self.folder = folder
    }

    /// - Returns: whether every promise was kept.
    func run() async throws -> Bool {
        defer { fleet.stop() }
        let injector = Injector(fleet, observer, traffic, seed: seed, longest: extent == .smoke ? 1.3 : 3)
        say(
            "seed \(seed); lease 1 s, renewed every 200 ms"
                + (fleet.clockFiles.isEmpty ? "; no clock is set, for faketime is not there" : ""))
        say("issuers 2, validators 3, each with a relay between it and Redis")
        // The first epoch; in its first lease nothing is confirmed.
        let number = observer.begin(
            Outage(of: nil, start: Observer.now, keepsLease: false, regain: observer.timing.start))
        guard injector.waitUntilReady() else { return finish(passed: 0, failed: 1) }
        observer.end(number, at: Observer.now)
        traffic.start()
        injector.sleep(.seconds(2))
        var passed = 0
        var failed = 0
        while let fault = next(passed + failed, injector) {
            let start = ContinuousClock.now
            let isPassed = try injector.inject(fault)
            if isPassed { passed += 1 } else { failed += 1 }
            tell(
                passed + failed, fault.rawValue + (injector.remark.isEmpty ? "" : " (\(injector.remark))"), isPassed,
                ContinuousClock.now - start)
            if observer.violations.count > 50 { break }
        }
        await traffic.stop()
        await traffic.sweep()
        observer.settle()
        return finish(passed: passed, failed: failed)
    }

    private func next(_ count: Int, _ injector: Injector) -> Fault? {
        let elapsed = ContinuousClock.now - begun
        switch extent {
        case .smoke:
            let chosen = Fault.smoke.filter { faults.contains($0) }
            return count < chosen.count ? chosen[count] : nil
        case .long:
            let isEnough =
                count >= QuashNemesis.longFaults && observer.revocations >= QuashNemesis.longRevocations
            if isEnough { return nil }
        case .seconds(let seconds):
            if elapsed >= .seconds(seconds) { return nil }
        }
        // Each once, before chance decides.
        return count < faults.count ? faults[count] : faults.randomElement(using: &injector.random)
    }

    private func tell(_ count: Int, _ fault: String, _ isPassed: Bool, _ took: Duration) {
        let elapsed = Figures.text(ContinuousClock.now - begun)
        say(
            "\(isPassed ? "ok  " : "FAIL") \(count) at \(elapsed): \(fault), \(Figures.text(took)); "
                + "\(observer.revocations) revocations")
        if !isPassed { writeDown() }
    }

    /// The history around the last violation, and the logs of the processes.
    private func writeDown() {
        guard let last = observer.violations.last else { return }
        let name = "\(folder)/violation-\(observer.violations.count).log"
        for violation in observer.violations.suffix(5) {
            say("     \(Observer.text(violation.at)) \(violation.kind.rawValue): \(violation.what)")
        }
        say("     the history around it: \(name)")
        let text = observer.violations.map { "\(Observer.text($0.at)) \($0.kind.rawValue): \($0.what)" }
        do {
            try write(text.joined(separator: "\n") + "\n\n" + observer.history(around: last.at) + "\n", to: name)
            for node in fleet.nodes + [fleet.twin] { try copy(node.logPath, "\(node.name).log") }
            try copy(fleet.folder.path("redis.log"), "redis.log")
        } catch {
            say("     it cannot be written: \(error)")
        }
    }

    private func copy(_ path: String, _ name: String) throws {
        try write(TemporaryFolder.read(path), to: "\(folder)/\(name)")
    }

    private func write(_ text: String, to path: String) throws {
        guard let file = unsafe fopen(path, "w") else { throw TestSupportError.lastCall("open \(path)") }
        defer { unsafe fclose(file) }
        let bytes = Array(text.utf8)
        // SAFETY: the pointer and its count are those of one contiguous buffer, valid during the call.
        _ = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
    }

    private func finish(passed: Int, failed: Int) -> Bool {
        let figures = observer.figures
        var sum = Figures()
        say("\n" + Figures.head)
        for name in Fault.allCases.map(\.rawValue) + [Observer.calm] {
            guard let row = figures[name] else { continue }
            say(row.row(name))
            sum.add(row)
        }
        say(sum.row("all"))
        let answers = sum.accepted + sum.refused + sum.unavailable
        say(
            "\n\(sum.faults) faults, \(sum.revocations) revocations, \(answers) answers of validators in "
                + "\(Figures.text(ContinuousClock.now - begun)); the machine stood still for \(Figures.text(meter.sum))"
        )
        if !observer.violations.isEmpty { writeDown() }
        let stray = observer.violations.isEmpty || failed > 0 ? 0 : 1
        say("\(passed) passed, \(failed + stray) failed")
        return observer.violations.isEmpty && failed == 0
    }
}
