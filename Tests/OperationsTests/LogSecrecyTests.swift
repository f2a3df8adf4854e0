import Glibc
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

/// A whole run at the level debug, and a search for every secret that occurred in all that every process wrote.
@Suite("What is logged of a whole run") struct LogSecrecyTests {
    /// What must not be found, by what it is.
    private struct Secrets {
        private(set) var all: [(what: String, text: String)] = []

        mutating func add(_ what: String, _ text: String) {
            // Shorter text would be found by chance.
            if text.utf8.count >= 12 { all.append((what, text)) }
        }

        /// A token, each part of it, and of a refresh token its identifier and the hash that stands in Redis.
        mutating func add(_ pair: OperatedFleet.Pair) throws {
            for (what, token) in [("access token", pair.access), ("refresh token", pair.refresh)] {
                add(what, token)
                let parts = token.split(separator: ".").map(String.init)
                add("claims of an \(what)", parts[1])
                add("signature of an \(what)", parts[2])
            }
            let payload = try #require(Base64URL.decode(String(pair.refresh.split(separator: ".")[1])))
            let identifier = try #require(try JSONValue(parsing: payload.span)["jti"]?.string)
            add("identifier of a refresh token", String(identifier.suffix(20)))
            let digest = SHA256.digest(of: Array(identifier.utf8).span)
            add("hash of a refresh token", Base64URL.encode(digest.span))
            add("hash of a refresh token", digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        }

        func found(in text: String) -> [String] {
            all.filter { text.contains($0.text) }.map(\.what)
        }
    }

    private func tokens(_ response: HTTPResponse, session: String) throws -> OperatedFleet.Pair {
        OperatedFleet.Pair(
            access: try #require(response.json?["access_token"]?.string, "\(response.text)"),
            refresh: try #require(response.json?["refresh_token"]?.string), session: session)
    }

    @Test func noSecretIsInAnyLog() throws {
        let fleet = try OperatedFleet(validators: 2)
        try fleet.waitUntilReady()
        var secrets = Secrets()
        for line in TestKeys.privateKey.split(separator: "\n").dropFirst().dropLast() {
            secrets.add("signing key", String(line))
        }
        secrets.add("credential of the administration", OperatedFleet.adminToken)
        secrets.add("password of Redis", OperatedFleet.redisPassword)
        secrets.add("secret of a client", OperatedFleet.clientSecret)

        // Sign-in, decisions, refresh, reuse, logout.
        let alice = try fleet.signIn("alice")
        try secrets.add(alice)
        let next = try tokens(try fleet.refresh(alice.refresh), session: alice.session)
        try secrets.add(next)
        for validator in fleet.validators { #expect(try fleet.decide(next.access, at: validator) == .noContent) }
        #expect(try fleet.refresh(alice.refresh).status == .badRequest)
        let bob = try fleet.signIn("bob")
        try secrets.add(bob)
        #expect(try fleet.form("/logout", "", fields: ["Authorization": "Bearer \(bob.access)"]).status == .ok)
        for validator in fleet.validators {
            for token in [alice.access, bob.access, bob.refresh] { _ = try fleet.decide(token, at: validator) }
        }
        try revokeAndRefuse(fleet, &secrets)
        try presentNonsense(fleet, &secrets)
        try loseRedis(fleet)

        #expect(secrets.all.count > 60)
        for (name, text) in fleet.logs {
            // The search looks at what is there.
            #expect(text.contains(name == "issuer" ? #""event":"audit""# : #""event":"validator.started""#))
            #expect(secrets.found(in: text) == [], "\(name)")
        }
        try expectLines(fleet)
    }

    private func revokeAndRefuse(_ fleet: OperatedFleet, _ secrets: inout Secrets) throws {
        let carol = try fleet.signIn("carol")
        try secrets.add(carol)
        try fleet.revokeAndConfirm(carol.session)
        // A token where only its name is asked for, and as a reason.
        let dave = try fleet.signIn("dave")
        try secrets.add(dave)
        let body = #"{"jti":"\#(dave.access)","reason":"\#(dave.access.prefix(200))"}"#
        #expect(try fleet.admin(.post, "/admin/v1/revocations", body).status == .created)
        let client = "&client_id=\(OperatedFleet.client)&client_secret=\(OperatedFleet.clientSecret)"
        #expect(try fleet.form("/oauth2/introspect", "token=\(dave.access)\(client)").status == .ok)
        #expect(try fleet.form("/oauth2/revoke", "token=\(dave.refresh)\(client)").status == .ok)
        #expect(try fleet.admin(.delete, "/admin/v1/subjects/dave/sessions").status == .ok)
        let unknown = #"{"\#(dave.refresh)":1}"#
        #expect(try fleet.admin(.post, "/admin/v1/sessions", unknown).status == .badRequest)
    }

    private func presentNonsense(_ fleet: OperatedFleet, _ secrets: inout Secrets) throws {
        let wrong = "wrong-credential-7f3b9d2e51"
        secrets.add("wrong credential", wrong)
        let fields: FieldLines = ["Authorization": "Bearer \(wrong)"]
        let refused = try fleet.web.call(.get, "http://\(fleet.issuer.adminAddress)/admin/v1/nodes", fields: fields)
        #expect(refused.status == .unauthorized)
        #expect(try fleet.form("/logout", "", fields: fields).status == .unauthorized)
        let client = "&client_id=\(OperatedFleet.client)&client_secret=\(wrong)"
        #expect(
            try fleet.form("/oauth2/token", "grant_type=refresh_token&refresh_token=x\(client)").status == .unauthorized
        )
        let eve = try fleet.signIn("eve")
        try secrets.add(eve)
        let parts = eve.access.split(separator: ".")
        for forged in [
            "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1])", "\(parts[1]).\(parts[0]).\(parts[2])",
            eve.access + "x", "\(wrong)=", eve.access.replacing(".", with: ". "),
        ] {
            for validator in fleet.validators { #expect(try fleet.decide(forged, at: validator) != .noContent) }
            _ = try fleet.refresh(percentEncoded(forged))
        }
    }

    /// Failures are what is logged most about.
    private func loseRedis(_ fleet: OperatedFleet) throws {
        fleet.redis.kill9()
        _ = try fleet.admin(.post, "/admin/v1/sessions", #"{"sub":"frank"}"#)
        _ = try fleet.admin(.post, "/admin/v1/revocations", #"{"sub":"frank"}"#)
        let isTold = poll { fleet.logs.allSatisfy { $0.text.contains("redis.unreachable") } }
        #expect(isTold)
        fleet.issuer.process.signal(SIGHUP)
        #expect(poll { fleet.issuer.process.output.contains("keys.reload") })
    }

    /// Each line is a JSON object with a name that is documented.
    private func expectLines(_ fleet: OperatedFleet) throws {
        let document = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Logs.md"), as: UTF8.self)
        for (name, text) in fleet.logs {
            for line in text.split(separator: "\n") {
                let bytes = Array(line.utf8)
                let event = try JSONValue(parsing: bytes.span)["event"]?.string
                #expect(event.map { document.contains("| `\($0)` |") } == true, "\(name): \(line)")
            }
        }
    }
}
