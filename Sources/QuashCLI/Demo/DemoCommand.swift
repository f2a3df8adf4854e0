import ArgumentParser
import Glibc
import Logging
import QuashJSON
import QuashLoop
import QuashServer

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show the whole story: a private Redis, an issuer, three validators, nginx, and what they promise.",
        discussion: """
            Needs redis-server, and shows nginx too where it is installed. Everything runs on loopback and in a
            temporary folder, and ends with the demo. Exits 0 if every step went as promised, 1 otherwise.
            """)

    @Flag(help: "Leave everything running afterwards, with addresses and credentials to try, until SIGTERM or Ctrl-C.")
    var keep = false

    @OptionGroup var options: OutputOptions

    func run() throws {
        let log = LogOutput(format: .auto, level: .critical).logger("demo")
        let fleet: DemoFleet
        do {
            fleet = try DemoFleet(log: log)
        } catch {
            throw CommandFailure(.unreachable, "the demo cannot start: \(error)")
        }
        defer { fleet.stop() }
        let isText = options.output == .text
        let story = try DemoStory(fleet) { if isText { Terminal.say($0) } }
        if isText {
            Terminal.say("A private redis-server, an issuer, three validators\(nginx(fleet)), all on this machine.")
        }
        try fleet.waitUntilReady()
        try story.tell()
        if isText {
            Terminal.say(
                story.brokenPromises == 0
                    ? "\nEvery step went as promised." : "\n\(story.brokenPromises) steps did not go as promised.")
        }
        if keep { try stay(fleet) }
        if story.brokenPromises > 0 { throw ExitCode(1) }
    }

    private func nginx(_ fleet: DemoFleet) -> String {
        fleet.nginxAddress == nil ? " (nginx is not installed)" : ", and nginx in front of one"
    }

    /// Prints how to reach everything, and waits for a signal.
    private func stay(_ fleet: DemoFleet) throws {
        let issuer = "http://\(fleet.issuer.addresses[0])"
        let admin = "http://\(fleet.issuer.adminAddresses[0])"
        let gates = fleet.validators.map { "http://\($0.addresses[0])" }
        if options.output == .json {
            let description: JSONValue = [
                "issuer": .string(issuer), "admin": .string(admin), "admin_token": .string(fleet.adminToken),
                "validators": .array(gates.map { .string($0) }), "redis": .string(fleet.redis.url),
                "nginx": fleet.nginxAddress.map { .string("unix:\($0)") } ?? .null,
            ]
            Terminal.say(String(decoding: description.serialized(), as: UTF8.self))
        } else {
            Terminal.say(
                """

                Try it. Sign in, and keep the access token:
                  curl -s \(admin)/admin/v1/sessions -H 'Authorization: Bearer \(fleet.adminToken)' -d '{"sub":"carol"}'
                Ask a validator, as a gateway would:
                  curl -si \(gates[0])/authz/auth-request -H "Authorization: Bearer $TOKEN"
                Log out, and ask again:
                  curl -s -X POST \(issuer)/logout -H "Authorization: Bearer $TOKEN"
                Ctrl-C ends it all.
                """)
        }
        let loop = try Loop()
        let signals = try SignalSource(on: loop, [SIGTERM, SIGINT]) { _ in loop.stop() }
        loop.run()
        signals.close()
        loop.close()
    }
}
