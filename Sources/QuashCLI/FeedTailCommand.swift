import ArgumentParser
import Quash
import QuashJSON
import QuashJWT
import QuashServer

struct FeedTailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Print each revocation as it is published, until interrupted.",
        discussion: """
            Takes the password from QUASH_REDIS_PASSWORD or QUASH_REDIS_PASSWORD_FILE. What is printed is the fast \
            path: what is lost on it still reaches every validator, but not this command. Identifiers are shown as the \
            feed has them: those that Quash did not make itself are hashes.
            """)

    @Option(
        help: ArgumentHelp(
            "The Redis that carries the feed (default: QUASH_REDIS_URL, or redis://127.0.0.1:6379/0).", valueName: "url"
        ))
    var redisURL: String?

    @Option(
        name: .customLong("redis-ca-file"),
        help: ArgumentHelp("Certificates of the authorities that may vouch for a rediss:// server.", valueName: "file"))
    var caFile: String?

    @Option(help: "End after so many commits.")
    var count: Int?

    @OptionGroup var options: OutputOptions

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count \(count) is not a number of commits; give 1 or more") }
    }

    func run() throws {
        let environment = ProcessEnvironment.current
        var isListening = false
        var remaining = count
        var failure: CommandFailure?
        let heard = { (event: FeedTail.Event) -> Bool in
            switch event {
            case .listening:
                isListening = true
                Terminal.complain(["listening"])
            case .keysChanged: Terminal.complain(["an issuer's keys may have changed"])
            case .unreadable: Terminal.complain(["something that is no commit was published"])
            case .commit(let commit):
                print(commit)
                remaining = remaining.map { $0 - 1 }
                return remaining != 0
            case .lost(let reason) where !isListening:
                failure = CommandFailure(.unreachable, "\(reason); --redis-url or QUASH_REDIS_URL names another Redis")
                return false
            case .lost(let reason):
                Terminal.complain(["lost the connection, and what is published until it is back: \(reason)"])
            }
            return true
        }
        let password = try password(environment)
        do {
            try FeedTail.run(
                url: redisURL ?? environment["QUASH_REDIS_URL"] ?? "redis://127.0.0.1:6379/0", password: password,
                caFile: caFile, heard: heard)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        if let failure { throw failure }
    }

    private func password(_ environment: [String: String]) throws(CommandFailure) -> Secret? {
        let name = environment["QUASH_REDIS_PASSWORD"] == nil ? "QUASH_REDIS_PASSWORD_FILE" : "QUASH_REDIS_PASSWORD"
        guard let text = environment[name] else { return nil }
        do throws(SettingFlaw) {
            return name.hasSuffix("_FILE")
                ? try SecretInFile(path: text, .password).secret : try Secret(Array(text.utf8), .password)
        } catch {
            throw CommandFailure(.usage, "\(name) \(error.reason); \(error.remedy)")
        }
    }

    private func print(_ commit: FeedTail.Commit) {
        let position = "\(commit.position.epoch):\(commit.position.sequence)"
        switch options.output {
        case .text:
            for revocation in commit.revocations {
                let clock = revocation.boundClock == .provider ? ", by the provider's clock" : ""
                let bound = revocation.issuedBefore.map { " issued before \($0)\(clock)" } ?? ""
                Terminal.say(
                    "\(commit.committed) \(position) \(revocation.key.kind.name) \(Self.name(revocation))\(bound)")
            }
        case .json:
            let revocations = commit.revocations.map { revocation in
                var object = JSONObject()
                object["kind"] = .string(revocation.key.kind.name)
                object["id"] = .string(Self.name(revocation))
                object["issued_before"] = revocation.issuedBefore.map { .string($0.description) }
                if revocation.boundClock == .provider { object["clock"] = "provider" }
                object["expires"] = .integer(Int64(revocation.expiresAtSeconds))
                return JSONValue.object(object)
            }
            let line: JSONValue = [
                "epoch": .string(commit.position.epoch.description),
                "seq": .integer(Int64(clamping: commit.position.sequence)),
                "committed": .string(commit.committed.description), "awaiting": .integer(Int64(commit.awaitingNodes)),
                "revocations": .array(revocations),
            ]
            Terminal.say(String(decoding: line.serialized(), as: UTF8.self))
        }
    }

    private static func name(_ revocation: Revocation) -> String {
        Base64URL.encode(revocation.key.identifier.span)
    }
}
