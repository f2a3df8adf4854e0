import QuashCrypto
import QuashJSON
import QuashJWT
import TestSupport
import Testing

struct KeySetTests {
    private let key: RSAPublicKey
    private let other: RSAPublicKey

    init() throws {
        key = try RSAPublicKey(pem: TestKeys.publicKey)
        other = try RSAPrivateKey(pem: Array(TestKeys.otherPrivateKey.utf8)).publicKey
    }

    @Test func rfc7638Section3_1Example() throws {
        let n = """
            0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
            ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
            KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
            xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw
            """
        let document = #"{"keys":[{"kty":"RSA","n":"\#(n)","e":"AQAB","alg":"RS256"}]}"#
        let set = try KeySet(parsing: Array(document.utf8).span)
        #expect(set.keys.map(\.keyID) == ["NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"])
    }

    @Test func rfc7517Section5ASetSurvivesItsDocument() throws {
        let set = try KeySet([JSONWebKey(key), JSONWebKey(other)])
        let parsed = try KeySet(parsing: set.serialized().span)
        #expect(parsed == set)
        #expect(parsed.skipped.isEmpty)
        let document = try JSONValue(parsing: set.serialized().span)
        let names = document["keys"]?.array?.first?.object?.members.map(\.name)
        #expect(names == ["kty", "use", "alg", "kid", "n", "e"], "and nothing of a private key")
    }

    @Test func theGivenKeyIDIsUsedAndAMissingOneIsTheThumbprint() throws {
        #expect(try parse(member(["kid": "2024"])).keys.map(\.keyID) == ["2024"])
        #expect(try parse(member(["kid": nil])).keys.map(\.keyID) == [JSONWebKey.thumbprint(of: key)])
    }

    @Test(
        arguments: [
            (["kty": "EC"], "kty is not RSA"), (["kty": "oct"], "kty is not RSA"), (["kty": nil], "kty is not RSA"),
            (["kty": "rsa"], "kty is not RSA"), (["use": "enc"], "use is not sig"), (["use": 1], "use is not sig"),
            (["alg": "RS512"], "alg is not RS256"), (["alg": "PS256"], "alg is not RS256"),
            (["alg": 256], "alg is not RS256"),
            (["key_ops": ["sign"]], "key_ops does not have verify"), (["key_ops": []], "key_ops does not have verify"),
            (["key_ops": "verify"], "key_ops does not have verify"),
            (["d": "AQAB"], "it is a private key, which must never be in a key set"),
            (["n": nil], "n or e is missing or not base64url"), (["n": 1], "n or e is missing or not base64url"),
            (["n": "AQAB="], "n or e is missing or not base64url"), (["e": nil], "n or e is missing or not base64url"),
            (["e": "AQA B"], "n or e is missing or not base64url"), (["e": "Aw"], "the RSA exponent is not 65537"),
            (["n": "AQAB"], "the RSA key has 17 bits; it must have 2048 to 4096"),
            (["kid": 1], "kid is not a string of 1 to 128 bytes"),
            (["kid": ""], "kid is not a string of 1 to 128 bytes"),
            (["kid": .string(String(repeating: "k", count: 129))], "kid is not a string of 1 to 128 bytes"),
        ] as [([String: JSONValue?], String)])
    func rfc7517Section5KeysThatCannotBeUsedAreSkippedWithAReason(changes: [String: JSONValue?], reason: String) throws
    {
        let good = try member(["kid": "good"])
        let set = try parse(good, member(changes))
        #expect(set.keys.map(\.keyID) == ["good"])
        #expect(set.skipped.map(\.reason) == [reason])
        #expect(set.skipped.map(\.index) == [1])
    }

    @Test func membersThatAreNotNeededMayBeMissingOrUnknown() throws {
        let changes: [String: JSONValue?] = [
            "use": nil, "alg": nil, "key_ops": ["verify"], "x5t": "abc", "x5c": ["MIIB"], "ext": true,
        ]
        #expect(try parse(member(changes)).keys.map(\.publicKey) == [key])
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"keys":{}}"#, #"{"keys":null}"#, #"{"keys":[1]}"#, #"{"keys":[[]]}"#, #"{"keys":[]}x"#,
        #"{"keys":[],"keys":[]}"#, #"{"keys":[{"kty":"RSA","kty":"EC"}]}"#,
    ])
    func documentsThatAreNoKeySetAreRefused(document: String) {
        #expect(throws: JWTError.self) { try KeySet(parsing: Array(document.utf8).span) }
    }

    @Test func anEmptySetIsASet() throws {
        #expect(try KeySet(parsing: Array(#"{"keys":[]}"#.utf8).span).keys.isEmpty)
    }

    @Test func twoKeysOfOneNameAreRefused() throws {
        #expect(throws: JWTError.invalidKeySet(problem: #"two keys have the kid "a""#)) {
            try parse(member(["kid": "a"]), member(["kid": "a"]))
        }
        #expect(throws: JWTError.self) { try KeySet([JSONWebKey(key), JSONWebKey(key)]) }
        // A key that is not used cannot be taken for another.
        #expect(try parse(member(["kid": "a"]), member(["kid": "a", "use": "enc"])).keys.count == 1)
    }

    @Test func keysAndBytesHaveALimit() throws {
        let members = try (0..<JWTLimits.maxKeys).map { try member(["kid": .string("\($0)")]) }
        #expect(try KeySet(parsing: document(members).span).keys.count == JWTLimits.maxKeys)
        let more = try document(members + [member(["kid": "one more", "kty": "EC"])])
        #expect(throws: JWTError.invalidKeySet(problem: "there are 65 keys; at most 64 are allowed")) {
            try KeySet(parsing: more.span)
        }
        let padded = document(members) + [UInt8](repeating: 0x20, count: JWTLimits.maxKeySetBytes)
        #expect(throws: JWTError.self) { try KeySet(parsing: padded.span) }
    }

    /// The JWK of `key` with members replaced, added or, where nil, removed.
    private func member(_ changes: [String: JSONValue?]) throws -> JSONValue {
        var object = try #require(JSONWebKey(key).json.object)
        for (name, value) in changes { object[name] = value }
        return .object(object)
    }

    private func document(_ members: [JSONValue]) -> [UInt8] {
        let set: JSONValue = ["keys": .array(members)]
        return set.serialized()
    }

    private func parse(_ members: JSONValue...) throws(JWTError) -> KeySet {
        try KeySet(parsing: document(members).span)
    }
}
