import Glibc
import NemesisHistory
import Quash
import QuashLoop
import TestSupport

/// One run: a fleet with one Redis, then one behind sentinels; and the table of both.
final class NemesisRun {
    private let program: String
    private let folder: String
    private let seed: UInt64
    private let extent: QuashNemesis.Extent
    private let faults: [Fault]
    private let begun = ContinuousClock.now
    private let isInterrupted = Locked(false)
    private let signals: LoopThread
    private var passed = 0
    private var failed = 0
    private var figures: [String: Figures] = [:]
    private var stalled = Duration.zero

    init(program: String, folder: String, seed: UInt64, extent: QuashNemesis.Extent, faults: [Fault]) throws {
        self.program = program
        self.folder = folder
        self.seed = seed
        self.extent = extent
        self.faults = faults
        signals = try LoopThread(name: "signals")
        try signals.call { [isInterrupted] loop in
            let source = try SignalSource(on: loop, [SIGTERM, SIGINT]) { _ in
                // The second time, at once: the kernel ends the processes of the fleet.
                if isInterrupted.withLock({ $0 }) { _exit(130) }
                isInterrupted.withLock { $0 = true }
            }
            Self.keep(source)
        }
    }

    /// Signals are heard for as long as the process lives.
    private static func keep(_ source: SignalSource) { unsafe _ = Unmanaged.passRetained(source) }

    /// - Returns: whether every promise was kept.
    func run() async throws -> Bool {
        say("seed \(seed); lease 1 s, renewed every 200 ms; issuers 2, validators 3")
        try await stage(hasSentinels: false)
        try await stage(hasSentinels: true)
        say("\n" + Figures.head)
        var sum = Figures()
        for name in Fault.allCases.map(\.rawValue) + [Observer.calm] {
            guard let row = figures[name] else { continue }
            say(row.row(name))
            sum.add(row)
        }
        say(sum.row("all"))
        let answers = sum.accepted + sum.refused + sum.unavailable
        say(
            "\n\(sum.faults) faults, \(sum.revocations) revocations, \(answers) answers of validators in "
                + "\(Figures.text(ContinuousClock.now - begun)); the machine stood still for \(Figures.text(stalled))")
        say("\(passed) passed, \(failed) failed")
        return failed == 0 && !isInterrupted.withLock { $0 }
    }

    // MARK: A stage

    private func stage(hasSentinels: Bool) async throws {
        let faults = faults.filter {
            hasSentinels ? Fault.behindSentinels.contains($0) : !Fault.failovers.contains($0)
        }
        guard !faults.isEmpty, !isInterrupted.withLock({ $0 }) else { return }
        let timing = Timing(
            lease: .seconds(1), renewInterval: .milliseconds(200), fence: hasSentinels ? .seconds(3) : .zero)
        let observer = Observer(timing: timing)
        let fleet = try ProcessFleet(program: program, timing: timing, hasSentinels: hasSentinels)
        defer { fleet.stop() }
        let meter = StallMeter(folder: fleet.folder) { observer.stalled($0) }
        let traffic = Traffic(
            observer: observer, web: try Web(), issuers: fleet.issuers, validators: fleet.validators,
            load: Traffic.Load())
        let injector = Injector(fleet, observer, traffic, seed: seed, longest: extent == .smoke ? 1.3 : 3)
        say(
            hasSentinels
                ? "three servers that three sentinels watch"
                : "one Redis, and a relay between it and each of the others")
        let usable = faults.filter { !fleet.clockFiles.isEmpty || !$0.needsClocks }
        // The first epoch; in its first lease, and fence, nothing is confirmed.
        let number = observer.begin(
            Outage(of: nil, start: Observer.now, keepsLease: false, regain: injector.start))
        guard injector.waitUntilReady() else {
            throw TestSupportError("the fleet does not start: \(fleet.complaints())")
        }
        observer.end(number, at: Observer.now)
        traffic.start()
        injector.sleep(.seconds(2))
        try injectAll(usable, hasSentinels, injector, observer, fleet)
        await traffic.stop()
        await traffic.sweep()
        observer.settle()
        meter.stop()
        stalled += meter.sum
        for (name, row) in observer.figures { figures[name, default: Figures()].add(row) }
        if observer.violations.count > noted {
            failed += 1
            writeDown(observer, fleet)
        }
    }

