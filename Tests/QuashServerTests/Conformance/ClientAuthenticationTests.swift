import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

@Suite("RFC 6749 §2.3: client authentication", .sharedFleet) struct ClientAuthenticationTests {
    private func refresh(_ token: String, fields: FieldLines = [:], more: String = "") throws -> HTTPResponse {
        let fleet = try Fleet.current
        return try fleet.web.form(
            fleet.publicURL + "/oauth2/token", "grant_type=refresh_token&refresh_token=\(token)\(more)", fields: fields)
    }

    @Test("§2.3.1: HTTP Basic and the form are both taken")
    func basicAndPostAreTaken() throws {
        let pair = try Fleet.current.signIn("bob-basic", more: #","client_id":"gateway""#)
        let next = try refresh(pair.refresh, fields: SharedFleet.gateway.basic)
        #expect(next.status == .ok)
        let token = try #require(next.json?["refresh_token"]?.string)
        #expect(try refresh(token, more: SharedFleet.gateway.post).status == .ok)
    }

    @Test("§2.3.1: name and secret are form-encoded before they are joined by a colon")
    func credentialsAreFormEncoded() throws {
        let client = SharedFleet.peculiar
        let pair = try Fleet.current.signIn("bob-peculiar", more: #","client_id":"a:b c""#)
        let raw: FieldLines = ["Authorization": "Basic \(base64("\(client.name):\(client.secret)"))"]
        #expect(try refresh(pair.refresh, fields: raw).status != .ok)
        let next = try refresh(pair.refresh, fields: client.basic)
        #expect(next.status == .ok)
        let token = try #require(next.json?["refresh_token"]?.string)
        #expect(try refresh(token, more: client.post).status == .ok)
    }

    @Test("§5.2: what is wrong is 401 invalid_client with a challenge of the scheme", arguments: [true, false])
    func wrongCredentialsAreInvalidClient(basic: Bool) throws {
        let pair = try Fleet.current.signIn("bob-wrong", more: #","client_id":"gateway""#)
        let (gateway, billing) = (SharedFleet.gateway, SharedFleet.billing)
        var answers: Set<String> = []
        for client in [
            ClientCredentials(name: gateway.name, secret: "wrong"), ClientCredentials(name: gateway.name, secret: ""),
            ClientCredentials(name: gateway.name, secret: billing.secret),
            ClientCredentials(name: "nobody", secret: "wrong"),
            ClientCredentials(name: "nobody", secret: gateway.secret),
            ClientCredentials(name: SharedFleet.publicClient, secret: "a secret that it does not have"),
        ] {
            let response =
                try basic ? refresh(pair.refresh, fields: client.basic) : refresh(pair.refresh, more: client.post)
            response.expectError("invalid_client", 401)
            #expect(response.values(of: "www-authenticate") == ["Basic realm=\"quash\""])
            answers.insert(response.fingerprint)
        }
        #expect(answers.count == 1, "the answer tells whether a client exists")
    }

    @Test("§5.2: a confidential client that does not authenticate is invalid_client")
    func theNameAloneIsNotEnough() throws {
        let pair = try Fleet.current.signIn("bob-name", more: #","client_id":"gateway""#)
        try refresh(pair.refresh, more: "&client_id=gateway").expectError("invalid_client", 401)
        try refresh(pair.refresh, more: "&client_secret=x").expectError("invalid_client", 401)
    }

    @Test("§5.2: more than one way at once is invalid_request")
    func severalMethodsAtOnceAreInvalidRequest() throws {
        let client = SharedFleet.gateway
        let pair = try Fleet.current.signIn("bob-both", more: #","client_id":"gateway""#)
        try refresh(pair.refresh, fields: client.basic, more: client.post).expectError("invalid_request")
        try refresh(pair.refresh, fields: client.basic, more: "&client_secret=x").expectError("invalid_request")
        try refresh(pair.refresh, fields: client.basic, more: "&client_id=billing").expectError("invalid_request")
        var twice = client.basic
        for value in ["Basic \(base64("gateway:x"))", "Bearer x"] { twice.append("Authorization", value) }
        try refresh(pair.refresh, fields: twice).expectError("invalid_request")
        // The same name in both places is one way, said twice.
        #expect(try refresh(pair.refresh, fields: client.basic, more: "&client_id=gateway").status == .ok)
    }

    @Test("§5.2: a field that is no Basic credentials is invalid_request, another scheme invalid_client")
    func brokenCredentialsAreRefused() throws {
        let pair = try Fleet.current.signIn("bob-broken")
        for value in ["Basic", "Basic !!!", "Basic \(base64("no colon"))", "Basic \(base64("%zz:x"))", "Basic YQ"] {
            try refresh(pair.refresh, fields: ["Authorization": value]).expectError("invalid_request")
        }
        for value in ["Bearer \(pair.access)", "Digest username=gateway", "Basicx \(base64("gateway:x"))"] {
            let response = try refresh(pair.refresh, fields: ["Authorization": value])
            response.expectError("invalid_client", 401)
            #expect(response.values(of: "www-authenticate") == ["Basic realm=\"quash\""])
        }
        #expect(try refresh(pair.refresh).status == .ok)
    }

    @Test("§2.1, §3.2.1: a public client says its name and has no secret")
    func aPublicClientHasNoSecret() throws {
        let pair = try Fleet.current.signIn("bob-public", more: #","client_id":"spa""#)
        try refresh(pair.refresh).expectError("invalid_grant")
        #expect(try refresh(pair.refresh, more: "&client_id=spa").status == .ok)
    }
}

@Suite("The clients file") struct ClientsFileTests {
    private func problem(_ text: String) -> String? {
        do throws(StartFailure) {
            _ = try ClientRegistry(parsing: Array(text.utf8), file: "clients.json")
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func aMistakeIsOneLineThatNamesIt() throws {
        let digest = String(repeating: "0a", count: 32)
        #expect(problem(#"{"clients":[{"client_id":"a","secret_sha256":"\#(digest)"},{"client_id":"b"}]}"#) == nil)
        for (text, words) in [
            ("", "clients.json"), ("{", "clients.json"), ("[]", "\"clients\""), ("{}", "\"clients\""),
            (#"{"clients":{}}"#, "\"clients\""), (#"{"clients":[1]}"#, "client_id"),
            (#"{"clients":[{}]}"#, "client_id"), (#"{"clients":[{"client_id":""}]}"#, "client_id"),
            (#"{"clients":[{"client_id":"a","secret":"x"}]}"#, "nothing else"),
            (#"{"clients":[{"client_id":"a","secret_sha256":"0a"}]}"#, "client a"),
            (#"{"clients":[{"client_id":"a","secret_sha256":"\#(digest)0"}]}"#, "64 hexadecimal digits"),
            (#"{"clients":[{"client_id":"a","secret_sha256":"+1\#(digest.dropLast(2))"}]}"#, "64 hexadecimal digits"),
            (#"{"clients":[{"client_id":"a","secret_sha256":null}]}"#, "client a"),
            (#"{"clients":[{"client_id":"a"},{"client_id":"a"}]}"#, "twice"),
            (#"{"clients":[],"client":[]}"#, "nothing else"),
        ] {
            let flaw = try #require(problem(text), "\(text) was taken")
            #expect(flaw.contains(words), "\(text): \(flaw)")
            #expect(!flaw.contains("\n"))
        }
    }
}
