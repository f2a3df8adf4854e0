/// Reads the settings of one role from flags, environment and YAML file, in this order of precedence, and finds
/// everything that is wrong with them.
struct SettingsReader {
    private struct Given {
        let texts: [String]
        let source: SettingSource
    }

    private let role: Role
    /// By name; the first one that was given counts.
    private var given: [String: Given] = [:]
    /// The settings that have a problem of their own.
    private var flawed: Set<String> = []
    private var problems: [String] = []

    /// - Parameter arguments: flags, without the names of program and command.
    /// - Parameter environment: every variable; those that are not Quash's are not looked at.
    /// - Throws: every problem there is, a line each, in the order of the sources.
    static func read(
        role: Role, arguments: [String], environment: [String: String]
    ) throws(ConfigurationError) -> SettingValues {
        let (values, problems) = examine(role: role, arguments: arguments, environment: environment)
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        return values
    }

    /// As `read`, with what could be read beside the problems.
    static func examine(
        role: Role, arguments: [String], environment: [String: String]
    ) -> (values: SettingValues, problems: [String]) {
        var reader = SettingsReader(role: role)
        reader.readFlags(arguments)
        reader.readEnvironment(environment)
        reader.readFile()
        let values = reader.values()
        reader.judge(values)
        return (values, reader.problems)
    }

    private init(role: Role) {
        self.role = role
    }

    // MARK: Flags

