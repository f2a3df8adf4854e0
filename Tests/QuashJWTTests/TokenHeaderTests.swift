import QuashCrypto
import QuashJWT
import TestSupport
import Testing

/// The JOSE header: nothing in it may choose how, or with which key, a token is verified, except `kid` among our keys.
struct TokenHeaderTests {
    private let forge: TokenForge
    private let verifier: TokenVerifier

    init() throws {
        forge = try TokenForge()
        verifier = try forge.verifier()
    }

    @Test func theHeaderThatTheOthersDifferFromIsAccepted() throws {
        #expect(verifier.refusal(try forge.token(header: forge.header())) == nil)
        #expect(
            verifier.refusal(try forge.token(header: forge.header(extra: #""cty":"x","x5t":"abc","n":[{}],"#))) == nil)
    }

    @Test(arguments: [
        "none", "None", "NONE", "nOnE", "", "RS384", "RS512", "PS256", "ES256", "EdDSA", "HS256", "HS384", "rs256",
        "RS256 ",
        " RS256", "Rs256", "RS256\\u0000", "RS2565", "RS25",
    ])
    func rfc8725Section3_1OnlyRS256IsAccepted(alg: String) throws {
        let header = forge.header(alg: "\"\(alg)\"")
        #expect(verifier.refusal(try forge.token(header: header)) == .unsupportedAlgorithm)
        // As attackers send it: without a signature.
        let unsigned = "\(Base64URL.encode(Array(header.utf8).span)).\(Base64URL.encode(forge.claims.serialized.span))."
        #expect(verifier.refusal(Array(unsigned.utf8)) == .unsupportedAlgorithm)
    }

    @Test func rfc7515Section4_1_1AlgMustBeThereAndAString() throws {
        #expect(verifier.refusal(try forge.token(header: "{}")) == .unsupportedAlgorithm)
        #expect(verifier.refusal(try forge.token(header: forge.header(alg: "null"))) == .malformed)
        #expect(verifier.refusal(try forge.token(header: forge.header(alg: "[\"RS256\"]"))) == .malformed)
        #expect(verifier.refusal(try forge.token(header: forge.header(alg: "256"))) == .malformed)
    }

    @Test func rfc8725Section2_1AnHMACUnderThePublicKeyIsRefused() throws {
        for secret in [
            Array(TestKeys.publicKey.utf8), Array((TestKeys.publicKey + "\n").utf8), forge.key.publicKey.modulus,
        ] {
            for alg in ["HS256", "RS256"] {
                let header = Base64URL.encode(Array(forge.header(alg: "\"\(alg)\"").utf8).span)
                let signed = Array("\(header).\(Base64URL.encode(forge.claims.serialized.span))".utf8)
                let code = SHA256.authenticationCode(of: signed.span, key: secret.span)
                let token = signed + Array(".\(Base64URL.encode(code.span))".utf8)
                #expect(verifier.refusal(token) == (alg == "HS256" ? .unsupportedAlgorithm : .badSignature))
            }
        }
    }

    @Test(arguments: [
        #""crit":["exp"],"#, #""crit":[],"#, #""crit":null,"#, #""cr\u0069t":["b64"],"b64":false,"#, #""b64":false,"#,
        #""b64":true,"#,
        #""jku":"https://attacker.test/jwks.json","#, #""x5u":"https://attacker.test/cert","#, #""x5c":["MIIB"],"#,
        #""jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"},"#,
    ])
    func rfc8725Section3_10HeadersThatBringKeysOrExtensionsAreRefused(extra: String) throws {
        #expect(verifier.refusal(try forge.token(header: forge.header(extra: extra))) == .unsupportedHeader)
    }

    @Test func anEmbeddedKeyThatSignedTheTokenIsNotBelieved() throws {
        let attacker = try RSAPrivateKey(pem: Array(TestKeys.otherPrivateKey.utf8))
        let token = try TokenSigner(attacker).sign(forge.claims, type: .access)
        #expect(verifier.refusal(token) == .unknownKey)
        // The attacker's signature under our kid.
        let forged = try forge.token(
            headerText: Base64URL.encode(Array(forge.header().utf8).span),
            payloadText: Base64URL.encode(forge.claims.serialized.span), signingKey: attacker)
        #expect(verifier.refusal(forged) == .badSignature)
    }

    @Test(arguments: [
        "\"\"", "\"unknown\"", #""../../../../dev/null""#, #""/etc/passwd""#, #""file:///dev/null""#, #""' OR '1'='1""#,
        #""x' UNION SELECT 'key'--""#, #""| curl attacker.test""#, #""\u0000""#, "\"\u{202E}\"",
        #""https://attacker.test/k""#,
        #"" KEY""#, #""KEY ""#, #""KEY\u0000""#, #""key""#,
    ])
    func rfc8725Section3_10KeyIDsAreOnlyCompared(kid: String) throws {
        let kid = kid.replacing("KEY", with: forge.keyID)
        #expect(verifier.refusal(try forge.token(header: forge.header(kid: kid))) == .unknownKey)
    }

    @Test func keyIDsOfAnyOtherKindAreRefused() throws {
        let long = "\"\(String(repeating: "k", count: 5_000))\""
        #expect(verifier.refusal(try forge.token(header: forge.header(kid: long))) == .unknownKey)
        #expect(verifier.refusal(try forge.token(header: #"{"alg":"RS256","typ":"at+jwt"}"#)) == .unknownKey)
        #expect(verifier.refusal(try forge.token(header: forge.header(kid: "null"))) == .malformed)
        #expect(verifier.refusal(try forge.token(header: forge.header(kid: "0"))) == .malformed)
        #expect(verifier.refusal(try forge.token(header: forge.header(kid: "{}"))) == .malformed)
        let escaped = "\"\\u00" + String(forge.keyID.utf8.first!, radix: 16) + "\(forge.keyID.dropFirst())\""
        #expect(
            verifier.refusal(try forge.token(header: forge.header(kid: escaped))) == nil, "an escape is only spelling")
    }

    @Test func rfc7519Section4HeadersWithDuplicatesAreRefused() throws {
        for extra in [
            #""alg":"RS256","#, #""alg":"none","#, #""\u0061lg":"RS256","#, #""typ":"at+jwt","#, #""kid":"x","#,
        ] {
            #expect(verifier.refusal(try forge.token(header: forge.header(extra: extra))) == .malformed)
        }
    }

    @Test(arguments: [
        "", "null", "[]", "\"alg\"", "{", "{\"alg\":\"RS256\"", "{\"alg\":\"RS256\"}x", "\u{FEFF}{\"alg\":\"RS256\"}",
        "{'alg':'RS256'}",
    ])
    func rfc7515Section5_2HeadersThatAreNotJSONObjectsAreRefused(header: String) throws {
        #expect(verifier.refusal(try forge.token(header: header)) == .malformed)
    }

    @Test func rfc7515Section5_2HeadersThatAreNotUTF8AreRefused() throws {
        let header = Array(#"{"alg":"RS256","x":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
        let token = try forge.token(headerText: Base64URL.encode(header.span), payloadText: "e30")
        #expect(verifier.refusal(token) == .malformed)
    }

    @Test(arguments: ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+jwt", "at\\u002bjwt"])
    func rfc9068Section4SpellingsOfAnAccessTokenType(typ: String) throws {
        #expect(verifier.refusal(try forge.token(header: forge.header(typ: "\"\(typ)\""))) == nil)
    }

    @Test(arguments: [
        "JWT", "jwt", "rt+jwt", "application/rt+jwt", "", "at+jwt ", "text/at+jwt", "application/application/at+jwt",
        "id+jwt",
        "at", "application/", "at+jwt;x=1", "dpop+jwt",
    ])
    func rfc8725Section3_11OtherTypesAreRefused(typ: String) throws {
        #expect(verifier.refusal(try forge.token(header: forge.header(typ: "\"\(typ)\""))) == .wrongType)
    }

    @Test func rfc8725Section3_11AccessAndRefreshAreNeverTakenForEachOther() throws {
        let access = try forge.signer.sign(forge.claims, type: .access)
        let refresh = try forge.signer.sign(forge.claims, type: .refresh)
        let refreshVerifier = try forge.verifier { $0.types = [.refresh] }
        let both = try forge.verifier { $0.types = [.access, .refresh] }
        for _ in 0..<2 {
            // Twice in turn, so that the header that is remembered is the other one's.
            #expect(verifier.refusal(access) == nil)
            #expect(verifier.refusal(refresh) == .wrongType)
            #expect(refreshVerifier.refusal(refresh) == nil)
            #expect(refreshVerifier.refusal(access) == .wrongType)
            #expect(try both.verify(access.span).type == .access)
            #expect(try both.verify(refresh.span).type == .refresh)
        }
    }

    @Test func untypedTokensAreAcceptedOnlyWhenAskedFor() throws {
        let untyped = try forge.token(header: #"{"alg":"RS256","kid":"\#(forge.keyID)"}"#)
        let generic = try forge.token(header: forge.header(typ: "\"JWT\""))
        let refresh = try forge.token(header: forge.header(typ: "\"rt+jwt\""))
        #expect(verifier.refusal(untyped) == .wrongType)
        let lenient = try forge.verifier { $0.acceptsUntypedTokens = true }
        #expect(lenient.refusal(untyped) == nil)
        #expect(lenient.refusal(generic) == nil)
        #expect(lenient.refusal(refresh) == .wrongType)
        let refreshOnly = try forge.verifier { ($0.types, $0.acceptsUntypedTokens) = ([.refresh], true) }
        #expect(refreshOnly.refusal(generic) == .wrongType)
    }
}
