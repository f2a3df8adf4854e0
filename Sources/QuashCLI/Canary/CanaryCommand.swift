import ArgumentParser
import Glibc
import Quash
import QuashHTTP
import QuashJSON
import QuashLoop
import QuashServer

struct CanaryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "canary",
        abstract: "Sign in, pass a gateway, revoke, and see the gateway refuse: again and again.",
        discussion: """
            Each round measures from the request to revoke to the first 401 of the gateway, and finds a gateway that \
            goes on accepting after the confirmation because it caches decisions. It ends with 3 when a token was \
            accepted too late in any round, with 4 when one was refused early, and with 5 when a round could not be \
            carried through. SIGINT and SIGTERM end it; a second one at once.
            """)

    @Option(
        help: ArgumentHelp(
            "An http or https URL behind a gateway that answers 2xx to every good token. May be repeated.",
            valueName: "url"))
    var gateway: [String] = []
    @Option(
        help: ArgumentHelp("From the start of a round to that of the next.", valueName: "duration"),
        transform: DurationArgument.init)
    var interval = DurationArgument(duration: .seconds(10))
    @Option(
        help: ArgumentHelp(
            "When a token that was revoked must be refused, confirmed or not: a lease and a margin.",
            valueName: "duration"), transform: DurationArgument.init)
    var deadline = DurationArgument(duration: .seconds(6))
    @Option(help: "Rounds through each gateway; 0 for ever.")
    var count = 0
    @Option(
        help: ArgumentHelp(
            "Serve /metrics there, for Prometheus, such as 127.0.0.1:9180.", valueName: "address"))
    var metricsListen: String?

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let gateways = try self.gateways()
        try CanaryRun(self, gateways, issuer: try connection.client()).run()
    }

    /// The gateways, after a look at every option.
    private func gateways() throws -> [HTTPURL] {
        guard (1...CanaryLimits.maxGateways).contains(gateway.count) else {
            throw ValidationError("give 1 to \(CanaryLimits.maxGateways) gateways with --gateway")
        }
        guard count >= 0 else { throw ValidationError("--count \(count) is no number of rounds; 0 is for ever") }
        for (name, value, allowed) in [
            ("--interval", interval.duration, CanaryLimits.intervals),
            ("--deadline", deadline.duration, CanaryLimits.deadlines),
        ] where !allowed.contains(value) {
            throw ValidationError(
                "\(name) is between \(allowed.lowerBound.shortText) and \(allowed.upperBound.shortText)")
        }
        let urls = try gateway.map { text throws(CommandFailure) in
            do throws(HTTPError) {
                return try HTTPURL(text)
            } catch {
                throw CommandFailure(.usage, "--gateway \(quoted(text)): \(error); write http://host:port/path")
            }
        }
        // The authority tells their series apart.
        guard Set(urls.map(\.authority)).count == urls.count else {
            throw ValidationError("two of --gateway have the same host and port; run a canary for each")
        }
        return urls
    }
}

/// The canary through all gateways at once, on one loop.
private final class CanaryRun {
    private let command: CanaryCommand
    private let metrics = CanaryMetrics()
    private let loop: Loop
    private var gateways: [CanaryGateway] = []
    private var running: Int
    private var isStopping = false
    private var rounds = 0
    private var bad: [Outcome: Int] = [:]

    init(_ command: CanaryCommand, _ urls: [HTTPURL], issuer: AdminClient) throws {
        self.command = command
        loop = try Loop()
        running = urls.count
        let settings = CanaryGateway.Settings(
            interval: command.interval.duration, deadline: command.deadline.duration, count: command.count)
        for url in urls {
            let cells = metrics.cells(of: url.authority)
            gateways.append(
                CanaryGateway(
                    url, issuer: issuer, tls: try command.connection.address.tls(for: url), on: loop, settings,
                    found: { [unowned self] in found($0, at: url.authority, cells) },
                    ended: { [unowned self] in ended() }))
        }
    }

    func run() throws {
        if let listen = command.metricsListen { try serve(listen) }
        let signals = try SignalSource(on: loop, [SIGINT, SIGTERM]) { [self] _ in stop() }
        for gateway in gateways { gateway.start() }
        loop.run()
        signals.close()
        loop.close()
        for (outcome, what) in [
            (Outcome.unconfirmed, "accepted a token too late"), (.refused, "refused, or were refused, too early"),
            (.unreachable, "could not be carried through"), (.usage, "could not be carried through"),
        ] {
            if let count = bad[outcome] { throw CommandFailure(outcome, "\(count) of \(rounds) rounds \(what)") }
        }
    }

    private func serve(_ listen: String) throws(CommandFailure) {
        do throws(LoopError) {
            let address = try BoundAddress(
                try Endpoint(listen), connections: ConnectionBudget(limit: CanaryLimits.maxMetricsConnections))
            // It lives as long as its loop: its listener holds it.
            _ = try HTTPServer(on: loop, at: address, responder: CanaryMetricsResponder(metrics.page))
            Terminal.complain(["metrics at \(address.endpoint)"])
        } catch {
            throw CommandFailure(.usage, "--metrics-listen: \(error)")
        }
    }

    private func stop() {
        if isStopping { return loop.stop() }
        isStopping = true
        for gateway in gateways { gateway.stop() }
    }

    private func ended() {
        running -= 1
        if running == 0 { loop.stop() }
    }

    private func found(_ finding: CanaryFinding, at gateway: String, _ cells: CanaryMetrics.Cells) {
        let now = ClockReading.now().wall
        rounds += 1
        if finding.outcome != .done { bad[finding.outcome, default: 0] += 1 }
        cells.record(finding, wallSeconds: Double(now.milliseconds) / 1000)
        switch command.options.output {
        case .text: Terminal.say("\(now) \(gateway) \(finding.text)")
        case .json:
            var json = finding.json
            json["time"] = .string(now.description)
            json["gateway"] = .string(gateway)
            Terminal.say(String(decoding: JSONValue.object(json).serialized(), as: UTF8.self))
        }
    }
}

extension CanaryFinding {
    /// For programs.
    fileprivate var json: JSONObject {
        var json = JSONObject()
        json["result"] = .string(result.rawValue)
        json["confirmed"] = .bool(isConfirmed)
        json["refused_us"] = refusedAfter.map { .integer($0.wholeMicroseconds) }
        json["accepted_us"] = acceptedFor.map { .integer($0.wholeMicroseconds) }
        json["detail"] = detail.map { .string($0) }
        return json
    }

    /// For people.
    fileprivate var text: String {
        var text = result.rawValue
        if let refusedAfter { text += ", refused after \(durationText(microseconds: refusedAfter.wholeMicroseconds))" }
        if result == .ok, !isConfirmed { text += ", not confirmed in time" }
        if result == .acceptedLate, let acceptedFor {
            text += ", accepted for \(durationText(microseconds: acceptedFor.wholeMicroseconds))"
        }
        return printable(text + (detail.map { ": \($0)" } ?? ""))
    }
}

extension Duration {
    fileprivate var wholeMicroseconds: Int64 { Int64(self / .microseconds(1)) }
}
