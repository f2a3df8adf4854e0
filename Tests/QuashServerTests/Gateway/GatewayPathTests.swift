import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

/// What gateways ask, and what they are answered (RFC 6750 at the resource server).
@Suite("A validator's gateway paths", .sharedFleet) struct GatewayPathTests {
    static let paths: [(path: String, allowed: Int)] = [
        ("/authz/auth-request", 204), ("/authz/forward-auth", 200), ("/authz/ext-authz/", 200),
        ("/authz/ext-authz", 200),
        ("/authz/ext-authz/any/path", 200),
    ]
    private static let identity = ["x-auth-subject", "x-auth-session", "x-auth-jti", "x-auth-expires", "x-auth-scope"]

    @Test("On accept every identity field is there, once, also when it is empty", arguments: paths)
    func acceptanceNamesTheSubject(path: String, allowed: Int) throws {
        let fleet = try Fleet.current
        for scope in ["read write", ""] {
            let pair = try fleet.signIn("rupert ü", more: scope.isEmpty ? "" : #","scope":"\#(scope)""#)
            let facts = try #require(try fleet.introspect(pair.access).json)
            let response = try fleet.decide(pair.access, path: path)
            #expect(response.status.code == allowed)
            #expect(response.body.isEmpty)
            #expect(response.values(of: "cache-control") == ["no-store"])
            #expect(response.values(of: "www-authenticate").isEmpty)
            #expect(response.values(of: "x-auth-subject") == ["rupert ü"])
            #expect(response.values(of: "x-auth-session") == [pair.session])
            #expect(response.values(of: "x-auth-jti") == [try #require(facts["jti"]?.string)])
            #expect(response.values(of: "x-auth-expires") == ["\(try #require(facts["exp"]?.integer))"])
            #expect(response.values(of: "x-auth-scope") == [scope])
        }
    }

    @Test("RFC 6750 §3, §3.1: a challenge with no error when no bearer token was presented", arguments: paths)
    func nothingPresentedIsNoError(path: String, allowed: Int) throws {
        let fleet = try Fleet.current
        let token = try fleet.signIn("rupert-nothing").access
        // §2.2, §2.3: neither a query nor a form presents one. §3.1: nor does an authentication method that is not
        // supported.
        for (fields, query) in [
            ([:], ""), ([:], "?access_token=\(token)"), (["X-Authorization": "Bearer \(token)"], ""),
            (["Authorization": "Basic \(base64("a:b"))"], ""), (["Authorization": "Digest x"], ""),
            (["Authorization": "Bearerx \(token)"], ""), (["Authorization": token], ""),
            (["Cookie": "token=\(token)"], ""),
        ] as [(FieldLines, String)] {
            let response = try fleet.ask(.get, path + query, fields)
            #expect(response.status == .unauthorized)
            #expect(response.values(of: "www-authenticate") == ["Bearer realm=\"quash\""])
            expectNothingToldOrKept(response)
        }
    }

    @Test("RFC 6750 §3.1: one and the same 401 for whatever is wrong with a token", arguments: paths)
    func everyBadTokenIsOneAnswer(path: String, allowed: Int) throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("rupert-bad")
        let revoked = try fleet.signIn("rupert-revoked").access
        #expect(try fleet.revokeToken(revoked).status == .ok)
        #expect(try fleet.allAnswer(401, for: revoked))
        var twice: FieldLines = ["Authorization": "Bearer \(pair.access)"]
        twice.append("Authorization", "Bearer \(pair.access)")
        var mixed: FieldLines = ["Authorization": "Basic \(base64("a:b"))"]
        mixed.append("Authorization", "Bearer \(pair.access)")
        let forge = try TokenForge()
        var expired = forge.claims
        expired.expiresAt = expired.issuedAt
        var answers: Set<String> = []
        for fields: FieldLines in [
            ["Authorization": "Bearer x"], ["Authorization": "Bearer"], ["Authorization": ""], twice, mixed,
            ["Authorization": "Bearer \(revoked)"], ["Authorization": "Bearer \(pair.refresh)"],
            ["Authorization": "Bearer \(pair.access), Bearer \(pair.access)"],
            ["Authorization": "Bearer \(pair.access) x"], ["Authorization": "Bearer \"\(pair.access)\""],
            ["Authorization": "Bearer \(try forge.token(header: forge.header(), claims: expired))"],
        ] {
            let response = try fleet.ask(.get, path, fields)
            #expect(response.status == .unauthorized)
            expectNothingToldOrKept(response)
            answers.insert(response.fingerprint)
        }
        #expect(answers.count == 1)
        #expect(answers.first?.contains("WWW-Authenticate: Bearer realm=\"quash\", error=\"invalid_token\"\n") == true)
    }

