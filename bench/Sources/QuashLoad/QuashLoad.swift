import ArgumentParser
import BenchResults
import Foundation

/// Validators and their peers over real sockets, in one run.
@main
struct QuashLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "QuashLoad",
        abstract: "Measure validators beside their peers, over sockets of this machine.",
        discussion: """
            Servers run on the first core, the load on the second. Everything is started, and ended, by this program; \
            peers that are not installed are named as absent. `bench/setup` installs them.
            """)

    @Option(help: "The program to measure, built for release.")
    var quash: String
    @Flag(help: "A few minutes: fewer and shorter rounds.")
    var quick = false
    @Option(help: "The file for the results, JSON.")
    var output: String
    @Option(help: "The folder of the benchmarks.")
    var bench: String?
    @Option(help: "Only peers whose name has this in it. May be repeated.")
    var peer: [String] = []
    @Option(help: "Only groups whose name begins so. May be repeated.")
    var group: [String] = []

    func run() throws {
        let folder = try WorkFolder()
        let plan = Plan(isQuick: quick)
        let interruption = Interruption(removing: folder, within: plan.limitSeconds)
        defer { withExtendedLifetime(interruption) {} }
        let bench = try benchFolder()
        guard let quash = URL(fileURLWithPath: quash).resolvingSymlinksInPath().path as String?,
            FileManager.default.isExecutableFile(atPath: quash)
        else { throw Failure("\(quash) is not a program") }
        let lab = try Lab(quash: quash, bench: bench, coldCount: plan.coldTokens, folder: folder)
        try Core.pin(Lab.loadCore)
        let runner = try Runner(lab: lab, plan: plan, run: .here(isQuick: quick, folder: bench), only: peer)
        defer { runner.stop() }
        for (name, measure) in runner.groups where group.isEmpty || group.contains(where: name.hasPrefix) {
            try measure()
        }
        runner.judge()
        var results = runner.results
        results.run.versions = Versions.all(lab)
        try results.write(to: output)
        print("written to \(output)")
        guard results.checks.allSatisfy({ $0.failures == 0 }) else {
            throw Failure("some answers were wrong, see above")
        }
    }

    private func benchFolder() throws -> String {
        for candidate in [bench, ".", "bench"].compactMap({ $0 }) {
            let path = URL(fileURLWithPath: candidate).standardizedFileURL.path
            if FileManager.default.fileExists(atPath: "\(path)/peers/wrk/cycle.lua") { return path }
        }
        throw Failure("the folder of the benchmarks is not here: give --bench")
    }
}

/// What a signal that ends this program, or the end of its time, leaves behind while the value lives: nothing.
final class Interruption {
    private let sources: [any DispatchSourceSignal]
    private let timer = DispatchSource.makeTimerSource(queue: .global())

    init(removing folder: WorkFolder, within seconds: Int) {
        timer.schedule(deadline: .now() + .seconds(seconds))
        timer.setEventHandler {
            FileHandle.standardError.write(Data("QuashLoad still runs after \(seconds) s\n".utf8))
            ServerProcess.killAll()
            folder.remove()
            exit(124)
        }
        timer.resume()
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                ServerProcess.killAll()
                folder.remove()
                exit(128 + number)
            }
            source.resume()
            return source
        }
    }
}

/// Of every program that takes part.
enum Versions {
    static func all(_ lab: Lab) -> [String: String] {
        let python = "\(lab.builds)/.build-python/bin/python"
        let packages = "import importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in "
        var commands = [
            "quash": [lab.quash, "version"], "wrk": ["sh", "-c", "wrk -v 2>&1 | head -1; true"],
            "nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "node": ["node", "--version"],
            "redis": ["redis-server", "--version"], "openssl": ["openssl", "version"],
            "fastapi": [python, "-c", packages + "('fastapi', 'uvicorn', 'PyJWT', 'cryptography', 'redis')))"],
        ]
        if let envoy = Peer.envoyBinary(lab) { commands["envoy"] = [envoy, "--version"] }
        return commands.compactMapValues(Command.version).mapValues { version in
            // Envoy begins with its own path.
            version.split(separator: "version:").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? version
        }
    }
}
