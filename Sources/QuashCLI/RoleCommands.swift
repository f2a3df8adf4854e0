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
                // It serves what needs no Redis from the start, so whoever waits for it need not wait for that.
                return RunningRole(
                    stop: issuer.stop, reload: issuer.reload, problems: { issuer.problems }, startsWhenReady: false,
                    probe: issuer.probe)
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
                return RunningRole(
                    stop: validator.stop, reload: validator.reload, problems: { validator.problems },
                    startsWhenReady: true, probe: validator.probe)
            })
    }
}

/// Runs a role until SIGTERM or SIGINT; SIGHUP reloads what can be reloaded.
///
/// - Parameter reread: reads the configuration again. When it has problems, nothing is reloaded.
/// - Throws: ``CommandFailure`` when the role does not start.
private func runRole(
    _ configuration: SharedConfiguration, reread: @escaping () throws(ConfigurationError) -> SharedConfiguration,
    start: (Logger) throws -> RunningRole
) throws {
    let output = LogOutput(format: configuration.logFormat, level: configuration.logLevel)
    let log = output.logger("quash")
    let role: RunningRole
    do {
        role = try start(log)
    } catch {
        throw CommandFailure(.usage, "\(error)")
    }
    let loop = try Loop()
    let report = ServiceReport(on: loop, role, environment: ProcessEnvironment.current)
    let signals = try SignalSource(on: loop, [SIGTERM, SIGINT, SIGHUP]) { signal in
        guard signal == SIGHUP else { return loop.stop() }
        do throws(ConfigurationError) {
            let changed = try reread()
            output.level = changed.logLevel
            for name in changed.settings.fixedDifferences(from: configuration.settings) {
                log.record(.settingFixed, ["setting": "\(name)"])
            }
            report.reloading(role.reload)
        } catch {
            log.refusedReload(error.problems)
        }
    }
    loop.run()
    report.stopping()
    role.stop()
    signals.close()
    loop.close()
}
