import Glibc
import QuashCrypto
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@Suite("Looking into and verifying tokens")
struct TokenCommandTests {
    let quash: QuashProgram
    let jwks: String
    let now: Int64

    init() throws {
        quash = try QuashProgram()
        jwks = try KeySetFile.write(to: quash.folder)
        now = Int64(time(nil))
    }

    private func token(
        expiresIn seconds: Int64 = 900, type: TokenType = .access, key: String = TestKeys.privateKey
    ) throws -> String {
        let id = TokenID(session: .random(), issuedAtMilliseconds: now * 1000)
        var claims = Claims(
            subject: "alice", issuedAt: NumericDate(seconds: now - 1000),
            expiresAt: NumericDate(seconds: now + seconds),
            id: id.description)
        claims.issuer = "https://issuer.example"
        claims.audience = ["api"]
        let signer = TokenSigner(try RSAPrivateKey(pem: Array(key.utf8)))
        return String(decoding: try signer.sign(claims, type: type), as: UTF8.self)
    }

    @Test func aValidTokenIsValid() throws {
        let arguments = [
            "token", "verify", "--jwks-file", jwks, "--issuer", "https://issuer.example", "--audience", "api",
        ]
        let result = try quash(arguments, input: "  \(try token())\n")
        #expect(result.exit == .code(0), "\(result.errors)")
        #expect(result.output.hasPrefix("valid until 20") && result.output.hasSuffix("Z for alice\n"))
        #expect(result.errors == "")
        let json = try quash(arguments + ["-o", "json"], input: try token()).json
        #expect(json?["valid"] == true)
        #expect(json?["sub"] == "alice")
    }

    @Test func aTokenThatIsNotIsRefusedWithTheReason() throws {
        func verify(_ token: String, _ more: String...) throws -> QuashProgram.Result {
            try quash(["token", "verify", "--jwks-file", jwks] + more, input: token)
        }
        for (result, reason) in [
            (try verify(try token(expiresIn: -1)), "expired"),
            (try verify(try token(type: .refresh)), "wrong_type"),
            (try verify(try token(), "--refresh"), "wrong_type"),
            (try verify(try token(), "--issuer", "https://other"), "wrong_issuer"),
            (try verify(try token(), "--audience", "other"), "wrong_audience"),
            (try verify(try token(key: TestKeys.otherPrivateKey)), "unknown_key"),
            (try verify(try token() + "A"), "bad_signature"),
            (try verify("nonsense"), "malformed"),
        ] {
            #expect(result.exit == .code(4))
            #expect(result.problems == ["the token is refused: \(reason)"])
            #expect(result.output == "")
        }
    }

    @Test func theKeysMayBeFetched() throws {
        let server = try ScriptedServer(["GET /keys": (200, TemporaryFolder.read(jwks))])
        #expect(
            try quash(["token", "verify", "--jwks-url", "\(server.url)/keys"], input: try token()).exit == .code(0))
        #expect(
            try quash(["token", "verify", "--jwks-url", "\(server.url)/other"], input: try token()).exit == .code(5))
    }

    @Test func inspectShowsWhatATokenSaysAndThatItIsNotVerified() throws {
        let token = try token(key: TestKeys.otherPrivateKey)
        let result = try quash(["token", "inspect"], input: token)
        #expect(result.exit == .code(0))
        #expect(result.problems.count == 1)
        #expect(result.errors.contains("NOT VERIFIED"))
        #expect(result.output.contains("  alg: RS256\n") && result.output.contains("  sub: alice\n"))
        #expect(result.output.contains("this jti is a Quash issuer's: session "))
        #expect(!result.output.contains(token))

        let json = try quash(["token", "inspect", "-o", "json"], input: token).json
        #expect(json?["verified"] == false)
        #expect(json?["claims"]?["sub"] == "alice")
        #expect(json?["header"]?["typ"] == "at+jwt")
    }

    @Test func aTokenAsAnArgumentIsWarnedOf() throws {
        let result = try quash("token", "inspect", try token())
        #expect(result.exit == .code(0))
        #expect(result.problems.first?.hasPrefix("warning: arguments are in the process list") == true)
    }

    @Test(arguments: ["nonsense", "a.b.c", "..", "eyJ9.eyJ9.", "W10.e30.x", "e30.e30", "e30.e30.a.b"])
    func inspectRefusesWhatIsNoToken(text: String) throws {
        let result = try quash(["token", "inspect"], input: text)
        #expect(result.exit == .code(4))
        #expect(result.problems == ["this is no compact JWS: three parts in base64url, of which two are JSON objects"])
    }

    @Test func inspectSpellsOutWhatWouldMoveTheCursor() throws {
        let claims = Base64URL.encode(Array(#"{"sub":"\u001b[2Ja\nb"}"#.utf8).span)
        let result = try quash(["token", "inspect"], input: "e30.\(claims).x")
        #expect(result.output.contains(#"sub: \u{1b}[2Ja\u{a}b"#))
    }

    @Test func inputWithoutEndIsCutOff() throws {
        let result = try quash(["token", "inspect"], input: String(repeating: "a", count: 70_000))
        #expect(result.exit == .code(2))
        #expect(result.problems == ["standard input has more than 9216 bytes: that is no token"])
    }
}
