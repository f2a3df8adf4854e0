import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// The nginx configuration that is shipped, in a real nginx, in front of a validator and an application.
@Suite("nginx", .sharedFleet) struct NginxTests {
    private let application: EchoApplication
    private let gateway: NginxGateway

    init() throws {
        application = try EchoApplication()
        gateway = try NginxGateway(
            validator: try Fleet.current.validators[0].addresses[0], application: application.address)
    }

    /// The identity fields that the application saw, in whatever spelling, sorted.
    private func identity(_ response: HTTPResponse) -> [String] {
        response.text.split(separator: "\n").filter { $0.hasPrefix("x-auth-") || $0.hasPrefix("x_auth_") }
            .map(String.init).sorted()
    }

    private func identity(of pair: Fleet.Pair, _ subject: String, scope: String?) throws -> [String] {
        let facts = try #require(try Fleet.current.introspect(pair.access).json)
        let fields = [
            "x-auth-expires: \(try #require(facts["exp"]?.integer))",
            "x-auth-jti: \(try #require(facts["jti"]?.string))",
            "x-auth-session: \(pair.session)", "x-auth-subject: \(subject)",
        ]
        return (fields + (scope.map { ["x-auth-scope: \($0)"] } ?? [])).sorted()
    }

    @Test("The application hears who is asking")
    func theApplicationHearsWhoIsAsking() throws {
        let pair = try Fleet.current.signIn("sybil ü", more: #","scope":"read write""#)
        let response = try gateway.call(.get, "/some/path?with=query", token: pair.access)
        #expect(response.status == .ok)
        #expect(identity(response) == (try identity(of: pair, "sybil ü", scope: "read write")))
        // What is for the gateway stays there.
        #expect(response.values(of: "x-auth-subject").isEmpty)
        let post = try gateway.call(.post, "/", token: pair.access, body: "a body of its own")
        #expect(post.text.hasSuffix("\n\na body of its own"))
    }

    @Test("No identity that a client claims gets through, however it is spelled")
    func claimedIdentitiesDoNotGetThrough() throws {
        let pair = try Fleet.current.signIn("trent")
        let expected = try identity(of: pair, "trent", scope: nil)
        let claims: FieldLines = [
            "X-Auth-Subject": "admin", "x-auth-subject": "admin", "X-AUTH-SUBJECT": "admin", "X_Auth_Subject": "admin",
            "X-Auth_Subject": "admin", "x-auth-session": "admin", "X-Auth-Jti": "admin", "X-Auth-Expires": "admin",
            "X-Auth-Scope": "admin", "x-auth-scope": "admin", "X_AUTH_SCOPE": "admin",
        ]
        let response = try gateway.call(token: pair.access, fields: claims)
        #expect(response.status == .ok)
        #expect(identity(response) == expected)
        #expect(!response.text.contains("admin"))
        #expect(try gateway.call(fields: claims).status == .unauthorized)
    }

    @Test("RFC 6750 §3: without a token, and with a bad one, 401 with the validator's one challenge")
    func challengesAreTheValidators() throws {
        let revoked = try Fleet.current.signIn("uma").access
        #expect(try gateway.call(token: revoked).status == .ok)
        #expect(try Fleet.current.revokeToken(revoked).status == .ok)
        #expect(try poll { try gateway.call(token: revoked).status == .unauthorized })
        for (token, challenge) in [
            (nil, "Bearer realm=\"quash\""), ("x", "Bearer realm=\"quash\", error=\"invalid_token\""),
            (revoked, "Bearer realm=\"quash\", error=\"invalid_token\""),
        ] {
            for method in [HTTPMethod.get, .post, .head] {
                let response = try gateway.call(method, token: token)
                #expect(response.status == .unauthorized)
                #expect(response.values(of: "www-authenticate") == [challenge])
                #expect(response.values(of: "cache-control") == ["no-store"])
                #expect(response.values(of: "retry-after").isEmpty)
            }
        }
    }

    @Test("Of two Authorization fields the application gets the one that was judged, or neither")
    func theApplicationGetsTheFieldThatWasJudged() throws {
        let token = try Fleet.current.signIn("victor").access
        for pair in [[token, "x"], ["x", token], [token, token]] {
            var fields = FieldLines()
            for token in pair { fields.append("Authorization", "Bearer \(token)") }
            let response = try gateway.call(fields: fields)
            if response.status == .ok {
                let seen = response.text.split(separator: "\n").filter { $0.hasPrefix("authorization: ") }
                #expect(seen == ["authorization: Bearer \(token)"])
            } else {
                #expect([400, 401].contains(response.status.code))
            }
        }
    }

    @Test("A request with as many and as long fields as nginx takes is judged by its token alone")
    func longHeadsAreJudgedByTheirToken() throws {
        let token = try Fleet.current.signIn("walter").access
        var fields = FieldLines()
        for _ in 0..<3 { fields.append("Cookie", String(repeating: "c", count: 4000)) }
        for _ in 0..<40 { fields.append("X-Anything", "x") }
        #expect(try gateway.call(token: token, fields: fields).status == .ok)
        #expect(try gateway.call(token: "x", fields: fields).status == .unauthorized)
        // Beyond what a validator takes, and this application.
        for _ in 0..<100 { fields.append("X-Anything", "x") }
        #expect(try gateway.call(token: token, fields: fields).status == .headerFieldsTooLarge)
        for token in ["x", nil] { #expect(try gateway.call(token: token, fields: fields).status == .unauthorized) }
        let path = "/" + String(repeating: "p", count: 7000)
        #expect(try gateway.call(.get, path, token: token).status == .ok)
    }

    @Test("What the application answers is its own affair", arguments: [200, 401, 403, 404, 500, 502, 503])
    func theApplicationsAnswersPass(status: Int) throws {
        let token = try Fleet.current.signIn("xavier").access
        let response = try gateway.call(.get, "/status/\(status)", token: token)
        #expect(response.status.code == status)
        #expect(response.values(of: "retry-after").isEmpty)
        #expect(response.values(of: "www-authenticate") == (status == 401 ? ["Custom"] : []))
        #expect(response.text.contains("x-auth-subject: xavier"))
    }

    @Test("The locations for the gateway's own use are nobody else's")
    func internalLocationsAreHidden() throws {
        let token = try Fleet.current.signIn("yvonne").access
        for path in ["/_quash", "/_challenge", "/_forbidden", "/_unavailable"] {
            #expect(try gateway.call(.get, path, token: token).status == .notFound)
        }
    }

    @Test("A location that somebody adds is protected like the first")
    func anotherLocationIsProtected() throws {
        let fleet = try Fleet.current
        let more = try NginxGateway(
            validator: fleet.validators[0].addresses[0], application: application.address,
            location: "location /more/ { proxy_pass http://application; }")
        let response = try more.call(
            .get, "/more/", token: try fleet.signIn("adam").access, fields: ["X-Auth-Subject": "admin"])
        #expect(response.status == .ok)
        #expect(response.text.contains("x-auth-subject: adam\n") && !response.text.contains("admin"))
        #expect(try more.call(.get, "/more/", token: "x").status == .unauthorized)
        #expect(try more.call(.get, "/more/").values(of: "www-authenticate") == ["Bearer realm=\"quash\""])
    }

    @Test("RFC 6750 §3.1: a scope that the gateway asks for and the token lacks is 403 with its challenge")
    func aMissingScopeIsForbidden() throws {
        let fleet = try Fleet.current
        let scoped = try NginxGateway(
            validator: fleet.validators[0].addresses[0], application: application.address, query: "?scope=write")
        #expect(try scoped.call(token: try fleet.signIn("zoe", more: #","scope":"write""#).access).status == .ok)
        let response = try scoped.call(token: try fleet.signIn("zoe", more: #","scope":"read""#).access)
        #expect(response.status == .forbidden)
        #expect(response.values(of: "www-authenticate") == ["Bearer realm=\"quash\", error=\"insufficient_scope\""])
        #expect(response.values(of: "cache-control") == ["no-store"])
    }
}

@Suite("nginx when something is gone") struct NginxOutageTests {
    private func expectUnavailable(_ response: HTTPResponse) {
        response.expectUnavailable()
        #expect(!response.text.contains("x-auth-subject"), "the application was asked")
    }

    @Test(
        "A lease that ended and a validator that is not there are 503 with Retry-After, never 401 and never an open door"
    )
    func validatorsThatCannotDecide() throws {
        let fleet = try Fleet(validators: 0)
        let shortLease = ["--lease", "500ms", "--renew-interval", "100ms"]
        let address = try fleet.addValidator(shortLease).addresses[0]
        try fleet.waitUntilReady()
        let application = try EchoApplication()
        let gateway = try NginxGateway(validator: address, application: application.address)
        let token = try fleet.signIn().access
        #expect(try gateway.call(token: token).status == .ok)

        fleet.redis.kill9()
        #expect(try poll { try gateway.call(token: token).status == .serviceUnavailable })
        expectUnavailable(try gateway.call(token: token))
        try fleet.redis.restart()
        #expect(try poll(within: .seconds(20)) { try gateway.call(token: token).status == .ok })

        fleet.removeValidator()
        for token in [token, "x", nil] { expectUnavailable(try gateway.call(token: token)) }
        // At the same address again, as a restarted container is: nginx asks it at once.
        try fleet.addValidator(["--listen", address])
        #expect(try poll(within: .seconds(20)) { try gateway.call(token: token).status == .ok })
    }

    @Test("An application that is not there is 502, for it is not the validator that failed")
    func anApplicationThatIsGone() throws {
        let fleet = try Fleet()
        try fleet.waitUntilReady()
        let nobody = "127.0.0.1:\(try freePort())"
        let gateway = try NginxGateway(validator: fleet.validators[0].addresses[0], application: nobody)
        #expect(try gateway.call(token: try fleet.signIn().access).status.code == 502)
        #expect(try gateway.call(token: "x").status == .unauthorized)
    }
}
