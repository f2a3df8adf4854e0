/// One setting of the table: its name in all three places, what it takes, and what it is when nobody gives it.
///
/// Its flag is `--lease`, its environment variable `QUASH_LEASE`, its YAML key `lease`: all made from `name`.
package struct Setting<Value: Sendable>: SettingDeclaration {
    package let name: String
    package let roles: Set<Role>
    package let syntax: SettingSyntax<Value>
    package let fallback: SettingDefault
    package let summary: String
    package let isReloadable: Bool
    package let places: SettingPlaces

    init(
        _ name: String, roles: Set<Role> = Set(Role.allCases), _ syntax: SettingSyntax<Value>,
        default fallback: SettingDefault = .unset, reloadable isReloadable: Bool = false,
        places: SettingPlaces = .all, _ summary: String
    ) {
        self.name = name
        self.roles = roles
        self.syntax = syntax
        self.fallback = fallback
        self.summary = summary
        self.isReloadable = isReloadable
        self.places = places
    }

    package var words: String { syntax.words }
    package var isList: Bool { syntax.isList }
    package var isSecret: Bool { syntax.isSecret }

    /// As the syntax reads them.
    package func parse(_ texts: [String]) throws(SettingFlaw) -> ParsedSetting {
        let value = try syntax.parse(texts)
        return ParsedSetting(value: value, text: syntax.describe(value))
    }
}

/// What the table knows of a setting, whatever the type of its value.
package protocol SettingDeclaration: Sendable {
    /// In kebab case.
    var name: String { get }
    /// The processes that read it. The others accept it in what they share with those, and ignore it.
    var roles: Set<Role> { get }
    /// What a value looks like, such as `duration, 1s to 5m`.
    var words: String { get }
    /// What it is when nobody gives it.
    var fallback: SettingDefault { get }
    /// One line for the documentation.
    var summary: String { get }
    /// Whether SIGHUP takes over a new value, or the new contents of the file that it names.
    var isReloadable: Bool { get }
    /// Where it may be given.
    var places: SettingPlaces { get }
    /// Whether it takes more than one value.
    var isList: Bool { get }
    /// Whether its value is never shown.
    var isSecret: Bool { get }

    /// Reads a value from what was given: one text, or one for each entry of a list.
    func parse(_ texts: [String]) throws(SettingFlaw) -> ParsedSetting
}

extension SettingDeclaration {
    /// `--redis-url`
    package var flag: String { "--\(name)" }

    /// `QUASH_REDIS_URL`
    package var variable: String {
        SettingsTable.variablePrefix + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }
}

/// A value and how it is shown to people, without what is secret in it.
package struct ParsedSetting: Sendable, CustomReflectable {
    let value: any Sendable
    let text: String

    /// Without the value: a dump of what holds a configuration must not show the password in a URL.
    package var customMirror: Mirror { Mirror(self, children: ["text": text]) }
}

/// What a setting is when nobody gives it.
package enum SettingDefault: Sendable {
    /// Nothing, and that has a meaning.
    case unset
    /// It must be given.
    case required
    /// The same text for every role, read as if somebody had given it.
    case text(String)
    case perRole(issuer: String, validator: String)
    /// Found on the machine; `words` say what for the documentation.
    case machine(words: String, find: @Sendable () -> String)

    /// The text that is read for `role`; nil when there is none.
    func text(for role: Role) -> String? {
        switch self {
        case .unset, .required: nil
        case .text(let text): text
        case .perRole(let issuer, let validator): role == .issuer ? issuer : validator
        case .machine(_, let find): find()
        }
    }
}

/// The places where a setting may be given.
package enum SettingPlaces: Sendable {
    case all
    /// A secret itself. A flag is in the process list, which every user of the machine can read, and a YAML file tends
    /// to be copied and committed; the environment of a process is readable by its own user and root alone (proc(5)).
    case environmentAlone
    /// The name of the YAML file cannot be inside it.
    case outsideFile
}

/// Where a value came from.
package enum SettingSource: Hashable, Sendable {
    case flag
    case environment
    /// A line of the YAML file, counted from 1.
    case file(path: String, line: Int)
    case fallback

    /// For the line about `setting`: `flag --lease`, `environment QUASH_LEASE`, `quash.yaml:3`, `default`.
    func description(of setting: any SettingDeclaration) -> String {
        switch self {
        case .flag: "flag \(setting.flag)"
        case .environment: "environment \(setting.variable)"
        case .file(let path, let line): "\(path):\(line)"
        case .fallback: "default"
        }
    }
}

/// Why a text is no value of a setting, without the text.
package struct SettingFlaw: Error {
    /// Goes on after the value: `is not a duration`.
    package let reason: String
    /// What to do, as an order: `write a number and a unit, such as 15m`.
    package let remedy: String

    init(_ reason: String, _ remedy: String) {
        self.reason = reason
        self.remedy = remedy
    }
}
