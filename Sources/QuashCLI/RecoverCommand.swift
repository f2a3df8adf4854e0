import ArgumentParser
import QuashHTTP
import QuashJSON
import QuashServer

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Show which issuers the feed waits for, or go on without an issuer or an outbox that is gone.",
        discussion: """
            After Redis lost its data, or another Redis took over, no validator may accept a token before every issuer \
            has restored the feed from its outbox. The feed waits for an issuer that is down, and for one whose outbox \
            has lost records. To go on without it (--without) means to lose what only it had: revocations that it \
            stored in its last moments, before any other issuer received them; and those that it stored, or even \
            confirmed, while no other issuer held a lease. They come back with it, if it comes back. An excuse counts \
            once the fence has passed.

            The name of an issuer is bound to its outbox. One that starts with another outbox, or with a copy, is \
            refused until an operator replaces the binding (--replace). Send that to the issuer that is refused: it \
            tells which outbox it would replace. What only that outbox held is lost.
            """)

    @Option(help: ArgumentHelp("The node-id of an issuer that is gone. May be repeated.", valueName: "issuer"))
    var without: [String] = []

    @Option(
        help: ArgumentHelp("The outbox that the name of the refused issuer is bound to.", valueName: "outbox"))
    var replace: String?

    func validate() throws {
        guard replace == nil || without.isEmpty else {
            throw ValidationError("give either --without or --replace")
        }
    }

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let client = try connection.client()
        if let replace {
            let json = try client.ask(.post, "/admin/v1/recovery", body: ["replace": .string(replace)]).json
            options.say(json, text: "the outbox \(printable(replace)) is replaced by that of this issuer")
        } else if without.isEmpty {
            let json = try client.ask(.get, "/admin/v1/recovery").json
            let names = (json["waiting_for"]?.array ?? []).compactMap(\.string).map(printable)
            let waiting =
                names.isEmpty
                ? "the feed waits for no issuer" : "the feed waits for \(names.joined(separator: ", "))"
            let problem = json["problem"]?.string.map { "\nthis issuer is refused: \(printable($0))" } ?? ""
            options.say(json, text: waiting + problem)
        } else {
            let body: JSONValue = ["without": .array(without.map { .string($0) })]
            let json = try client.ask(.post, "/admin/v1/recovery", body: body).json
            options.say(json, text: "the feed goes on without \(without.map(printable).joined(separator: ", "))")
        }
    }
}