    @Test("RFC 9110 §11.1: the scheme is the same in any case, and more than one space may follow it")
    func schemesIgnoreCase() throws {
        let fleet = try Fleet.current
        let token = try fleet.signIn("rupert-case").access
        for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR    "] {
            #expect(try fleet.ask(.get, "/authz/auth-request", ["Authorization": scheme + token]).status == .noContent)
        }
    }

    @Test("RFC 6750 §3.1: insufficient_scope is 403", arguments: ["/authz/auth-request", "/authz/forward-auth"])
    func scopesThatAreAskedForAreGranted(path: String) throws {
        let fleet = try Fleet.current
        let token = try fleet.signIn("rupert-scope", more: #","scope":"read write""#).access
        for query in ["scope=read", "scope=write", "scope=read+write", "scope=write%20read", ""] {
            #expect(try fleet.decide(token, path: "\(path)?\(query)").status.code < 300, "\(query)")
        }
        // What cannot be read asks for something that nobody was granted: a mistake in a gateway's configuration shows.
        for query in [
            "scope=admin", "scope=read+admin", "scope=READ", "scope=rea", "scope=", "scopes=read",
            "scope=read&scope=write", "%",
        ] {
            let response = try fleet.decide(token, path: "\(path)?\(query)")
            #expect(response.status == .forbidden, "\(query)")
            #expect(response.values(of: "www-authenticate") == ["Bearer realm=\"quash\", error=\"insufficient_scope\""])
            expectNothingToldOrKept(response)
        }
        #expect(
            try fleet.decide(try fleet.signIn("rupert-none").access, path: "\(path)?scope=read").status == .forbidden)
        #expect(try fleet.decide("x", path: "\(path)?scope=read").status == .unauthorized)
    }

    @Test("Envoy's ext_authz: any method, any path, the client's own query, and the start of its body")
    func extAuthzTakesWhatTheClientSent() throws {
        let fleet = try Fleet.current
        let token = try fleet.signIn("rupert-envoy").access
        let path = "/authz/ext-authz/orders/7?scope=admin&sort=%zz&sort=up"
        for method in [HTTPMethod.get, .head, .post, .put, .delete, .options, .patch] {
            let body = method == .post || method == .put ? String(repeating: "x", count: 8192) : ""
            let allowed = try fleet.ask(method, path, ["Authorization": "Bearer \(token)"], body: body)
            #expect(allowed.status == .ok, "\(method.name)")
            #expect(allowed.values(of: "x-auth-subject") == ["rupert-envoy"])
            #expect(try fleet.ask(method, path, ["Authorization": "Bearer x"], body: body).status == .unauthorized)
            #expect(try fleet.ask(method, path, [:], body: body).status == .unauthorized)
        }
    }

    @Test("The other paths take any method too, and no body; an unknown path is 404")
    func otherPathsAndMethods() throws {
        let fleet = try Fleet.current
        let token = try fleet.signIn("rupert-methods").access
        let bearer: FieldLines = ["Authorization": "Bearer \(token)"]
        for (path, allowed) in [("/authz/auth-request", 204), ("/authz/forward-auth", 200)] {
            for method in [HTTPMethod.get, .head, .post, .put, .delete] {
                #expect(try fleet.ask(method, path, bearer).status.code == allowed)
            }
            #expect(try fleet.ask(.post, path, bearer, body: "x").status == .contentTooLarge)
        }
        for path in ["/", "/authz", "/authz/", "/authz/auth-request/", "/authz/ext-authzx", "/livez", "/metrics"] {
            try fleet.ask(.get, path, bearer).expectProblem(404, naming: "/authz/auth-request")
        }
    }

    @Test("Health checks of gateways ask where decisions are asked for, without a token")
    func readinessForHealthChecks() throws {
        let fleet = try Fleet.current
        for method in [HTTPMethod.get, .head] {
            let response = try fleet.ask(method, "/readyz", [:])
            #expect(response.status == .ok)
            #expect(response.body.isEmpty)
            #expect(response.values(of: "cache-control") == ["no-store"])
        }
        try fleet.ask(.post, "/readyz", [:]).expectProblem(405, naming: "GET, HEAD")
    }

    private func expectNothingToldOrKept(
        _ response: HTTPResponse, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(response.values(of: "cache-control") == ["no-store"], sourceLocation: sourceLocation)
        #expect(Self.identity.allSatisfy { response.values(of: $0).isEmpty }, sourceLocation: sourceLocation)
        #expect(response.body.isEmpty, sourceLocation: sourceLocation)
    }
}

extension Fleet {
    /// What a gateway asks the first validator.
    func ask(
        _ method: HTTPMethod, _ path: String, _ fields: FieldLines = [:], body: String = ""
    ) throws -> HTTPResponse {
        try web.call(method, "http://\(validators[0].addresses[0])\(path)", fields: fields, body: body)
    }
}