    private mutating func readFlags(_ arguments: [String]) {
        var flags: [String: [String]] = [:]
        var order: [any SettingDeclaration] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--"), argument.utf8.count > 2 else {
                problems.append("unexpected argument \(quoted(argument)): give settings as --name value")
                continue
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            var value = parts.count == 2 ? String(parts[1]) : nil
            // A value that begins with two dashes can only be joined with an equals sign.
            if value == nil, let next = rest.first, !next.hasPrefix("--") { value = rest.popFirst() }
            guard let setting = settingOfFlag(name) else { continue }
            guard let value else {
                flaw(setting, "flag \(setting.flag) has no value; give one, \(setting.words)")
                continue
            }
            if flags[name] == nil { order.append(setting) }
            flags[name, default: []].append(value)
        }
        for setting in order {
            let texts = flags[setting.name] ?? []
            if texts.count > 1 && !setting.isList {
                flaw(setting, "flag \(setting.flag) is given \(texts.count) times; give it once")
            } else {
                given[setting.name] = Given(texts: texts, source: .flag)
            }
        }
    }

    /// The setting of a flag that this role takes; otherwise a problem is noted.
    private mutating func settingOfFlag(_ name: String) -> (any SettingDeclaration)? {
        guard let setting = SettingsTable.setting(named: name) else {
            let flags = SettingsTable.all.filter { $0.places != .environmentAlone && $0.roles.contains(role) }.map(
                \.flag)
            problems.append("unknown flag \(quoted("--\(name)")); \(advice("--\(name)", flags))")
            return nil
        }
        if setting.places == .environmentAlone {
            let remedy = "every user of this machine can read it in the process list; set \(setting.flag)-file"
            flaw(
                setting, "\(setting.name) is not taken as a flag: \(remedy), or \(setting.variable) in the environment")
            return nil
        }
        guard setting.roles.contains(role) else {
            problems.append(
                "flag \(setting.flag) is for \(setting.roles.map { "quash \($0)" }.joined(separator: " and ")), "
                    + "not for quash \(role); take it out")
            return nil
        }
        return setting
    }

    // MARK: Environment

    private mutating func readEnvironment(_ environment: [String: String]) {
        let byVariable = Dictionary(uniqueKeysWithValues: SettingsTable.all.map { ($0.variable, $0) })
        for (variable, text) in environment.sorted(by: { $0.key < $1.key })
        where variable.hasPrefix(SettingsTable.variablePrefix) {
            guard let setting = byVariable[variable] else {
                if !SettingsTable.isForeign(variable: variable, value: text) {
                    problems.append(
                        "unknown environment variable \(quoted(variable)); \(advice(variable, byVariable.keys))")
                }
                continue
            }
            offer(setting, Given(texts: [text], source: .environment))
        }
    }

    // MARK: File

    private mutating func readFile() {
        guard let given = given[SettingsTable.config.name], let path = given.texts.first,
            (try? SettingsTable.config.parse(given.texts)) != nil
        else { return }
        let document: YAMLDocument
        do {
            document = try YAMLDocument(try PlainFile.read(path: path, maxBytes: ConfigurationLimits.maxFileBytes))
        } catch let flaw as YAMLFlaw {
            problems.append("\(shown(path)):\(flaw.line): \(flaw.reason); \(flaw.remedy)")
            return
        } catch {
            problems.append("\(shown(path)): \(error); correct --config")
            return
        }
        var lines: [String: Int] = [:]
        for entry in document.entries {
            let place = "\(shown(path)):\(entry.line)"
            if let line = lines.updateValue(entry.line, forKey: entry.key) {
                problems.append(
                    "\(place): \(quoted(entry.key)) is given a second time, first in line \(line); keep one")
                continue
            }
            guard let setting = SettingsTable.setting(named: entry.key) else {
                let names = SettingsTable.all.filter { $0.places == .all }.map(\.name)
                problems.append("\(place): unknown key \(quoted(entry.key)); \(advice(entry.key, names))")
                continue
            }
            take(setting, entry, path, place)
        }
    }

    private mutating func take(
        _ setting: any SettingDeclaration, _ entry: YAMLDocument.Entry, _ path: String, _ place: String
    ) {
        switch setting.places {
        case .environmentAlone:
            flaw(
                setting,
                "\(place): \(setting.name) does not belong into a file that is copied; "
                    + "set \(setting.name)-file, or \(setting.variable) in the environment")
        case .outsideFile:
            flaw(setting, "\(place): \(setting.name) cannot be inside the file itself; take it out")
        case .all where entry.isList && !setting.isList:
            flaw(setting, "\(place): \(setting.name) takes one value, not a list; write \(setting.name): value")
        case .all where entry.values.isEmpty:
            flaw(setting, "\(place): \(setting.name) is an empty list; give an entry or take the key out")
        case .all:
            offer(setting, Given(texts: entry.values, source: .file(path: shown(path), line: entry.line)))
        }
    }

    // MARK: Values

    /// Takes what a source of lower precedence says, unless a higher one has spoken or the role does not read it.
    private mutating func offer(_ setting: any SettingDeclaration, _ offered: Given) {
        guard setting.roles.contains(role), given[setting.name] == nil, !flawed.contains(setting.name) else { return }
        given[setting.name] = offered
    }

    private mutating func values() -> SettingValues {
        var values = SettingValues(role: role)
        for setting in SettingsTable.all where setting.roles.contains(role) && !flawed.contains(setting.name) {
            let fallback = setting.fallback.text(for: role).map { Given(texts: [$0], source: .fallback) }
            guard let given = given[setting.name] ?? fallback else {
                if case .required = setting.fallback {
                    flaw(
                        setting,
                        "\(setting.name) (\(setting.words)) is missing; set \(setting.flag), \(setting.variable) or "
                            + "\(setting.name) in the YAML file")
                }
                continue
            }
            do throws(SettingFlaw) {
                guard given.texts.allSatisfy({ $0.utf8.count <= ConfigurationLimits.maxValueBytes }) else {
                    throw SettingFlaw("is too long", "give at most \(ConfigurationLimits.maxValueBytes) bytes")
                }
                guard given.texts != [""] else {
                    throw SettingFlaw("is empty", "give a value, \(setting.words), or take it out")
                }
                values.set(setting, try setting.parse(given.texts), from: given.source)
            } catch {
                let text = setting.isSecret ? "" : " \(quoted(given.texts.joined(separator: ",")))"
                let source = given.source.description(of: setting)
                flaw(setting, "\(setting.name)\(text) (\(source)) \(error.reason); \(error.remedy)")
            }
        }
        return values
    }

    private mutating func judge(_ values: SettingValues) {
        for rule in SettingRule.all where rule.roles.contains(role) {
            guard rule.settings.allSatisfy({ !flawed.contains($0.name) }), !rule.holds(values) else { continue }
            let parts = rule.settings.map { setting in
                values.entry(setting).map {
                    "\(setting.name) \(quoted($0.parsed.text)) (\($0.source.description(of: setting)))"
                } ?? "\(setting.name) (not set)"
            }
            problems.append("\(parts.joined(separator: ", ")): \(rule.statement); \(rule.remedy)")
        }
    }

    private mutating func flaw(_ setting: any SettingDeclaration, _ line: String) {
        flawed.insert(setting.name)
        problems.append(line)
    }

    private func advice(_ text: String, _ names: some Sequence<String>) -> String {
        let all = "`quash \(role) --help` lists them all"
        return nearest(to: text, among: names).map { "did you mean \($0)? \(all)" } ?? all
    }

    /// A path without quotes, so that a terminal finds file and line in it; on one line nevertheless.
    private func shown(_ path: String) -> String {
        String(quoted(path).dropFirst().dropLast())
    }
}

/// Everything that is wrong with a configuration.
public struct ConfigurationError: Error, CustomStringConvertible {
    /// One line each: the setting, its value, where it came from, and what to do. Without anything secret.
    public let problems: [String]

    public var description: String { problems.joined(separator: "\n") }
}

extension SettingsTable {
    /// Variables that begin as ours do and are none of the settings of a role.
    static func isForeign(variable: String, value: String) -> Bool {
        clientVariables.contains(variable) || isServiceLink(variable, value)
    }

    /// Read by the commands that talk to an issuer, and by this project's own build.
    private static let clientVariables: Set = ["QUASH_SERVER", "QUASH_WERROR"]

    /// Kubernetes tells every container of a service named `quash` or `quash-issuer` where it is, in variables such as
    /// `QUASH_ISSUER_SERVICE_HOST` and `QUASH_PORT_8080_TCP_ADDR`. No setting has such a name.
    private static func isServiceLink(_ variable: String, _ value: String) -> Bool {
        if variable.contains("_SERVICE_HOST") || variable.contains("_SERVICE_PORT") { return true }
        guard let port = variable.firstRange(of: "_PORT") else { return false }
        let rest = variable[port.upperBound...]
        return rest.isEmpty
            ? value.contains("://") : rest.contains("_TCP") || rest.contains("_UDP") || rest.contains("_SCTP")
    }
}
