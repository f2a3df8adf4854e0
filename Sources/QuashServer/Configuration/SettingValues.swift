/// The effective value of every setting of one role, and where each came from.
package struct SettingValues: Sendable {
    /// A value and its origin.
    package struct Entry: Sendable {
        let parsed: ParsedSetting
        package let source: SettingSource
    }

    package let role: Role
    private var entries: [String: Entry] = [:]

    init(role: Role) {
        self.role = role
    }

    mutating func set(_ setting: any SettingDeclaration, _ parsed: ParsedSetting, from source: SettingSource) {
        entries[setting.name] = Entry(parsed: parsed, source: source)
    }

    /// Whether it was given or has a default.
    func has(_ setting: any SettingDeclaration) -> Bool { entries[setting.name] != nil }

    func entry(_ setting: any SettingDeclaration) -> Entry? { entries[setting.name] }

    func optional<Value>(_ setting: Setting<Value>) -> Value? {
        guard let entry = entries[setting.name] else { return nil }
        guard let value = entry.parsed.value as? Value else {
            preconditionFailure("two settings are named \(setting.name)")
        }
        return value
    }

    /// The value of a setting that is required or has a default, for this role.
    func value<Value>(_ setting: Setting<Value>) -> Value {
        guard let value = optional(setting) else {
            preconditionFailure("\(setting.name) has no value for a \(role), and nothing demands one")
        }
        return value
    }

    /// One line of `quash config check`.
    package struct Line: Hashable, Sendable {
        package let name: String
        /// Nil when it has none. What is secret is masked.
        package let value: String?
        /// `flag --lease`, `environment QUASH_LEASE`, `quash.yaml:3`, `default`.
        package let source: String
    }

    /// Every setting of the role, in the order of the table.
    package var lines: [Line] {
        SettingsTable.all.filter { $0.roles.contains(role) }.map { setting in
            let entry = entries[setting.name]
            return Line(
                name: setting.name, value: entry?.parsed.text,
                source: (entry?.source ?? .fallback).description(of: setting))
        }
    }

    /// The names of the settings that are not as in `other` although they are not reloadable: a reload cannot take
    /// these over, and the operator is to be told.
    package func fixedDifferences(from other: SettingValues) -> [String] {
        zip(SettingsTable.all.filter { $0.roles.contains(role) }, zip(lines, other.lines))
            .filter { setting, lines in !setting.isReloadable && lines.0.value != lines.1.value }
            .map { setting, _ in setting.name }
    }
}
