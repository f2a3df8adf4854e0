import ArgumentParser
import Glibc
import Logging
import QuashLoop
import QuashServer

struct IssuerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "issuer", abstract: "Run an issuer: it signs tokens, keeps sessions, and publishes revocations.",
        discussion: SettingsTable.help(for: .issuer))

    @Argument(parsing: .allUnrecognized, help: "Settings, such as --redis-url unix:///run/redis.sock")
    var settings: [String] = []

    func run() throws {
        let read = { () throws(ConfigurationError) in
            try IssuerConfiguration(arguments: settings, environment: ProcessEnvironment.current)
        }
        let configuration = try read()
        try runRole(
            configuration.common, reread: { () throws(ConfigurationError) in try read().common },
            start: { log in
                let issuer = try Issuer(configuration, log: log)
                return (stop: issuer.stop, reload: issuer.reload)
            })
    }
}

struct ValidatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validator", abstract: "Run a validator: it decides for gateways whether a token may pass.",
        discussion: SettingsTable.help(for: .validator))

    @Argument(parsing: .allUnrecognized, help: "Settings, such as --jwks-file jwks.json")
    var settings: [String] = []

    func run() throws {
        let read = { () throws(ConfigurationError) in
            try ValidatorConfiguration(arguments: settings, environment: ProcessEnvironment.current)
        }
        let configuration = try read()
        try runRole(
            configuration.common, reread: { () throws(ConfigurationError) in try read().common },
            start: { log in
                let validator = try ValidatorNode(configuration, log: log)
                return (stop: validator.stop, reload: validator.reload)
            })
    }
}

/// Runs a role until SIGTERM or SIGINT; SIGHUP reloads what can be reloaded.
///
/// - Parameter reread: reads the configuration again. When it has problems, nothing is reloaded.
/// - Throws: ``CommandFailure`` when the role does not start.
private func runRole(
    _ configuration: SharedConfiguration, reread: @escaping () throws(ConfigurationError) -> SharedConfiguration,
    start: (Logger) throws -> (stop: () -> Void, reload: () -> Void)
) throws {
    let output = LogOutput(format: configuration.logFormat, level: configuration.logLevel)
    let log = output.logger("quash")
    let role: (stop: () -> Void, reload: () -> Void)
    do {
        role = try start(log)
    } catch {
        throw CommandFailure(.usage, "\(error)")
    }
    let loop = try Loop()
    let signals = try SignalSource(on: loop, [SIGTERM, SIGINT, SIGHUP]) { signal in
        guard signal == SIGHUP else { return loop.stop() }
        do throws(ConfigurationError) {
            let changed = try reread()
            output.level = changed.logLevel
            for name in changed.settings.fixedDifferences(from: configuration.settings) {
                log.record(.settingFixed, ["setting": "\(name)"])
            }
            role.reload()
        } catch {
            for problem in error.problems { log.record(.reloadRefused, ["error": "\(problem)"]) }
        }
    }
    ServiceNotification.send("READY=1")
    loop.run()
    ServiceNotification.send("STOPPING=1")
    role.stop()
    signals.close()
    loop.close()
}
