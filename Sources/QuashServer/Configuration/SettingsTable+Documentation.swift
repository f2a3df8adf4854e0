extension SettingsTable {
    /// The reference of all settings, as the DocC article `Configuration.md` and `quash config reference` have it.
    package static var markdown: String {
        var page = """
            # Configuration

            Every setting, by flag, environment or file.

            ## Overview

            A setting is given as a flag (`--lease 5s`), in the environment (`QUASH_LEASE=5s`) or in the YAML file that
            `--config` or `QUASH_CONFIG` names (`lease: 5s`); the first of these that has it counts. A list is several
            flags, one value with commas, or a YAML list. Durations are a whole number and a unit: `500ms`, `10s`,
            `15m`, `2h`, `7d`.

            An unknown name or a bad value stops the start with a line for each that says what to do. One file may serve
            issuer and validator: what is meant for the other role is ignored, but its name must be known.
            `quash config check issuer` and `quash config check validator` show what a start with the same flags,
            environment and file would run with, and where each value came from.

            ## Settings

            `R` marks what SIGHUP takes over: the value, or the contents of the file that it names.

            | setting | role | value | default | | meaning |
            |---|---|---|---|---|---|

            """
        for setting in all {
            let name =
                setting.places == .environmentAlone
                ? "`\(setting.variable)`, in the environment alone" : "`\(setting.name)`"
            page +=
                "| \(name) | \(setting.roleWords) | \(setting.words) | \(setting.fallback.words) | "
                + "\(setting.isReloadable ? "R" : "") | \(setting.summary) |\n"
        }
        page += "\n## Rules\n\n"
        for rule in SettingRule.all {
            page += "- \(rule.statement): \(rule.settings.map { "`\($0.name)`" }.joined(separator: ", "))\n"
        }
        return page + "\n" + sentinelSection
    }

    private static let sentinelSection = """
        ## Redis behind sentinels

        `redis-sentinel://[[user]:password@]host[:port][,host[:port]...]/master-name[/database]` names sentinels, with
        port 26379 where none is given, and the name by which they know the master. `rediss-sentinel://` speaks TLS to
        them and to the master. User and password are those of Redis; the sentinels are asked without any.

        For each connection the sentinels are asked in turn, the one that answered last first. The server that is named
        is used only if it says itself that it is the master, so the user in Redis needs the command `ROLE` (`+role`).

        Set `min-replicas-to-write 1` and `min-replicas-max-lag 10` on the master and on every replica. A master without
        them is refused: only so does one that was cut off stop granting leases while another is promoted. And run two
        replicas or more: with one, the promoted server takes no writes until the old master is back as its replica. Run
        a sentinel beside each server: then those that promote another server are with the greater part of the servers,
        and no replica is left with the old master.

        A master that no replica answers grants nothing for longer than `fence`, which is `min-replicas-max-lag` and two
        seconds, because Redis compares whole seconds and looks at them once a second. The scripts look for themselves,
        too: a process that was stopped would count its replicas as before until it had looked again.

        """

    /// The settings of one role, for `--help`: flag, what it takes, default, meaning.
    package static func help(for role: Role) -> String {
        let settings = all.filter { $0.roles.contains(role) && $0.places != .environmentAlone }
        let lines = settings.map { setting in
            let words = setting.words.filter { $0 != "`" }
            let fallback = setting.fallback.words(for: role).map { "; default: \($0)" } ?? ""
            let text = "\(setting.summary.filter { $0 != "`" }) (\(words)\(fallback))"
            return "  \(setting.flag)\n" + wrapped(text, indent: 6)
        }
        return """
            Every setting is a flag, an environment variable (--redis-url is QUASH_REDIS_URL) and a key of the YAML \
            file that --config names (redis-url), in this order of precedence. The secrets themselves, \
            QUASH_REDIS_PASSWORD and QUASH_ADMIN_TOKEN, are taken from the environment alone: flags are in the process \
            list.

            SETTINGS:
            \(lines.joined(separator: "\n"))
            """
    }
}

/// Lines of at most 80 characters, each indented.
private func wrapped(_ text: String, indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    for word in text.split(separator: " ") {
        if let last = lines.last, last.count + word.count < 80 {
            lines[lines.count - 1] = "\(last) \(word)"
        } else {
            lines.append(margin + word)
        }
    }
    return lines.joined(separator: "\n")
}

extension SettingDeclaration {
    fileprivate var roleWords: String {
        roles.count == Role.allCases.count ? "both" : roles.map(\.rawValue).joined()
    }
}

extension SettingDefault {
    /// For the documentation.
    fileprivate var words: String {
        switch self {
        case .unset: ""
        case .required: "required"
        case .text(let text): "`\(text)`"
        case .perRole(let issuer, let validator): "issuer `\(issuer)`, validator `\(validator)`"
        case .machine(let words, _): words
        }
    }

    /// For the help of one role; nil when there is none.
    fileprivate func words(for role: Role) -> String? {
        switch self {
        case .unset: nil
        case .required: "none, it must be given"
        case .machine(let words, _): words
        case .text, .perRole: text(for: role)
        }
    }
}
