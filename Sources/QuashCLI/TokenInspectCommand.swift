import ArgumentParser
import Quash
import QuashJSON
import QuashJWT
import QuashServer

struct TokenInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show what a token says, WITHOUT verifying it.")

    @OptionGroup var token: TokenArgument
    @OptionGroup var options: OutputOptions

    func run() throws {
        let parts = try token.read().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.object(parts[0]), let claims = Self.object(parts[1]) else {
            throw CommandFailure(
                .refused, "this is no compact JWS: three parts in base64url, of which two are JSON objects")
        }
        Terminal.complain(["NOT VERIFIED: anybody can write such a token; `quash token verify` checks the signature"])
        var lines = ["header"] + Self.lines(header) + ["claims"] + Self.lines(claims)
        if let id = claims["jti"]?.string.flatMap({ TokenID($0) }) {
            lines.append("this jti is a Quash issuer's: session \(id.session)")
        }
        options.say(
            ["verified": false, "header": .object(header), "claims": .object(claims)],
            text: lines.joined(separator: "\n"))
    }

    private static func object(_ part: ArraySlice<UInt8>) -> JSONObject? {
        guard let bytes = Base64URL.decode(String(decoding: part, as: UTF8.self)) else { return nil }
        return (try? JSONValue(parsing: bytes.span))?.object
    }

    private static func lines(_ object: JSONObject) -> [String] {
        object.members.map { member in
            let text = member.value.string ?? String(decoding: member.value.serialized(), as: UTF8.self)
            var line = "  \(printable(member.name)): \(printable(text))"
            if ["exp", "iat", "nbf"].contains(member.name), let seconds = member.value.integer,
                NumericDate.range.contains(NumericDate(seconds: seconds))
            {
                line += " (\(WallInstant(seconds: seconds)))"
            }
            return line
        }
    }
}
