import ArgumentParser
import QuashHTTP
import QuashJSON

struct TokenMintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mint", abstract: "Have the issuer begin a session, and print its pair of tokens.")

    @Option(help: "Whom the tokens are for.")
    var sub: String
    @Option(help: "The client that they are issued to.")
    var client: String?
    @Option(help: "What they grant, words with blanks between them.")
    var scope: String?
    @Option(help: "Who may accept them. May be repeated.")
    var aud: [String] = []

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        var body = JSONObject()
        body["sub"] = .string(sub)
        body["client_id"] = client.map { .string($0) }
        body["scope"] = scope.map { .string($0) }
        if !aud.isEmpty { body["aud"] = .array(aud.map { .string($0) }) }
        let json = try connection.client().ask(.post, "/admin/v1/sessions", body: .object(body)).json
        guard let access = json["access_token"]?.string, let refresh = json["refresh_token"]?.string else {
            throw CommandFailure(
                .refused, "the answer is not a pair of tokens; is --server the administration of an issuer?")
        }
        var table = TextTable("", "")
        table.append("session", json["session"]?.string ?? "-")
        table.append("access", access)
        table.append("refresh", refresh)
        options.say(json, text: table.text.split(separator: "\n").joined(separator: "\n"))
    }
}
