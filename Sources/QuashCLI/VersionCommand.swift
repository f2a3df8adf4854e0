import ArgumentParser
import QuashJSON
import QuashServer

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Say which build this is.")

    @OptionGroup var options: OutputOptions

    func run() {
        options.say(["version": .string(BuildVersion.current)], text: "quash \(BuildVersion.current)")
    }
}
