import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite("RFC 6749: POST /oauth2/token", .sharedFleet) struct TokenEndpointTests {
    @Test("§5.1: an answer has the pair, its type, its lifetime and its scope, and is never kept")
    func refreshAnswersAsSection51() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-5.1", more: #","scope":"read write""#)
        let response = try fleet.refresh(pair.refresh)
        #expect(response.status == .ok)
        #expect(response.values(of: "content-type") == ["application/json"])
        #expect(response.values(of: "cache-control") == ["no-store"])
        #expect(response.values(of: "pragma") == ["no-cache"])
        let json = try #require(response.json)
        #expect(
            json.object?.members.map(\.name) == ["access_token", "token_type", "expires_in", "refresh_token", "scope"])
        #expect(json["token_type"]?.string == "Bearer")
        #expect(json["expires_in"]?.integer == 900)
        #expect(json["scope"]?.string == "read write")
        let access = try #require(json["access_token"]?.string)
        #expect(access != pair.access)
        #expect(json["refresh_token"]?.string != pair.refresh)
        #expect(try fleet.decide(access).status == .noContent)
    }

    @Test("§5.1: an error and a sign-in are never kept either")
    func noAnswerOfTheEndpointIsKept() throws {
        let fleet = try Fleet.current
        let signIn = try fleet.admin(.post, "/admin/v1/sessions", #"{"sub":"alice-kept"}"#)
        #expect(signIn.values(of: "cache-control") == ["no-store"])
        #expect(signIn.values(of: "pragma") == ["no-cache"])
        #expect(try fleet.refresh("x").values(of: "cache-control") == ["no-store"])
    }

    @Test("§6: a rotated refresh token is replaced, and its reuse after the successor was used ends the session")
    func refreshTokensRotate() throws {
        let fleet = try Fleet.current
        let first = try fleet.signIn("alice-rotation")
        let second = try #require(try fleet.refresh(first.refresh).json)
        let refresh = try #require(second["refresh_token"]?.string)
        let third = try #require(try fleet.refresh(refresh).json)
        try fleet.refresh(first.refresh).expectError("invalid_grant")
        let latest = try #require(third["access_token"]?.string)
        #expect(try fleet.allAnswer(401, for: latest))
        try fleet.refresh(try #require(third["refresh_token"]?.string)).expectError("invalid_grant")
    }

    @Test("§6: a retry of the last refresh gets the same pair, byte for byte")
    func aRetryGetsTheSamePair() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-retry", more: #","scope":"read""#)
        let first = try fleet.refresh(pair.refresh)
        #expect(first.status == .ok)
        #expect(try fleet.refresh(pair.refresh).fingerprint == first.fingerprint)
    }

    @Test("§6: a scope may be asked for that is narrower, never one that is wider")
    func scopeMayOnlyNarrow() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-scope", more: #","scope":"read write""#)
        for scope in ["admin", "read+admin", "read+write+admin", "READ"] {
            try fleet.refresh(pair.refresh, more: "&scope=\(scope)").expectError("invalid_scope")
        }
        let narrow = try #require(try fleet.refresh(pair.refresh, more: "&scope=read").json)
        #expect(narrow["scope"]?.string == "read")
        let decision = try fleet.decide(try #require(narrow["access_token"]?.string))
        #expect(decision.values(of: "x-auth-scope") == ["read"])
        // The grant itself stays as wide as it was: §6, "the refresh token scope MUST be identical".
        let wide = try fleet.refresh(try #require(narrow["refresh_token"]?.string))
        #expect(wide.json?["scope"]?.string == "read write")
    }

    @Test("§3.3: what is no scope is invalid_scope", arguments: ["%22", "%5C", "caf%C3%A9"])
    func whatIsNoScopeIsRefused(scope: String) throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-no-scope", more: #","scope":"read""#)
        try fleet.refresh(pair.refresh, more: "&scope=\(scope)").expectError("invalid_scope")
    }

    @Test("§6: without a grant of scope, none can be asked for, and none is answered")
    func withoutAScopeNoneIsGranted() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-unscoped")
        try fleet.refresh(pair.refresh, more: "&scope=read").expectError("invalid_scope")
        let json = try #require(try fleet.refresh(pair.refresh).json)
        #expect(json["scope"] == nil)
    }

    @Test("§5.2: invalid_request for what is missing", arguments: ["", "refresh_token=x", "grant_type=refresh_token"])
    func whatIsMissingIsInvalidRequest(body: String) throws {
        let fleet = try Fleet.current
        try fleet.web.form(fleet.publicURL + "/oauth2/token", body).expectError("invalid_request")
    }

    @Test("§3.1: a parameter without a value counts as missing, and one that is unknown is ignored")
    func emptyAndUnknownParameters() throws {
        let fleet = try Fleet.current
        try fleet.refresh("").expectError("invalid_request")
        let pair = try fleet.signIn("alice-empty")
        #expect(try fleet.refresh(pair.refresh, more: "&scope=&resource=x&flavour=vanilla").status == .ok)
    }

    @Test(
        "§3.2: a parameter that is there twice is invalid_request, whichever",
        arguments: [
            "&refresh_token=x", "&grant_type=refresh_token", "&scope=a&scope=a", "&scope=&scope=a", "&x=1&x=1",
            "&client_id=spa&client_id=spa", "&refresh%5Ftoken=x",
        ])
    func repeatedParametersAreRefused(more: String) throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-repeated")
        try fleet.refresh(pair.refresh, more: more).expectError("invalid_request")
        // And nothing was spent by it.
        #expect(try fleet.refresh(pair.refresh).status == .ok)
    }

    @Test(
        "§5.2: unsupported_grant_type",
        arguments: ["password", "authorization_code", "client_credentials", "REFRESH_TOKEN", "refresh_token%20"])
    func otherGrantsAreUnsupported(grant: String) throws {
        let fleet = try Fleet.current
        try fleet.web.form(fleet.publicURL + "/oauth2/token", "grant_type=\(grant)&refresh_token=x")
            .expectError("unsupported_grant_type")
    }

    @Test("§5.2: invalid_grant for what is no live refresh token of ours")
    func deadRefreshTokensAreInvalidGrant() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-dead")
        let forge = try TokenForge()
        var expired = forge.claims
        expired.expiresAt = NumericDate(seconds: expired.issuedAt.seconds)
        let neverIssued = try forge.token(header: forge.header(typ: "rt+jwt"), claims: forge.claims)
        for token in [
            "x", "a.b.c", pair.access, neverIssued,
            try forge.token(header: forge.header(typ: "rt+jwt"), claims: expired),
        ] {
            try fleet.refresh(token).expectError("invalid_grant")
        }
        #expect(try fleet.logout(pair.access).status == .ok)
        try fleet.refresh(pair.refresh).expectError("invalid_grant")
    }

    @Test("§4.1.3, §6: another media type than a form is invalid_request")
    func otherContentTypesAreRefused() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-media")
        let body = "grant_type=refresh_token&refresh_token=\(pair.refresh)"
        for type in ["application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded2"] {
            try fleet.web.call(.post, fleet.publicURL + "/oauth2/token", fields: ["Content-Type": type], body: body)
                .expectError("invalid_request")
        }
        try fleet.web.call(.post, fleet.publicURL + "/oauth2/token", body: body).expectError("invalid_request")
        let charset = "Application/X-WWW-Form-URLEncoded ; charset=UTF-8"
        let response = try fleet.web.call(
            .post, fleet.publicURL + "/oauth2/token", fields: ["Content-Type": charset], body: body)
        #expect(response.status == .ok)
    }

    @Test("§2.3.1, §3.2: parameters count in the body alone, and the method is POST")
    func parametersInTheURLDoNotCount() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-url")
        let query = "grant_type=refresh_token&refresh_token=\(pair.refresh)"
        try fleet.web.form("\(fleet.publicURL)/oauth2/token?\(query)", "").expectError("invalid_request")
        let get = try fleet.web.call(.get, "\(fleet.publicURL)/oauth2/token?\(query)")
        #expect(get.status == .methodNotAllowed)
        #expect(get.values(of: "allow") == ["POST"])
    }

    @Test("§4.1.3, Appendix B: broken escapes and bytes that are not UTF-8 are invalid_request")
    func brokenFormsAreRefused() throws {
        let fleet = try Fleet.current
        for body in ["grant_type=%", "grant_type=%4", "grant_type=%zz", "grant_type=%FF", "=x", "grant_type=%00"] {
            try fleet.web.form(fleet.publicURL + "/oauth2/token", body).expectError("invalid_request")
        }
    }

    @Test("§6: a refresh token of a client is refreshed by that client alone")
    func aClientsTokenIsItsOwn() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("alice-bound", more: #","client_id":"gateway""#)
        try fleet.refresh(pair.refresh).expectError("invalid_grant")
        try fleet.refresh(pair.refresh, more: SharedFleet.billing.post).expectError("invalid_grant")
        try fleet.refresh(pair.refresh, more: "&client_id=spa").expectError("invalid_grant")
        #expect(try fleet.refresh(pair.refresh, more: SharedFleet.gateway.post).status == .ok)
    }
}
