import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite("The issuer's administration", .sharedFleet) struct AdminTests {
    @Test("RFC 6749 §5.1: a session is answered as a token response, and named")
    func aSessionIsATokenResponse() throws {
        let fleet = try Fleet.current
        let response = try fleet.admin(
            .post, "/admin/v1/sessions", #"{"sub":"frank","client_id":"spa","scope":"read","aud":["a","b"]}"#)
        #expect(response.status == .ok)
        #expect(response.values(of: "content-type") == ["application/json"])
        #expect(response.values(of: "cache-control") == ["no-store"])
        let json = try #require(response.json)
        #expect(
            json.object?.members.map(\.name)
                == ["access_token", "token_type", "expires_in", "refresh_token", "scope", "session"])
        let session = try #require(json["session"]?.string)
        let access = try #require(json["access_token"]?.string)
        let decision = try fleet.decide(access)
        #expect(decision.values(of: "x-auth-subject") == ["frank"])
        #expect(decision.values(of: "x-auth-session") == [session])
        let facts = try #require(try fleet.introspect(access).json)
        #expect(facts["aud"] == ["a", "b"])
        #expect(facts["client_id"]?.string == "spa")
    }

    @Test("Sessions are listed by subject, and all ended by one call")
    func sessionsAreListedAndEnded() throws {
        let fleet = try Fleet.current
        let subject = "grace hopper/ü?"
        let path = "/admin/v1/subjects/grace%20hopper%2F%C3%BC%3F/sessions"
        #expect(try fleet.admin(.get, path).json?["sessions"] == [])
        let pairs = try (0..<3).map { _ in try fleet.signIn(subject, more: #","client_id":"spa","scope":"read""#) }
        let listed = try fleet.admin(.get, path)
        #expect(listed.status == .ok)
        #expect(listed.json?["sub"]?.string == subject)
        let sessions = try #require(listed.json?["sessions"]?.array)
        #expect(Set(sessions.compactMap { $0["session"]?.string }) == Set(pairs.map(\.session)))
        #expect(
            sessions.first?.object?.members.map(\.name) == ["session", "created", "refreshed", "client_id", "scope"])

        #expect(try fleet.logout(pairs[0].access).status == .ok)
        #expect(try fleet.admin(.get, path).json?["sessions"]?.array?.count == 2)
        let receipt = try fleet.admin(.delete, path)
        #expect(receipt.status == .ok)
        #expect(receipt.json?["status"]?.string == "stored")
        #expect(try fleet.admin(.get, path).json?["sessions"] == [])
        for pair in pairs {
            #expect(try fleet.allAnswer(401, for: pair.access))
            try fleet.refresh(pair.refresh, more: "&client_id=spa").expectError("invalid_grant")
        }
        #expect(try fleet.decide(try fleet.signIn(subject).access).status == .noContent)
    }

    @Test(
        "RFC 9457: a bad body is one problem that names the member",
        arguments: [
            ("", "JSON"), ("{", "JSON"), ("[]", "object"), ("\"x\"", "object"), ("{}", "sub"),
            (#"{"sub":""}"#, "sub"), (#"{"sub":1}"#, "sub"), (#"{"sub":null}"#, "sub"), (#"{"sub":["a"]}"#, "sub"),
            (#"{"sub":"a\u0000"}"#, "sub"), (#"{"sub":"a","sub":"b"}"#, "JSON"), (#"{"sub":" a"}"#, "sub"),
            (#"{"sub":"a","clientid":"b"}"#, "clientid"), (#"{"sub":"a","client_id":true}"#, "client_id"),
            (#"{"sub":"a","scope":1}"#, "scope"), (#"{"sub":"a","scope":"a\\b"}"#, "scope"),
            (#"{"sub":"a","scope":"caf\u00e9"}"#, "scope"), (#"{"sub":"a","scope":" read"}"#, "scope"),
            (#"{"sub":"a","aud":{}}"#, "aud"), (#"{"sub":"a","aud":[1]}"#, "aud"),
            (#"{"sub":"a","aud":["a b"]}"#, "aud"),
        ])
    func aBadSessionIsOneProblem(body: String, member: String) throws {
        try Fleet.current.admin(.post, "/admin/v1/sessions", body).expectProblem(400, naming: member)
    }

    @Test("What would make a token too large is refused by name, not signed and not called an outage")
    func longValuesAreProblems() throws {
        let fleet = try Fleet.current
        func text(_ count: Int) -> String { String(repeating: "x", count: count) }
        #expect(try fleet.decide(try fleet.signIn(text(255)).access).status == .noContent)
        let audiences = (0..<16).map { _ in "\"\(text(255))\"" }.joined(separator: ",")
        for (body, member) in [
            (#"{"sub":"\#(text(256))"}"#, "sub"), (#"{"sub":"a","client_id":"\#(text(256))"}"#, "client_id"),
            (#"{"sub":"a","scope":"\#(text(1025))"}"#, "scope"), (#"{"sub":"a","aud":"\#(text(256))"}"#, "aud"),
            (#"{"sub":"a","aud":[\#(audiences),"x"]}"#, "aud"),
        ] {
            try fleet.admin(.post, "/admin/v1/sessions", body).expectProblem(400, naming: member)
        }
        let largest = #","client_id":"\#(text(255))","scope":"\#(text(1024))","aud":[\#(audiences)]"#
        #expect(try fleet.decide(try fleet.signIn(text(255), more: largest).access).status == .noContent)
    }

    @Test("Every node that holds a lease is listed, the issuer too")
    func nodesAreListed() throws {
        let fleet = try Fleet.current
        let response = try fleet.admin(.get, "/admin/v1/nodes")
        #expect(response.status == .ok)
        #expect(response.json?.object?.members.map(\.name) == ["epoch", "head", "nodes"])
        let nodes = try #require(response.json?["nodes"]?.array)
        #expect(nodes.count == 2)
        for node in nodes {
            var names = ["node", "version", "applied", "lag", "lease_left_ms", "lease_ms", "entries"]
            if node["node"]?.string?.hasPrefix("issuer:") == false { names.append("decisions_per_second") }
            #expect(node.object?.members.map(\.name) == names)
            #expect(node["version"]?.string == BuildVersion.current)
            #expect((1...5000).contains(node["lease_left_ms"]?.integer ?? 0))
            let (applied, lag) = (try #require(node["applied"]?.integer), try #require(node["lag"]?.integer))
            #expect(response.json?["head"]?.integer == applied + lag)
        }
    }

    private static let paths: [(path: String, allow: String)] = [
        ("/admin/v1/sessions", "POST"), ("/admin/v1/revocations", "POST"), ("/admin/v1/nodes", "GET"),
        ("/admin/v1/status", "GET"), ("/admin/v1/events", "GET"),
        ("/admin/v1/subjects/a/sessions", "GET, DELETE"),
    ]

    @Test("RFC 6750 §3: without the credential every path and method gets one and the same answer")
    func theCredentialIsAskedForFirst() throws {
        let fleet = try Fleet.current
        var answers: [String: Set<String>] = [:]
        for path in Self.paths.map(\.path) + ["/admin/v1/unknown", "/"] {
            for method in [HTTPMethod.get, .post, .put, .delete] {
                for credential in ["", "Bearer wrong", "Bearer \(Fleet.adminToken)0", "Bearer", "Basic YTpi"] {
                    let fields: FieldLines = credential.isEmpty ? [:] : ["Authorization": credential]
                    let response = try fleet.web.call(method, fleet.adminURL + path, fields: fields, body: "{}")
                    #expect(response.status == .unauthorized)
                    answers[credential, default: []].insert(response.fingerprint)
                }
            }
        }
        #expect(answers.values.allSatisfy { $0.count == 1 })
        // Two answers: nothing of ours was presented, or something that is wrong.
        #expect(answers[""] == answers["Basic YTpi"])
        #expect(Set(answers.values.flatMap { $0 }).count == 2)
        #expect(answers[""]?.first?.contains("WWW-Authenticate: Bearer realm=\"quash\"\n") == true)
        #expect(answers["Bearer wrong"]?.first?.contains("error=\"invalid_token\"") == true)
    }

    @Test("RFC 9110 §15.5.5, §15.5.6: an unknown path is 404, another method 405 with Allow")
    func pathsAndMethodsAreAnswered() throws {
        let fleet = try Fleet.current
        for (path, allow) in Self.paths {
            for method in [HTTPMethod.get, .post, .put, .delete, .patch, .options]
            where !allow.contains("\(method.name)") {
                let response = try fleet.admin(method, path, "{}")
                response.expectProblem(405, naming: allow)
                #expect(response.values(of: "allow") == [allow])
            }
        }
        for path in [
            "/admin/v1/", "/admin/v1/sessions/", "/admin/v1/subjects//sessions", "/admin/v1/subjects/a/b/sessions",
        ] {
            for method in [HTTPMethod.get, .post, .delete] {
                try fleet.admin(method, path, "{}").expectProblem(404, naming: "path")
            }
        }
        try fleet.admin(.get, "/admin/v1/subjects/%zz/sessions").expectProblem(404, naming: "path")
    }

    @Test("Health and metrics ask for no credential, and are read only")
    func healthIsForEverybody() throws {
        let fleet = try Fleet.current
        for path in ["/livez", "/readyz", "/readyz?verbose", "/metrics"] {
            #expect(try fleet.web.call(.get, fleet.adminURL + path).status == .ok)
            #expect(try fleet.web.call(.head, fleet.adminURL + path).status == .ok)
            let post = try fleet.web.call(.post, fleet.adminURL + path)
            post.expectProblem(405, naming: "GET, HEAD")
        }
    }
}

extension HTTPResponse {
    /// Expects problem details of RFC 9457 §3.1 whose detail names `word`.
    func expectProblem(_ status: Int, naming word: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(self.status.code == status, "\(text)", sourceLocation: sourceLocation)
        #expect(values(of: "content-type") == ["application/problem+json"], sourceLocation: sourceLocation)
        #expect(values(of: "cache-control") == ["no-store"], sourceLocation: sourceLocation)
        #expect(
            json?.object?.members.map(\.name) == ["type", "title", "status", "detail"], sourceLocation: sourceLocation)
        #expect(json?["type"]?.string == "about:blank", sourceLocation: sourceLocation)
        #expect(json?["title"]?.string == "\(self.status.reason)", sourceLocation: sourceLocation)
        #expect(json?["status"]?.integer == Int64(status), sourceLocation: sourceLocation)
        let detail = json?["detail"]?.string ?? ""
        #expect(detail.contains(word), "\(detail)", sourceLocation: sourceLocation)
    }
}
