import QuashCrypto
import QuashJWT
import TestSupport
import Testing

struct TokenClaimsTests {
    private let forge: TokenForge
    private let verifier: TokenVerifier

    init() throws {
        forge = try TokenForge()
        verifier = try forge.verifier()
    }

    @Test func allClaimsSurviveSigning() throws {
        var claims = forge.claims
        claims.subject = "ál\"ic\\e/😀"
        claims.audience = ["api", "https://other.test/é"]
        claims.clientID = "client"
        claims.scope = "read write"
        claims.notBefore = claims.issuedAt
        claims.sessionID = "sid-1"
        let token = try forge.signer.sign(claims, type: .refresh)
        let verifier = try forge.verifier { $0.types = [.refresh] }
        #expect(try verifier.claims(token) == claims)
        let verified = try verifier.verify(token.span)
        #expect(verified.tokenID?.description == claims.id)
        #expect(bytes(verified.subject) == Array(claims.subject.utf8))
        #expect(bytes(verified.id) == Array(claims.id.utf8))
        #expect(bytes(verified.clientID) == Array("client".utf8))
        #expect(bytes(verified.scope) == Array("read write".utf8))
        #expect(bytes(verified.sessionID) == Array("sid-1".utf8))
    }

    @Test func theSameClaimsGiveTheSameBytesInTheStatedOrder() throws {
        var claims = Claims(
            subject: "s", issuedAt: NumericDate(seconds: 1), expiresAt: NumericDate(seconds: 2), id: "j")
        #expect(String(decoding: claims.serialized, as: UTF8.self) == #"{"sub":"s","iat":1,"exp":2,"jti":"j"}"#)
        claims.issuer = "i"
        claims.audience = ["a"]
        claims.clientID = "c"
        claims.scope = "x"
        claims.notBefore = NumericDate(seconds: 1)
        claims.sessionID = "d"
        let text =
            #"{"sub":"s","iat":1,"exp":2,"jti":"j","iss":"i","aud":"a","client_id":"c","scope":"x","#
            + #""nbf":1,"sid":"d"}"#
        #expect(String(decoding: claims.serialized, as: UTF8.self) == text)
        #expect(try forge.signer.sign(claims, type: .access) == TokenSigner(forge.key).sign(claims, type: .access))
        #expect(try forge.signer.sign(claims, type: .access) != forge.signer.sign(claims, type: .refresh))
    }

    @Test func aTokenKeptWhileTheNextIsVerifiedDoesNotChange() throws {
        var other = forge.claims
        other.subject = "mallory"
        let firstToken = try forge.signer.sign(forge.claims, type: .access)
        let secondToken = try forge.signer.sign(other, type: .access)
        let first = try verifier.verify(firstToken.span)
        let second = try verifier.verify(secondToken.span)
        #expect(first.claims == forge.claims)
        #expect(second.claims == other)
    }

