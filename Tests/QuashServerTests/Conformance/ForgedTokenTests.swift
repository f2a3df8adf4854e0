import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// Every forgery that RFC 8725 and the RFCs below it warn of, at a validator, through its socket. The key is the
/// fleet's own where that makes the forgery better: what is refused then is not refused for its signature.
@Suite("RFC 8725: forged and broken tokens", .sharedFleet) struct ForgedTokenTests {
    /// Expects each of `tokens` to get the one answer that every bad token gets.
    private func expectRefused(_ tokens: [(String, String)]) throws {
        let fleet = try Fleet.current
        let refusal = try fleet.decide("x")
        #expect(refusal.status == .unauthorized)
        #expect(refusal.values(of: "www-authenticate") == ["Bearer realm=\"quash\", error=\"invalid_token\""])
        #expect(refusal.body.isEmpty)
        for (name, token) in tokens {
            #expect(try fleet.decide(token).fingerprint == refusal.fingerprint, "\(name)")
        }
    }

    @Test("The forge is good: with nothing wrong in it, its token is accepted")
    func theForgeIsGood() throws {
        let forge = try TokenForge()
        let token = try forge.token(header: forge.header(), claims: forge.claims)
        #expect(try Fleet.current.decide(token).status == .noContent)
        let spelled = try forge.token(header: forge.header(typ: "Application/AT+JWT"), claims: forge.claims)
        #expect(try Fleet.current.decide(spelled).status == .noContent)
    }

