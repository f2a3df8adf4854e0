import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite("RFC 7009: POST /oauth2/revoke", .sharedFleet) struct RevocationEndpointTests {
    @Test(
        "§2.1: either token ends the session, whatever the hint says",
        arguments: ["", "access_token", "refresh_token", "x"])
    func eitherTokenEndsTheSession(hint: String) throws {
        let fleet = try Fleet.current
        for usesAccess in [true, false] {
            let pair = try fleet.signIn("carol-\(hint)")
            #expect(try fleet.decide(pair.access).status == .noContent)
            let hinted = hint.isEmpty ? "" : "&token_type_hint=\(hint)"
            let response = try fleet.revokeToken((usesAccess ? pair.access : pair.refresh) + hinted)
            #expect(response.status == .ok)
            #expect(response.body.isEmpty)
            #expect(response.values(of: "cache-control") == ["no-store"])
            #expect(try fleet.allAnswer(401, for: pair.access))
            try fleet.refresh(pair.refresh).expectError("invalid_grant")
        }
    }

    @Test("§2.2: a token that is unknown, expired, foreign or revoked already is answered 200")
    func unknownTokensAreAnswered200() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("carol-unknown")
        let (forge, stranger) = (try TokenForge(), try TokenForge(TestKeys.otherPrivateKey))
        var expired = forge.claims
        expired.expiresAt = expired.issuedAt
        for token in [
            "x", "a.b.c", try stranger.token(header: stranger.header(), claims: stranger.claims),
            try forge.token(header: forge.header(), claims: forge.claims),
            try forge.token(header: forge.header(), claims: expired), pair.refresh, pair.refresh, pair.access,
        ] {
            #expect(try fleet.revokeToken(token).status == .ok)
        }
    }

    @Test("§2.1: a token without value, or none, is invalid_request")
    func aMissingTokenIsInvalidRequest() throws {
        let fleet = try Fleet.current
        try fleet.web.form(fleet.publicURL + "/oauth2/revoke", "token_type_hint=access_token")
            .expectError("invalid_request")
        try fleet.revokeToken("").expectError("invalid_request")
        try fleet.revokeToken("x&token=x").expectError("invalid_request")
    }

    @Test("§2.1: a client that fails to authenticate is refused before the token is looked at")
    func clientsAuthenticate() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("carol-client", more: #","client_id":"gateway""#)
        try fleet.revokeToken(pair.refresh + "&client_id=gateway&client_secret=wrong").expectError(
            "invalid_client", 401)
        #expect(try fleet.decide(pair.access).status == .noContent)
        #expect(try fleet.revokeToken(pair.refresh + SharedFleet.gateway.post).status == .ok)
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    @Test("§2.1: a token of another client is refused and stays valid")
    func anotherClientsTokenIsRefused() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("carol-other", more: #","client_id":"gateway""#)
        for client in ["", SharedFleet.billing.post, "&client_id=spa"] {
            for token in [pair.access, pair.refresh] {
                try fleet.revokeToken(token + client).expectError("invalid_client", 401)
            }
        }
        #expect(try fleet.decide(pair.access).status == .noContent)
        #expect(try fleet.refresh(pair.refresh, more: SharedFleet.gateway.post).status == .ok)
    }

    @Test("§2: POST alone")
    func otherMethodsAreNotAllowed() throws {
        let fleet = try Fleet.current
        for path in ["/oauth2/revoke", "/oauth2/introspect", "/oauth2/token", "/logout"] {
            for method in [HTTPMethod.get, .put, .delete] {
                let response = try fleet.web.call(method, fleet.publicURL + path)
                #expect(response.status == .methodNotAllowed)
                #expect(response.values(of: "allow") == ["POST"])
            }
        }
    }

    @Test("/logout ends the session of its bearer, or every one of the subject, as often as it is asked")
    func logoutEndsWhatItsBearerHas() throws {
        let fleet = try Fleet.current
        let (first, second, third) = (
            try fleet.signIn("carol"), try fleet.signIn("carol"), try fleet.signIn("carol")
        )
        for _ in 0..<2 {
            let receipt = try fleet.logout(first.access)
            #expect(receipt.status == .ok)
            #expect(receipt.json?["status"]?.string == "stored")
            #expect(receipt.json?["seq"]?.integer != nil)
        }
        #expect(try fleet.allAnswer(401, for: first.access))
        #expect(try fleet.decide(second.access).status == .noContent)
        #expect(try fleet.logout(second.access, body: "everywhere=true").status == .ok)
        #expect(try fleet.allAnswer(401, for: third.access))
        try fleet.refresh(third.refresh).expectError("invalid_grant")
        #expect(try fleet.decide(try fleet.signIn("carol").access).status == .noContent)
    }

    @Test("/logout takes an access token of ours alone, and its parameters as they are written")
    func logoutRefusesTheRest() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("carol-refused")
        let refused = try fleet.logout("x")
        #expect(refused.status == .unauthorized)
        #expect(refused.values(of: "www-authenticate") == ["Bearer realm=\"quash\", error=\"invalid_token\""])
        #expect(try fleet.logout(pair.refresh).fingerprint == refused.fingerprint)
        let missing = try fleet.web.form(fleet.publicURL + "/logout", "")
        #expect(missing.status == .unauthorized)
        #expect(missing.values(of: "www-authenticate") == ["Bearer realm=\"quash\""])
        var twice: FieldLines = ["Authorization": "Bearer \(pair.access)"]
        twice.append("Authorization", "Bearer \(pair.access)")
        #expect(try fleet.web.form(fleet.publicURL + "/logout", "", fields: twice).fingerprint == refused.fingerprint)
        try fleet.logout(pair.access, body: "everywhere=yes").expectError("invalid_request")
        try fleet.logout(pair.access, body: "everywhere=true&everywhere=true").expectError("invalid_request")
        #expect(try fleet.decide(pair.access).status == .noContent)
    }
}

