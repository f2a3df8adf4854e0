import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite("RFC 7662: POST /oauth2/introspect", .sharedFleet("--issuer-url", "https://issuer.test/", "--audience", "api"))
struct IntrospectionTests {
    @Test("§2.2: the members of an access token that is active")
    func anActiveAccessToken() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("dave", more: #","client_id":"gateway","scope":"read write""#)
        let response = try fleet.introspect(pair.access, fields: SharedFleet.billing.basic)
        #expect(response.status == .ok)
        #expect(response.values(of: "content-type") == ["application/json"])
        #expect(response.values(of: "cache-control") == ["no-store"])
        let json = try #require(response.json)
        #expect(
            json.object?.members.map(\.name)
                == ["active", "sub", "exp", "iat", "jti", "token_type", "iss", "aud", "client_id", "scope"])
        #expect(json["active"]?.bool == true)
        #expect(json["sub"]?.string == "dave")
        #expect(json["token_type"]?.string == "Bearer")
        #expect(json["iss"]?.string == "https://issuer.test/")
        #expect(json["aud"] == ["api"])
        #expect(json["client_id"]?.string == "gateway")
        #expect(json["scope"]?.string == "read write")
        let (issued, expires) = (try #require(json["iat"]?.integer), try #require(json["exp"]?.integer))
        #expect(expires - issued == 900)
        #expect(json["jti"]?.string?.hasPrefix(pair.session) == true)
    }

    @Test("§2.2: a refresh token is active while it is the one to use next")
    func anActiveRefreshToken() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("dave-refresh")
        let json = try #require(try fleet.introspect(pair.refresh).json)
        #expect(json["active"]?.bool == true)
        #expect(json["sub"]?.string == "dave-refresh")
        // RFC 7662 §2.2, RFC 6749 §7.1: it is a type of access tokens.
        #expect(json["token_type"] == nil)
        #expect(try fleet.refresh(pair.refresh).status == .ok)
        #expect(try fleet.introspect(pair.refresh).text == #"{"active":false}"#)
    }

    @Test("§2.2: what is not active is {\"active\":false} and nothing else, whatever the reason")
    func inactiveSaysNothingElse() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("dave-inactive")
        #expect(try fleet.introspect(pair.access).json?["active"]?.bool == true)
        #expect(try fleet.revokeToken(pair.refresh).status == .ok)
        let (forge, stranger) = (try TokenForge(), try TokenForge(TestKeys.otherPrivateKey))
        var expired = forge.claims
        expired.issuer = "https://issuer.test/"
        expired.expiresAt = expired.issuedAt
        var otherIssuer = forge.claims
        otherIssuer.issuer = "https://other.test/"
        var neverIssued = forge.claims
        neverIssued.issuer = "https://issuer.test/"
        let tokens = [
            "x", "a.b.c", pair.refresh, try stranger.token(header: stranger.header(), claims: stranger.claims),
            try forge.token(header: forge.header(), claims: expired),
            try forge.token(header: forge.header(), claims: otherIssuer),
            try forge.token(header: forge.header(typ: "rt+jwt"), claims: neverIssued),
        ]
        for token in tokens {
            let response = try fleet.introspect(token)
            #expect(response.status == .ok)
            #expect(response.text == #"{"active":false}"#)
        }
        #expect(try poll { try fleet.introspect(pair.access).text == #"{"active":false}"# })
    }

    @Test("§2.1: whoever asks authenticates as a confidential client; §2.3: or is invalid_client")
    func callersAuthenticate() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("dave-asked")
        for fields in [SharedFleet.gateway.basic, SharedFleet.billing.basic] {
            #expect(try fleet.introspect(pair.access, fields: fields).json?["active"]?.bool == true)
        }
        #expect(try fleet.introspect(pair.access + SharedFleet.gateway.post, fields: [:]).status == .ok)
        for token in [pair.access, "x"] {
            for more in ["", "&client_id=spa", "&client_id=nobody", "&client_id=gateway&client_secret=wrong"] {
                let response = try fleet.introspect(token + more, fields: [:])
                response.expectError("invalid_client", 401)
                #expect(response.values(of: "www-authenticate").count == 1)
            }
        }
    }

    @Test("§2.3, RFC 6750 §3: the administrator's bearer credential is taken, and a wrong one is invalid_token")
    func aWrongBearerIsInvalidToken() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("dave-bearer")
        #expect(try fleet.introspect(pair.access).json?["active"]?.bool == true)
        for bearer in ["wrong", pair.access, Fleet.adminToken + "0"] {
            let response = try fleet.introspect(pair.access, fields: ["Authorization": "Bearer \(bearer)"])
            #expect(response.status == .unauthorized)
            #expect(response.values(of: "www-authenticate") == ["Bearer realm=\"quash\", error=\"invalid_token\""])
        }
    }

    @Test("§2.1: the token is a parameter of the form, once")
    func theTokenIsRequired() throws {
        let fleet = try Fleet.current
        try fleet.introspect("").expectError("invalid_request")
        try fleet.introspect("x&token=x").expectError("invalid_request")
        let json = try fleet.web.call(
            .post, fleet.publicURL + "/oauth2/introspect",
            fields: ["Authorization": "Bearer \(Fleet.adminToken)", "Content-Type": "application/json"],
            body: #"{"token":"x"}"#)
        json.expectError("invalid_request")
    }
}