    /// Violations that were written down already.
    private var noted = 0

    private func injectAll(
        _ faults: [Fault], _ hasSentinels: Bool, _ injector: Injector, _ observer: Observer, _ fleet: ProcessFleet
    ) throws {
        let start = ContinuousClock.now
        var count = 0
        noted = 0
        while !isInterrupted.withLock({ $0 }),
            let fault = next(count, faults, hasSentinels, since: start, injector)
        {
            let start = ContinuousClock.now
            let isPassed = try injector.inject(fault)
            count += 1
            if isPassed { passed += 1 } else { failed += 1 }
            let remark = injector.remark.isEmpty ? "" : " (\(injector.remark))"
            say(
                "\(isPassed ? "ok  " : "FAIL") \(passed + failed) at \(Figures.text(ContinuousClock.now - begun)): "
                    + "\(fault.rawValue)\(remark), \(Figures.text(ContinuousClock.now - start)); "
                    + "\(observer.revocations) revocations")
            if !isPassed { writeDown(observer, fleet) }
            if observer.violations.count > 50 { return }
        }
    }

    /// The fault after `count` others of this stage; nil when it is over.
    private func next(
        _ count: Int, _ faults: [Fault], _ hasSentinels: Bool, since start: ContinuousClock.Instant,
        _ injector: Injector
    ) -> Fault? {
        switch extent {
        case .smoke:
            let chosen = (hasSentinels ? Fault.smokeBehindSentinels : Fault.smoke).filter { faults.contains($0) }
            return count < chosen.count ? chosen[count] : nil
        case .long:
            let isEnough =
                hasSentinels
                ? count >= QuashNemesis.longFailovers
                : count >= QuashNemesis.longFaults && injector.observer.revocations >= QuashNemesis.longRevocations
            if isEnough { return nil }
        case .seconds(let seconds):
            if ContinuousClock.now - start >= .seconds(seconds) { return nil }
        }
        // Each once, before chance decides.
        return count < faults.count ? faults[count] : faults.randomElement(using: &injector.random)
    }

    // MARK: What is left

    /// The history around the last violation, and the logs of the processes.
    private func writeDown(_ observer: Observer, _ fleet: ProcessFleet) {
        guard let last = observer.violations.last else { return }
        for violation in observer.violations.dropFirst(noted).prefix(5) {
            say("     \(Observer.text(violation.at)) \(violation.kind.rawValue): \(violation.what)")
        }
        noted = observer.violations.count
        let place = "\(folder)/\(passed + failed)"
        _ = unsafe mkdir(place, 0o700)
        say("     the history around it: \(place)")
        let list = observer.violations.map { "\(Observer.text($0.at)) \($0.kind.rawValue): \($0.what)" }
        do {
            try write(
                list.joined(separator: "\n") + "\n\n" + observer.history(around: last.at) + "\n", "\(place)/history")
            for node in fleet.nodes + [fleet.twin] {
                try write(TemporaryFolder.read(node.logPath), "\(place)/\(node.name).log")
            }
            try write(TemporaryFolder.read(fleet.folder.path("redis.log")), "\(place)/redis.log")
        } catch {
            say("     it cannot be written: \(error)")
        }
    }

    private func write(_ text: String, _ path: String) throws {
        guard let file = unsafe fopen(path, "w") else { throw TestSupportError.lastCall("open \(path)") }
        defer { unsafe fclose(file) }
        let bytes = Array(text.utf8)
        // SAFETY: the pointer and its count are those of one contiguous buffer, valid during the call.
        _ = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
    }
}
