import ArgumentParser
import QuashHTTP
import QuashJSON
import QuashServer

struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "List the validators: how far each has applied the feed, and how long it may go on.")

    @Flag(help: "Ask again each second, until interrupted; with -o json, a line for each answer.")
    var watch = false

    @OptionGroup var connection: ClientOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let client = try connection.client()
        guard watch else {
            let fleet = try Fleet(try client.ask(.get, Fleet.target).json)
            return options.say(fleet.json, text: fleet.text)
        }
        try Watch.run(client, Fleet.target) { [options] json throws(CommandFailure) in
            let fleet = try Fleet(json)
            return options.output == .json ? String(decoding: json.serialized(), as: UTF8.self) : fleet.text
        }
    }
}
