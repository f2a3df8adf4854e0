import ArgumentParser
import QuashHTTP
import QuashJSON
import QuashServer

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say whether an issuer is ready, where the feed is, and how the validators do."
    )

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let client = try connection.client()
        let readiness = try Readiness(client)
        let fleet = readiness.isReady ? try Fleet(client) : nil
        var json: JSONObject = readiness.json
        json["epoch"] = fleet.map { .string($0.epoch) }
        json["head"] = fleet.map { .integer($0.head) }
        json["validators"] = fleet.map { .integer(Int64($0.validators)) }
        json["behind"] = fleet.map { .integer(Int64($0.behind)) }
        var lines = readiness.lines
        if let fleet {
            lines.append("feed: epoch \(printable(fleet.epoch)), head \(fleet.head)")
            lines.append("validators: \(fleet.validators); nodes that have not applied everything: \(fleet.behind)")
        }
        options.say(.object(json), text: lines.joined(separator: "\n"))
        if !readiness.isReady { throw CommandFailure(.refused, "the issuer is not ready") }
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
