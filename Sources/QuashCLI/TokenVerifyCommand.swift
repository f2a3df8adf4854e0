import ArgumentParser
import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT
import QuashServer

struct TokenVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify signature and claims of a token; whether it was revoked is not asked.")

    @OptionGroup var token: TokenArgument

    @Option(help: ArgumentHelp("The issuer's keys.", valueName: "file"))
    var jwksFile: String?
    @Option(
        name: .customLong("jwks-url"), help: ArgumentHelp("Where the issuer publishes its keys.", valueName: "url"))
    var jwksURL: String?
    @Option(help: ArgumentHelp("Certificates of the authorities that may vouch for --jwks-url.", valueName: "file"))
    var caFile: String?
    @Option(help: "What iss must be.")
    var issuer: String?
    @Option(help: "What aud must be or contain.")
    var audience: String?
    @Flag(help: "Expect a refresh token, not an access token.")
    var refresh = false

    @OptionGroup var options: OutputOptions

    func run() throws {
        guard (jwksFile == nil) != (jwksURL == nil) else {
            throw ValidationError("give the keys with exactly one of --jwks-file and --jwks-url")
        }
        let keys = try keySet()
        var policy = TokenPolicy(types: [refresh ? .refresh : .access])
        policy.issuer = issuer
        policy.audiences = audience.map { [$0] } ?? []
        let text = try token.read()
        let now = NumericDate(seconds: ClockReading.now().wall.seconds)
        do throws(TokenRefusal) {
            let claims = try Self.verifier(keys, policy).verify(text.span, at: now).claims
            options.say(
                [
                    "valid": true, "sub": .string(claims.subject), "jti": .string(claims.id),
                    "exp": .integer(claims.expiresAt.seconds),
                ],
                text: "valid until \(WallInstant(seconds: claims.expiresAt.seconds)) for \(printable(claims.subject))")
        } catch {
            if options.output == .json { Terminal.say(#"{"valid":false,"reason":"\#(error.rawValue)"}"#) }
            throw CommandFailure(.refused, "the token is refused: \(error.rawValue)")
        }
    }

    private static func verifier(_ keys: KeySet, _ policy: TokenPolicy) -> TokenVerifier {
        do {
            return try TokenVerifier(keys: keys, policy: policy)
        } catch {
            preconditionFailure("keys that were parsed cannot be used: \(error)")
        }
    }

    private func keySet() throws(CommandFailure) -> KeySet {
        let source = jwksFile.map { "--jwks-file \(quoted($0))" } ?? "--jwks-url \(quoted(jwksURL ?? ""))"
        let bytes = try document(source)
        do {
            return try KeySet(parsing: bytes.span)
        } catch {
            throw CommandFailure(.refused, "\(source): \(error)")
        }
    }

    private func document(_ source: String) throws(CommandFailure) -> [UInt8] {
        if let jwksFile {
            do {
                return try PlainFile.read(path: jwksFile, maxBytes: JWTLimits.maxKeySetBytes)
            } catch {
                throw CommandFailure(.usage, "\(source) \(error)")
            }
        }
        let url: HTTPURL
        do {
            url = try HTTPURL(jwksURL ?? "")
        } catch {
            throw CommandFailure(.usage, "\(source): \(error); write https://host/path")
        }
        let response: HTTPResponse
        do {
            response = try AdminClient.perform(
                HTTPClient.Request(.get, url, maxBodyBytes: JWTLimits.maxKeySetBytes),
                tls: url.isSecure
                    ? try .client(trust: caFile.map { .certificateAuthorities(path: $0) } ?? .systemRoots) : nil)
        } catch {
            throw CommandFailure(.unreachable, "\(error)")
        }
        guard response.status == .ok else { throw CommandFailure(.unreachable, "\(source) answers \(response.status)") }
        return response.body
    }
}
