import ArgumentParser
import Quash
import QuashHTTP
import QuashJSON
import QuashServer

struct RevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take tokens back: by token, session, subject, client or key, or all of them.",
        discussion: """
            Without --wait, it ends as soon as the revocation is stored. With --wait, it ends with 0 when every \
            validator that may still accept tokens has applied it, and with 3 when that could not be confirmed in \
            time: it is stored then, and goes on being applied.
            """)

    // An identifier may begin with a dash.
    @Option(parsing: .unconditionalSingleValue, help: "One token, by its jti. May be repeated, as the others may.")
    var jti: [String] = []
    @Option(parsing: .unconditionalSingleValue, help: "Every token of one sign-in.")
    var session: [String] = []
    @Option(parsing: .unconditionalSingleValue, help: "Every token of a subject.")
    var sub: [String] = []
    @Option(parsing: .unconditionalSingleValue, help: "Every token issued to a client.")
    var client: [String] = []
    @Option(parsing: .unconditionalSingleValue, help: "Every token signed with a key.")
    var kid: [String] = []
    @Flag(help: "Every token there is.")
    var all = false

    @Option(
        help: ArgumentHelp(
            "Only tokens issued at or before this time, such as 2026-01-31T12:00:00Z, or seconds since 1970.",
            valueName: "time"))
    var issuedBefore: String?
    @Option(
        help: ArgumentHelp(
            "When the last of the tokens expires that are of another issuer; not given, that is in 30 days.",
            valueName: "time"))
    var expiresAt: String?
    @Option(help: "Why, for the issuer's log.")
    var reason: String?
    @Flag(help: "Wait until it is confirmed.")
    var wait = false
    @Option(help: ArgumentHelp("How long to wait at most.", valueName: "duration"), transform: DurationArgument.init)
    var timeout = DurationArgument(duration: .seconds(5))

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    private var targets: [(name: String, values: [String])] {
        [("jti", jti), ("session", session), ("sub", sub), ("client_id", client), ("kid", kid)].filter { !$0.1.isEmpty }
    }

    // Not `validate()`, which runs before an unknown option is told of: the mistyped one would be missed in its place.
    private func check() throws {
        guard targets.count + (all ? 1 : 0) == 1 else {
            throw ValidationError(
                "say what to revoke with exactly one of --jti, --session, --sub, --client, --kid and --all")
        }
        if let empty = targets.first(where: { $0.values.contains("") }) {
            throw ValidationError("\(empty.name) is empty")
        }
        if issuedBefore != nil && !jti.isEmpty {
            throw ValidationError("--issued-before makes no sense with --jti, which names one token")
        }
        if let issuedBefore, Self.time(issuedBefore) == nil {
            throw ValidationError(
                "--issued-before \(quoted(issuedBefore)) is no time; write 2026-01-31T12:00:00Z or seconds since 1970")
        }
        if expiresAt != nil && (jti + session + sub).isEmpty || expiresAt != nil && issuedBefore != nil {
            throw ValidationError(
                "--expires-at goes with --jti, --session and --sub alone, and not with --issued-before")
        }
        if let expiresAt, Self.time(expiresAt) == nil {
            throw ValidationError(
                "--expires-at \(quoted(expiresAt)) is no time; write 2026-01-31T12:00:00Z or seconds since 1970")
        }
    }

    func run() throws {
        try check()
        let answer = try connection.client().ask(
            .post, "/admin/v1/revocations", body: body, within: wait ? timeout.duration : .zero)
        let status = answer.json["status"]?.string ?? "stored"
        let position =
            answer.json["epoch"]?.string.map { "\(printable($0)):\(answer.json["seq"]?.integer ?? 0)" } ?? "unknown"
        options.say(answer.json, text: "\(printable(status)) at \(position)")
        if wait && (answer.status == .accepted || status != "confirmed") {
            throw CommandFailure(
                .unconfirmed,
                "not every validator confirmed it within \(timeout.duration.shortText); `quash nodes` shows which")
        }
    }

    private var body: JSONValue {
        var object = JSONObject()
        for (name, values) in targets {
            object[name] = values.count == 1 ? .string(values[0]) : .array(values.map { .string($0) })
        }
        if all { object["all"] = true }
        object["issued_before"] = issuedBefore.flatMap(Self.time)
        object["expires_at"] = expiresAt.flatMap(Self.time)
        object["reason"] = reason.map { .string($0) }
        object["wait"] = wait ? "confirmed" : "stored"
        if wait { object["timeout"] = .string(timeout.duration.shortText) }
        return .object(object)
    }

    /// What the interface takes for a time: a number of seconds, or RFC 3339.
    private static func time(_ text: String) -> JSONValue? {
        if let seconds = Int64(text) { return seconds >= 0 ? .integer(seconds) : nil }
        return WallInstant(text).map { .string($0.description) }
    }
}

/// A duration as an argument, such as `5s`.
struct DurationArgument: CustomStringConvertible {
    let duration: Duration

    init(duration: Duration) {
        self.duration = duration
    }

    init(_ text: String) throws {
        guard let duration = Duration(shortText: text) else {
            throw ValidationError("write a whole number and one of ms, s, m, h and d, such as 5s")
        }
        self.duration = duration
    }

    var description: String { duration.shortText }
}
