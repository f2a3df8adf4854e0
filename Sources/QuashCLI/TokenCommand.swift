import ArgumentParser
import Glibc
import QuashJWT
import QuashServer

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Mint, look into and verify tokens.",
        subcommands: [TokenMintCommand.self, TokenInspectCommand.self, TokenVerifyCommand.self])
}

/// Which token a command is about.
struct TokenArgument: ParsableArguments {
    @Argument(help: "The token; read from standard input when it is not given, or is a dash.")
    var token: String?

    /// Blanks and line ends around a token on standard input.
    private static let maxBlankBytes = 1024

    /// The token's bytes, without blanks around them.
    func read() throws(CommandFailure) -> [UInt8] {
        if let token, token != "-" {
            Terminal.complain([
                "warning: arguments are in the process list for everybody to see; give tokens on standard input"
            ])
            return Array(token.utf8)
        }
        let input: [UInt8]
        do throws(PlainFile.Flaw) {
            input = try PlainFile.read(descriptor: STDIN_FILENO, maxBytes: JWTLimits.maxTokenBytes + Self.maxBlankBytes)
        } catch {
            throw CommandFailure(.usage, "standard input \(error): that is no token")
        }
        let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
        let token = input.drop(while: isBlank)
        guard let last = token.lastIndex(where: { !isBlank($0) }) else {
            throw CommandFailure(.usage, "there is no token on standard input; pipe one in")
        }
        return Array(token[...last])
    }
}
