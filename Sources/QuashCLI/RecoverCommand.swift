import ArgumentParser
import QuashHTTP
import QuashJSON
import QuashServer

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Say which issuers the feed waits for, or go on without one that will not come back.",
        discussion: """
            After Redis lost its data, or another Redis took over, no validator may accept a token before every issuer \
            has restored the feed from its outbox. An issuer that is down is waited for. Whoever goes on without it \
            takes for lost what only it had: revocations that it stored in its last moments, before any other issuer \
            had heard of them; and those that it stored, or even confirmed, while no other issuer held a lease. They \
            come back with it, if it comes back. An excuse counts once the fence has passed.
            """)

    @Option(help: ArgumentHelp("The node-id of an issuer that is gone. May be repeated.", valueName: "issuer"))
    var without: [String] = []

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let client = try connection.client()
        if without.isEmpty {
            let json = try client.ask(.get, "/admin/v1/recovery").json
            let names = (json["waiting_for"]?.array ?? []).compactMap(\.string).map(printable)
            let text =
                names.isEmpty
                ? "the feed waits for no issuer" : "the feed waits for \(names.joined(separator: ", "))"
            options.say(json, text: text)
        } else {
            let body: JSONValue = ["without": .array(without.map { .string($0) })]
            let json = try client.ask(.post, "/admin/v1/recovery", body: body).json
            options.say(json, text: "the feed goes on without \(without.map(printable).joined(separator: ", "))")
        }
    }
}
