import ArgumentParser
import QuashJSON
import QuashServer

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check a configuration, or list every setting.",
        subcommands: [ConfigCheckCommand.self, ConfigReferenceCommand.self])
}

struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say what a start would run with, and where each value came from.",
        discussion: """
            Reads flags, environment and YAML file exactly as `quash issuer` and `quash validator` do, and starts \
            nothing. Ends with 2 and a line for each problem when a start would be refused. Secrets are never shown.
            """)

    @Argument(help: "issuer or validator.")
    var role: Role

    @OptionGroup var settings: RoleSettings
    @OptionGroup var options: OutputOptions

    func run() throws {
        let values =
            switch role {
            case .issuer: try settings.issuer().common.settings
            case .validator: try settings.validator().common.settings
            }
        let json = values.lines.map { line -> JSONValue in
            [
                "name": .string(line.name), "value": line.value.map { .string($0) } ?? nil,
                "source": .string(line.source),
            ]
        }
        var table = TextTable("SETTING", "VALUE", "SOURCE")
        for line in values.lines { table.append(line.name, line.value ?? "-", line.source) }
        options.say(["role": .string(role.rawValue), "settings": .array(json)], text: table.text)
    }
}

struct ConfigReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "List every setting there is, as Markdown.")

    func run() {
        Terminal.say(SettingsTable.markdown)
    }
}

extension Role: ExpressibleByArgument {}

/// The settings of a role on its command line: whatever the table of settings knows. The parser of arguments hands them
/// on unread, so that flags, environment and file are read, checked and explained in one place.
struct RoleSettings: ParsableArguments {
    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Settings, as --name value.", valueName: "settings"))
    var settings: [String] = []

    func issuer() throws(ConfigurationError) -> IssuerConfiguration {
        try IssuerConfiguration(arguments: settings, environment: ProcessEnvironment.current)
    }

    func validator() throws(ConfigurationError) -> ValidatorConfiguration {
        try ValidatorConfiguration(arguments: settings, environment: ProcessEnvironment.current)
    }
}
