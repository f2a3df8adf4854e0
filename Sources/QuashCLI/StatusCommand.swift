import ArgumentParser
import QuashHTTP
import QuashJSON
import QuashServer

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say whether an issuer is ready, where the feed is, how the nodes do, and what was revoked last.",
        discussion: "The status page, /status at the same address, shows the same in a browser.")

    @Flag(help: "Ask again each second, until interrupted; with -o json, a line for each answer.")
    var watch = false

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let client = try connection.client()
        guard !watch else {
            return try Watch.run(client, Status.target) { [options] json throws(CommandFailure) in
                let status = try Status(json)
                return options.output == .json
                    ? String(decoding: json.serialized(), as: UTF8.self)
                    : "\(status.heading)\n\n\(status.text)"
            }
        }
        let readiness = try Readiness(client)
        let status = readiness.isReady ? try Status(try client.ask(.get, Status.target).json) : nil
        var json: JSONObject = readiness.json
        json["epoch"] = status.map { .string($0.fleet.epoch) }
        json["head"] = status.map { .integer($0.fleet.head) }
        json["validators"] = status.map { .integer(Int64($0.fleet.validators)) }
        json["behind"] = status.map { .integer(Int64($0.fleet.behind)) }
        json["nodes"] = status?.fleet.json["nodes"]
        json["revocations"] = status?.fleet.json["revocations"]
        var lines = readiness.lines
        if let status {
            lines.append(
                "validators: \(status.fleet.validators); nodes that have not applied everything: \(status.fleet.behind)"
            )
            lines += ["", status.text]
        }
        options.say(.object(json), text: lines.joined(separator: "\n"))
        if !readiness.isReady { throw CommandFailure(.refused, "the issuer is not ready") }
    }
}

/// `GET /admin/v1/status`.
private struct Status {
    static let target = "/admin/v1/status"
    /// Revocations that are shown.
    private static let maxShown = 10

    let fleet: Fleet
    private let json: JSONValue

    init(_ json: JSONValue) throws(CommandFailure) {
        self.json = json
        fleet = try Fleet(json)
    }

    /// The issuer, and what is wrong with it.
    var heading: String {
        let name = json["issuer"]?.string ?? "?"
        let time = (json["time"]?.string ?? "").prefix(19)
        let problems = (json["problems"]?.array ?? []).compactMap(\.string)
        let state = problems.isEmpty ? "ready" : "not ready: \(problems.joined(separator: "; "))"
        return printable("issuer \(name) at \(time)Z: \(state)")
    }

    /// The nodes and the last revocations, the newest first.
    var text: String {
        let revocations = (json["revocations"]?.array ?? []).suffix(Self.maxShown).reversed()
        guard !revocations.isEmpty else { return "\(fleet.text)\nnothing was revoked through this issuer" }
        var table = TextTable("TIME", "SEQUENCE", "WHAT", "RESULT", "TOOK")
        for one in revocations {
            let count = one["count"]?.integer ?? 1
            let kind = one["kind"]?.string ?? "?"
            table.append(
                String((one["time"]?.string ?? "?").dropFirst(11).prefix(8)),
                one["seq"]?.integer.map { "\($0)" } ?? "-", count > 1 ? "\(kind) x \(count)" : kind,
                one["status"]?.string ?? "?", one["took_us"]?.integer.map(durationText) ?? "-")
        }
        return "\(fleet.text)\n\n\(table.text)"
    }
}

/// `GET /readyz?verbose`: of either role.
struct Readiness {
    let isReady: Bool
    /// What the server says, for people.
    let lines: [String]

    init(_ client: AdminClient) throws(CommandFailure) {
        let answer = try client.send(.get, "/readyz?verbose")
        guard answer.status == .ok || answer.status == .serviceUnavailable else {
            throw CommandFailure(.refused, "/readyz answers \(answer.status); is --server an admin-listen address?")
        }
        isReady = answer.status == .ok
        let text = String(decoding: answer.body.prefix(16 * 1024), as: UTF8.self)
        lines = text.split(whereSeparator: \.isNewline).map { printable(String($0)) }
    }

    var json: JSONObject {
        var object = JSONObject()
        object["ready"] = .bool(isReady)
        object["checks"] = .array(lines.map { .string($0) })
        return object
    }
}