@Suite("When Redis is gone") struct StoreOutageTests {
    @Test("RFC 7009 §2.2.1: 503 with Retry-After when an ending is not durably stored; the same later succeeds")
    func nothingIsCalledEndedThatIsNotStored() throws {
        let fleet = try Fleet(redis: RedisServer.Options(settings: ["appendonly": "yes", "appendfsync": "always"]))
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        fleet.redis.kill9()
        try fleet.revokeToken(pair.refresh).expectUnavailable()
        try fleet.logout(pair.access).expectUnavailable()
        try fleet.refresh(pair.refresh).expectUnavailable()
        try fleet.admin(.post, "/admin/v1/sessions", #"{"sub":"alice"}"#).expectUnavailable()
        try fleet.admin(.post, "/admin/v1/revocations", #"{"sub":"alice"}"#).expectUnavailable()
        try fleet.admin(.get, "/admin/v1/subjects/alice/sessions").expectUnavailable()
        try fleet.admin(.delete, "/admin/v1/subjects/alice/sessions").expectUnavailable()
        try fleet.admin(.get, "/admin/v1/nodes").expectUnavailable()
        try fleet.redis.restart()
        #expect(try poll(within: .seconds(20)) { try fleet.revokeToken(pair.refresh).status == .ok })
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    @Test("RFC 7662 §2.2: no token is called inactive by an issuer that cannot know")
    func introspectionIsUnavailableWithoutALease() throws {
        let fleet = try Fleet(issuerSettings: ["--lease", "300ms", "--renew-interval", "50ms"])
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        fleet.redis.kill9()
        for token in [pair.access, pair.refresh] {
            #expect(try poll { try fleet.introspect(token).status == .serviceUnavailable })
            try fleet.introspect(token).expectUnavailable()
        }
        // What is no token of ours is inactive in any weather.
        #expect(try fleet.introspect("x").text == #"{"active":false}"#)
    }
}

extension Fleet {
    /// - Parameter token: with further parameters behind it, if there are any.
    func revokeToken(_ token: String, fields: FieldLines = [:]) throws -> HTTPResponse {
        try web.form(publicURL + "/oauth2/revoke", "token=\(token)", fields: fields)
    }

    /// Asks as the administrator, unless `fields` say who is asking.
    func introspect(
        _ token: String, fields: FieldLines = ["Authorization": "Bearer \(Fleet.adminToken)"]
    ) throws -> HTTPResponse {
        try web.form(publicURL + "/oauth2/introspect", "token=\(token)", fields: fields)
    }
}
