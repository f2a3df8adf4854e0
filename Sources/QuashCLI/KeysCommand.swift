import ArgumentParser
import QuashCrypto
import QuashJSON
import QuashJWT
import QuashServer

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make and replace the keys that sign tokens.",
        discussion: """
            A key file holds private RSA keys in PEM. The first signs; the others are only published, so that tokens \
            which they signed, or will sign, can be verified. An issuer takes a changed file over on SIGHUP.

            To replace a key without a single refused token:
              quash keys rotate --publish-only   then SIGHUP: validators that hear the feed fetch it within a second,
                                                 all others within five minutes
              quash keys rotate --kid <new>      then SIGHUP: the new one signs
              quash keys retire --kid <old>      then SIGHUP, once no refresh token of the old one is left
            """,
        subcommands: [KeysGenerateCommand.self, KeysListCommand.self, KeysRotateCommand.self, KeysRetireCommand.self])
}

/// The file that the commands are about.
struct KeyFileOptions: ParsableArguments {
    @Option(help: "The key file (default: QUASH_SIGNING_KEY_FILE).")
    var file: String?

    @OptionGroup var options: OutputOptions

    var path: String {
        get throws(CommandFailure) { try KeyFile.path(file, environment: ProcessEnvironment.current) }
    }

    func say(_ file: KeyFile) {
        var table = TextTable("KID", "BITS", "ROLE")
        var json: [JSONValue] = []
        for (index, (keyID, key)) in zip(file.keyIDs, file.keys).enumerated() {
            let bits = key.publicKey.bits
            let role = index == 0 ? "signs" : "published"
            table.append(keyID, "\(bits)", role)
            json.append(["kid": .string(keyID), "bits": .integer(Int64(bits)), "role": .string(role)])
        }
        options.say(["file": .string(file.path), "keys": .array(json)], text: table.text)
    }
}

struct KeysGenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Create a key file with one new key, mode 600.")

    @OptionGroup var target: KeyFileOptions

    @Option(help: "The size of the key, 2048 to 4096.")
    var bits = 2048

    func run() throws {
        target.say(try KeyFile.create(path: try target.path, bits: bits))
    }
}

struct KeysListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the keys of a file.")

    @OptionGroup var target: KeyFileOptions

    func run() throws {
        target.say(try KeyFile.read(path: try target.path))
    }
}

struct KeysRotateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Let a new key sign, and keep publishing the old one.")

    @OptionGroup var target: KeyFileOptions

    @Option(help: "The size of the new key, 2048 to 4096.")
    var bits = 2048

    @Flag(help: "Add the new key without letting it sign yet.")
    var publishOnly = false

    // A thumbprint may begin with a dash.
    @Option(parsing: .unconditional, help: "Make no new key: let this one of the file sign.")
    var kid: String?

    func validate() throws {
        if kid != nil && publishOnly { throw ValidationError("--kid and --publish-only exclude each other") }
    }

    func run() throws {
        var file = try KeyFile.read(path: try target.path)
        if let kid {
            try file.promote(keyID: kid)
        } else {
            try file.add(bits: bits, signs: !publishOnly)
        }
        target.say(file)
    }
}

struct KeysRetireCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire",
        abstract: "Remove a key that does not sign. Tokens that it signed are refused from then on.")

    @OptionGroup var target: KeyFileOptions

    @Option(parsing: .unconditional, help: "The key, as `quash keys list` names it.")
    var kid: String

    func run() throws {
        var file = try KeyFile.read(path: try target.path)
        try file.retire(keyID: kid)
        target.say(file)
    }
}

extension RSAPublicKey {
    /// The length of the modulus.
    var bits: Int { modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0) }
}