    @Test func escapesInClaimsAreUndone() throws {
        let token = try forge.token(
            payload: #"{"\u0073ub":"\u0061l\/\ud83d\ude00","iat":1,"exp":2,"jti":"\u006a","scope":"\"","#
                + #""iss":"i\u0073s","aud":"\u0061"}"#)
        let claims = try verifier.claims(token)
        #expect(claims.subject == "al/😀")
        #expect(claims.id == "j")
        #expect(claims.scope == "\"")
        #expect(claims.issuer == "iss")
        #expect(claims.audience == ["a"])
        let strict = try forge.verifier { ($0.issuer, $0.audiences) = ("iss", ["a"]) }
        #expect(strict.refusal(token) == nil)
    }

    @Test(arguments: [
        "", "null", "[]", "\"\"", "{}", #"{"sub":"a","iat":1,"exp":2}"#, #"{"sub":"a","iat":1,"jti":"j"}"#,
        #"{"sub":"a","exp":2,"jti":"j"}"#, #"{"iat":1,"exp":2,"jti":"j"}"#, #"{"sub":"","iat":1,"exp":2,"jti":"j"}"#,
        #"{"sub":"a","iat":1,"exp":2,"jti":""}"#, #"{"sub":1,"iat":1,"exp":2,"jti":"j"}"#,
        #"{"sub":"a","iat":1,"exp":2,"jti":7}"#,
        #"{"sub":null,"iat":1,"exp":2,"jti":"j"}"#, #"{"sub":["a"],"iat":1,"exp":2,"jti":"j"}"#,
        #"{"sub":"a","iat":1,"exp":2,"jti":"j"}x"#,
        #"{"sub":"a","iat":1,"exp":2,"jti":"j""#, #"{"sub":"a\u0000","iat":1,"exp":2,"jti":"j"}"#,
        #"{"sub":"a\r\nX-Auth-Subject: root","iat":1,"exp":2,"jti":"j"}"#, #"{"sub":"a","iat":1,"exp":2,"jti":"j\n"}"#,
    ])
    func rfc7519Section4RequiredClaimsMustBeThereAndSound(payload: String) throws {
        #expect(verifier.refusal(try forge.token(payload: payload)) == .badClaims)
    }

    @Test(arguments: [
        "\"iss\":1", "\"iss\":\"\"", "\"iss\":null", "\"client_id\":{}", "\"client_id\":\"\"", "\"scope\":[\"a\"]",
        "\"sid\":1",
        "\"sid\":\"\"", "\"nbf\":\"1\"", "\"nbf\":-1", "\"aud\":1", "\"aud\":null", "\"aud\":\"\"", "\"aud\":[1]",
        "\"aud\":[\"\"]",
        "\"aud\":[[\"a\"]]", "\"aud\":{}", "\"aud\":[\"a\",null]", "\"scope\":\"a\\u0007\"",
        "\"aud\":\"a\\u0007\"", "\"aud\":[\"a\",\"b\\n\"]",
    ])
    func rfc7519Section4_1OptionalClaimsMustBeSoundIfTheyAreThere(member: String) throws {
        let token = try forge.token(payload: #"{"sub":"a","iat":1,"exp":2,"jti":"j",\#(member)}"#)
        #expect(verifier.refusal(token) == .badClaims)
    }

    @Test(arguments: [
        "\"scope\":\"\"", "\"aud\":[]", "\"aud\":[\"a\",\"b\"]", "\"x\":{\"y\":[null,{\"sub\":\"b\"}]}", "\"Sub\":1",
    ])
    func otherMembersChangeNothing(member: String) throws {
        let token = try forge.token(payload: #"{"sub":"a",\#(member),"iat":1,"exp":2,"jti":"j"}"#)
        #expect(try verifier.claims(token).subject == "a")
    }

    @Test(arguments: [
        #""sub":"b","#, #""exp":9999999999,"#, #""\u0065xp":9999999999,"#, #""jti":"k","#, #""x":1,"x":2,"#,
        #""x":{"y":1,"y":2},"#,
    ])
    func rfc7519Section4DuplicateClaimsAreRefused(extra: String) throws {
        let token = try forge.token(payload: #"{\#(extra)"sub":"a","iat":1,"exp":2,"jti":"j"}"#)
        #expect(verifier.refusal(token) == .badClaims)
    }

    @Test(arguments: [
        ("sub", JWTLimits.maxNameBytes), ("jti", JWTLimits.maxIdentifierBytes), ("iss", JWTLimits.maxNameBytes),
        ("client_id", JWTLimits.maxNameBytes), ("scope", JWTLimits.maxScopeBytes),
        ("sid", JWTLimits.maxIdentifierBytes),
        ("aud", JWTLimits.maxNameBytes),
    ])
    func stringsHaveALimit(name: String, limit: Int) throws {
        for (count, refusal) in [(limit, nil), (limit + 1, TokenRefusal.badClaims)] {
            var members = ["sub": "a", "jti": "j"]
            members[name] = String(repeating: "x", count: count)
            let strings = members.map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",")
            #expect(verifier.refusal(try forge.token(payload: "{\(strings),\"iat\":1,\"exp\":2}")) == refusal)
        }
    }

    @Test func theLimitIsOfTheStringAndNotOfItsSpelling() throws {
        for name in ["sub", "iss", "client_id", "aud"] {
            for (count, refusal) in [
                (JWTLimits.maxNameBytes, nil), (JWTLimits.maxNameBytes + 1, TokenRefusal.badClaims),
            ] {
                var members = ["sub": "a", "jti": "j"]
                members[name] = String(repeating: "\\u0061", count: count)
                let strings = members.map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",")
                #expect(verifier.refusal(try forge.token(payload: "{\(strings),\"iat\":1,\"exp\":2}")) == refusal)
            }
        }
    }

    @Test func audiencesHaveALimit() throws {
        for (count, refusal) in [(JWTLimits.maxAudiences, nil), (JWTLimits.maxAudiences + 1, TokenRefusal.badClaims)] {
            let audience = (0..<count).map { "\"\($0)\"" }.joined(separator: ",")
            let token = try forge.token(payload: #"{"sub":"a","iat":1,"exp":2,"jti":"j","aud":[\#(audience)]}"#)
            #expect(verifier.refusal(token) == refusal)
        }
    }

    @Test(
        arguments: [
            ("1700000900", 1_700_000_900), ("1.7000009e9", 1_700_000_900), ("1700000900.0", 1_700_000_900),
            ("1700000900.999", 1_700_000_900), ("17000009E+2", 1_700_000_900), ("0", 0),
            ("253402300799", 253_402_300_799),
            ("253402300800", nil), ("-1", nil), ("-0.5", nil), ("1e300", nil), ("99999999999999999999", nil),
            ("\"1700000900\"", nil),
            ("null", nil), ("true", nil), ("[1]", nil), ("01", nil), ("0x10", nil), ("1e", nil), ("NaN", nil),
            ("Infinity", nil),
        ] as [(String, Int64?)])
    func rfc7519Section2NumericDatesMayBeDecimal(text: String, seconds: Int64?) throws {
        for name in ["exp", "iat"] {
            let other = name == "exp" ? "iat" : "exp"
            let token = try forge.token(payload: #"{"sub":"a","jti":"j","\#(other)":1,"\#(name)":\#(text)}"#)
            guard let seconds else {
                #expect(verifier.refusal(token) == .badClaims)
                continue
            }
            let claims = try verifier.claims(token)
            #expect((name == "exp" ? claims.expiresAt : claims.issuedAt).seconds == seconds)
        }
    }

    @Test func rfc7519Section4_1_4ATokenEndsAtItsExpiry() throws {
        let token = try forge.signer.sign(forge.claims, type: .access)
        let end = forge.claims.expiresAt
        #expect(verifier.refusal(token, at: end - .seconds(1)) == nil)
        #expect(verifier.refusal(token, at: end) == .expired)
        #expect(verifier.refusal(token, at: end + .seconds(9), skew: .seconds(10)) == nil)
        #expect(verifier.refusal(token, at: end + .seconds(10), skew: .seconds(10)) == .expired)
        #expect(verifier.refusal(token) == nil, "without a time, the time is not looked at")
    }

    @Test func rfc7519Section4_1_5ATokenBeginsAtNotBefore() throws {
        var claims = forge.claims
        claims.notBefore = forge.now
        let token = try forge.signer.sign(claims, type: .access)
        #expect(verifier.refusal(token, at: forge.now) == nil)
        #expect(verifier.refusal(token, at: forge.now - .seconds(1)) == .notYetValid)
        #expect(verifier.refusal(token, at: forge.now - .seconds(10), skew: .seconds(10)) == nil)
    }

    @Test func rfc9068Section4IssuerAndAudienceMustMatchWhenAskedFor() throws {
        let token = try forge.signer.sign(forge.claims, type: .access)
        let bare = try forge.token(payload: #"{"sub":"a","iat":1,"exp":2,"jti":"j"}"#)
        for (issuer, refusal) in [
            ("https://issuer.test", nil), ("https://issuer.test/", TokenRefusal.wrongIssuer),
            ("HTTPS://issuer.test", .wrongIssuer),
            ("", .wrongIssuer),
        ] {
            let verifier = try forge.verifier { $0.issuer = issuer }
            #expect(verifier.refusal(token) == refusal)
            #expect(verifier.refusal(bare) == .wrongIssuer)
        }
        for (audience, refusal) in [
            ("api", nil), ("API", TokenRefusal.wrongAudience), ("ap", .wrongAudience), ("", .wrongAudience),
        ] {
            let verifier = try forge.verifier { $0.audiences = [audience] }
            #expect(verifier.refusal(token) == refusal)
            #expect(verifier.refusal(bare) == .wrongAudience)
        }
        var claims = forge.claims
        claims.audience = ["x", "api", "y"]
        let several = try forge.signer.sign(claims, type: .access)
        #expect(try forge.verifier { $0.audiences = ["b", "api"] }.refusal(several) == nil)
        #expect(try forge.verifier { $0.audiences = ["z", "w"] }.refusal(several) == .wrongAudience)
    }

    @Test func aForeignTokenHasNoTokenID() throws {
        let token = try forge.token(payload: #"{"sub":"a","iat":1,"exp":2,"jti":"2c1b7c3e-3f0e","sid":"s"}"#)
        let verified = try verifier.verify(token.span)
        #expect(verified.tokenID == nil)
        #expect(bytes(verified.sessionID) == [0x73])
        #expect(bytes(verified.clientID).isEmpty)
    }

    @Test func claimsThatNoVerifierWouldAcceptAreNotSigned() throws {
        var claims = forge.claims
        claims.subject = ""
        #expect(throws: JWTError.invalidClaims) { try forge.signer.sign(claims, type: .access) }
        claims.subject = "a\n"
        #expect(throws: JWTError.invalidClaims) { try forge.signer.sign(claims, type: .access) }
        claims.subject = String(repeating: "é", count: 128)
        #expect(throws: JWTError.invalidClaims) { try forge.signer.sign(claims, type: .access) }
        claims = forge.claims
        claims.expiresAt = NumericDate(seconds: -1)
        #expect(throws: JWTError.invalidClaims) { try forge.signer.sign(claims, type: .access) }
        claims = forge.claims
        claims.audience = Array(repeating: "a", count: JWTLimits.maxAudiences + 1)
        #expect(throws: JWTError.invalidClaims) { try forge.signer.sign(claims, type: .access) }
    }

    // #expect takes no Span apart.
    private func bytes(_ span: Span<UInt8>) -> [UInt8] {
        span.indices.map { span[$0] }
    }
}