    @Test("RFC 8725 §2.1, §3.1, §3.2: one algorithm, whatever alg says")
    func algorithmsAreNotNegotiated() throws {
        let forge = try TokenForge()
        var tokens: [(String, String)] = []
        for alg in [
            "none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "RS384", "RS512", "PS256", "ES256", "EdDSA", "HS256",
        ] {
            let header = forge.header(alg: alg)
            tokens.append((alg, try forge.token(header: header, claims: forge.claims)))
            let unsigned = forge.signedPart(header: header, payload: payload(forge.claims))
            tokens.append(("\(alg), unsigned", unsigned + "."))
            tokens.append(("\(alg), two parts", unsigned))
        }
        for (name, alg) in [("null", "null"), ("a list", #"["RS256"]"#), ("twice", #""RS256","alg":"RS256""#)] {
            let header = #"{"alg":\#(alg),"typ":"at+jwt","kid":"\#(forge.keyID)"}"#
            tokens.append(("alg \(name)", try forge.token(header: header, claims: forge.claims)))
        }
        let header = #"{"typ":"at+jwt","kid":"\#(forge.keyID)"}"#
        tokens.append(("no alg", try forge.token(header: header, claims: forge.claims)))
        try expectRefused(tokens)
    }

    @Test("RFC 8725 §2.1: HS256 with the public key as its secret, in every form it is published in")
    func thePublicKeyIsNoSecret() throws {
        let forge = try TokenForge()
        let publicKey = forge.key.publicKey
        let signed = forge.signedPart(header: forge.header(alg: "HS256"), payload: payload(forge.claims))
        let message = Array(signed.utf8)
        let (jwk, modulus) = (JSONWebKey(publicKey), publicKey.modulus)
        let secrets = [
            Array(TestKeys.publicKey.utf8), Array("\(TestKeys.publicKey)\n".utf8), modulus,
            jwk.json.serialized(), Array(Base64URL.encode(modulus.span).utf8),
        ]
        var tokens: [(String, String)] = []
        for secret in secrets {
            let code = SHA256.authenticationCode(of: message.span, key: secret.span)
            tokens.append(("a secret of \(secret.count) bytes", "\(signed).\(Base64URL.encode(code.span))"))
        }
        try expectRefused(tokens)
    }

    @Test("RFC 8725 §3.10: a kid is looked up and never interpreted; a key that comes with a token is not used")
    func keysComeFromTheSetAlone() throws {
        let (forge, stranger) = (try TokenForge(), try TokenForge(TestKeys.otherPrivateKey))
        var tokens: [(String, String)] = []
        for kid in [
            "", "../../../../dev/null", "/dev/null", "x' OR '1'='1", "https://evil.test/jwks.json", "\(forge.keyID) ",
            forge.keyID.uppercased(), String(forge.keyID.dropLast()), #"\#(forge.keyID)\u0000"#, stranger.keyID, "0",
        ] {
            tokens.append(("kid \(kid)", try forge.token(header: forge.header(kid: kid), claims: forge.claims)))
        }
        for kid in ["null", "0", "[]", #"["\#(forge.keyID)"]"#] {
            let header = #"{"alg":"RS256","typ":"at+jwt","kid":\#(kid)}"#
            tokens.append(("kid \(kid)", try forge.token(header: header, claims: forge.claims)))
        }
        tokens.append(
            ("no kid", try forge.token(header: #"{"alg":"RS256","typ":"at+jwt"}"#, claims: forge.claims)))
        let jwk = String(decoding: JSONWebKey(stranger.key.publicKey).json.serialized(), as: UTF8.self)
        for extra in [
            #""jwk":\#(jwk),"#, #""jku":"https://evil.test/jwks.json","#, #""x5u":"https://evil.test/cert.pem","#,
            #""x5c":["MIIB"],"#,
        ] {
            tokens.append((extra, try stranger.token(header: stranger.header(extra: extra), claims: forge.claims)))
            let known = stranger.header(extra: extra, kid: forge.keyID)
            tokens.append((extra, try stranger.token(header: known, claims: forge.claims)))
            tokens.append((extra, try forge.token(header: forge.header(extra: extra), claims: forge.claims)))
        }
        try expectRefused(tokens)
    }

    @Test("RFC 8725 §3.11, RFC 9068 §4: no other type is taken for an access token")
    func typesAreNotConfused() throws {
        let (fleet, forge) = (try Fleet.current, try TokenForge())
        let pair = try fleet.signIn("mallory-types")
        var tokens = [("the refresh token", pair.refresh)]
        for typ in [
            "rt+jwt", "application/rt+jwt", "JWT", "jwt", "", "at", "at+jwt ", "at+jwt+x", "id+jwt", "logout+jwt",
        ] {
            tokens.append((typ, try forge.token(header: forge.header(typ: typ), claims: forge.claims)))
        }
        let untyped = #"{"alg":"RS256","kid":"\#(forge.keyID)"}"#
        tokens.append(("no typ", try forge.token(header: untyped, claims: forge.claims)))
        try expectRefused(tokens)
    }

    @Test("RFC 7515 §4.1.11, RFC 7797 §6: an extension that has to be understood is not")
    func criticalExtensionsAreRefused() throws {
        let forge = try TokenForge()
        try expectRefused(
            [
                #""crit":["exp"],"exp":1,"#, #""crit":[],"#, #""crit":"exp","#, #""crit":null,"#,
                #""b64":false,"crit":["b64"],"#, #""b64":false,"#, #""b64":true,"#,
            ].map { ($0, try forge.token(header: forge.header(extra: $0), claims: forge.claims)) })
    }

    @Test("RFC 4648 §3.5, RFC 7515 §2: the 15 other spellings of a signature's last character, and other bytes")
    func signaturesHaveOneSpelling() throws {
        let fleet = try Fleet.current
        let token = try fleet.signIn("mallory-spelling").access
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let last = try #require(token.last.flatMap { alphabet.firstIndex(of: $0) })
        // 256 bytes leave four bits of the last character unused: 16 characters spell the same bytes.
        let spellings = (0..<16).map { alphabet[last & 0b110000 | $0] }.filter { $0 != alphabet[last] }
        #expect(spellings.count == 15)
        let signature = token.split(separator: ".")[2]
        let signed = token.dropLast(signature.count + 1)
        try expectRefused(
            spellings.map { ("\($0)", token.dropLast() + "\($0)") } + [
                ("padded", token + "=="), ("padded once", token + "="), ("cut", String(token.dropLast())),
                ("longer", token + "A"), ("longer by a byte", token + "AA"), ("none", "\(signed)."),
                ("no dot", String(signed)), ("a fourth part", token + ".A"), ("a fourth empty part", token + "."),
                ("zeros", "\(signed).\(String(repeating: "A", count: signature.count))"),
                ("standard base64", "\(signed).+\(signature.dropFirst())"),
            ])
        #expect(try fleet.decide(token).status == .noContent)
    }

    @Test("RFC 8725 §3.3: what was signed is what counts, all of it and by that key")
    func everyPartIsSigned() throws {
        let (fleet, stranger) = (try Fleet.current, try TokenForge(TestKeys.otherPrivateKey))
        let forge = try TokenForge()
        let pair = try fleet.signIn("mallory-parts")
        let parts = pair.access.split(separator: ".").map(String.init)
        let other = try fleet.signIn("mallory-other").access.split(separator: ".").map(String.init)
        let spelledHeader = Base64URL.encode(Array(forge.header(extra: #""x":1,"#).utf8).span)
        try expectRefused([
            ("another payload", "\(parts[0]).\(other[1]).\(parts[2])"),
            ("another signature", "\(parts[0]).\(parts[1]).\(other[2])"),
            ("another header", "\(spelledHeader).\(parts[1]).\(parts[2])"),
            ("a stranger's key", try stranger.token(header: stranger.header(kid: forge.keyID), claims: forge.claims)),
            ("a stranger's kid", try stranger.token(header: stranger.header(), claims: forge.claims)),
            ("no header", ".\(parts[1]).\(parts[2])"), ("no payload", "\(parts[0])..\(parts[2])"), ("dots", ".."),
        ])
    }

    @Test("RFC 7519 §4, §4.1, §7.2: claims are one JSON object, each once, of its type, and in their time")
    func claimsAreStrict() throws {
        let forge = try TokenForge()
        let now = forge.claims.issuedAt.seconds
        func payload(
            sub: String = #""a""#, exp: String? = nil, iat: String? = nil, jti: String = #""j""#, more: String = ""
        ) -> String {
            #"{"sub":\#(sub),"iat":\#(iat ?? "\(now)"),"exp":\#(exp ?? "\(now + 300)"),"jti":\#(jti)\#(more)}"#
        }
        let good = try forge.token(header: forge.header(), payload: payload())
        #expect(try Fleet.current.decide(good).status == .noContent)
        let payloads = [
            payload(more: #","sub":"b""#), payload(more: #","exp":\#(now + 900)"#), payload(more: #","jti":"k""#),
            payload(more: #","s\u0075b":"b""#), payload(more: #","x":1,"x":1"#), payload(sub: "1"),
            payload(sub: "\"\""),
            payload(sub: "null"), payload(sub: #""a\u0000b""#), payload(sub: #""a\r\nX-Auth-Subject: admin""#),
            payload(sub: #"" a""#), payload(exp: #""\#(now + 300)""#), payload(exp: "null"), payload(exp: "-1"),
            payload(exp: "1e400"), payload(exp: "\(now)"), payload(exp: "\(now - 1)"), payload(exp: "0"),
            payload(iat: "true"), payload(jti: "[]"), payload(more: #","nbf":\#(now + 600)"#),
            payload(more: #","nbf":"x""#), payload(more: #","aud":1"#), payload(more: #","aud":[1]"#),
            #"{"sub":"a","iat":\#(now),"jti":"j"}"#, #"{"sub":"a","exp":\#(now + 300),"jti":"j"}"#,
            #"{"sub":"a","iat":\#(now),"exp":\#(now + 300)}"#, #"{"iat":\#(now),"exp":\#(now + 300),"jti":"j"}"#,
            "[\(payload())]", payload() + "x", payload() + payload(), "\u{FEFF}" + payload(), "", "null", "{}",
            payload(more: #","x":\#(String(repeating: "[", count: 100))"#),
        ]
        try expectRefused(payloads.map { ($0, try forge.token(header: forge.header(), payload: $0)) })
    }

    @Test("A token is no longer than 8 KiB, and what is not the grammar of a bearer token is one all the same")
    func sizesAndCharactersAreRefused() throws {
        let forge = try TokenForge()
        let long = #"{"sub":"a","iat":1,"exp":9999999999,"jti":"j","x":"\#(String(repeating: "x", count: 8192))"}"#
        try expectRefused([
            ("too long", try forge.token(header: forge.header(), payload: long)),
            ("8 KiB of dots", String(repeating: ".", count: 8000)), ("a", "a"), ("null", "null"), ("star", "*"),
            ("a space in it", "a b"), ("a comma", "a,b"), ("quotes", "\"a.b.c\""), ("UTF-8", "é.é.é"), ("=", "="),
        ])
    }

    private func payload(_ claims: Claims) -> String { String(decoding: claims.serialized, as: UTF8.self) }
}
