import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
import TestSupport
import Testing

@testable import QuashServer

@Suite("POST /admin/v1/revocations", .sharedFleet) struct AdminRevocationTests {
    private func tokenID(_ token: String) throws -> String {
        try #require(try Fleet.current.introspect(token).json?["jti"]?.string)
    }

    /// The receipt of a revocation that is stored.
    private func receipt(_ body: String, key: String? = nil) throws -> JSONValue {
        let fields: FieldLines = key.map { ["Idempotency-Key": $0] } ?? [:]
        let response = try Fleet.current.revoke(body, fields: fields)
        #expect(response.status == .created, "\(response.text)")
        return try #require(response.json)
    }

    @Test("One token by its jti, and no other of the session")
    func byToken() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("heidi")
        let next = try #require(try fleet.refresh(pair.refresh).json?["access_token"]?.string)
        let receipt = try receipt(#"{"jti":"\#(try tokenID(pair.access))","reason":"lost"}"#)
        #expect(receipt.object?.members.map(\.name) == ["epoch", "seq", "status"])
        #expect(receipt["status"]?.string == "stored")
        #expect(try fleet.allAnswer(401, for: pair.access))
        #expect(try fleet.decide(next).status == .noContent)
    }

    @Test("A session, its refresh tokens too")
    func bySession() throws {
        let fleet = try Fleet.current
        let (pair, other) = (try fleet.signIn("ivan"), try fleet.signIn("ivan"))
        _ = try receipt(#"{"session":"\#(pair.session)"}"#)
        #expect(try fleet.allAnswer(401, for: pair.access))
        try fleet.refresh(pair.refresh).expectError("invalid_grant")
        #expect(try fleet.decide(other.access).status == .noContent)
    }

    @Test("A subject, until now: a later sign-in is good")
    func bySubject() throws {
        let fleet = try Fleet.current
        let pairs = [try fleet.signIn("judy"), try fleet.signIn("judy")]
        let other = try fleet.signIn("judith")
        _ = try receipt(#"{"sub":"judy"}"#)
        let later = try fleet.signIn("judy")
        for pair in pairs {
            #expect(try fleet.allAnswer(401, for: pair.access))
            try fleet.refresh(pair.refresh).expectError("invalid_grant")
        }
        #expect(try fleet.decide(later.access).status == .noContent)
        #expect(try fleet.decide(other.access).status == .noContent)
    }

    @Test("A client, until now")
    func byClient() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("ken", more: #","client_id":"a phone""#)
        let other = try fleet.signIn("ken", more: #","client_id":"a tablet""#)
        _ = try receipt(#"{"client_id":"a phone"}"#)
        #expect(try fleet.allAnswer(401, for: pair.access))
        #expect(try fleet.decide(other.access).status == .noContent)
        let later = try fleet.signIn("ken", more: #","client_id":"a phone""#)
        #expect(try fleet.decide(later.access).status == .noContent)
    }

    @Test("A list of identifiers is one revocation")
    func byList() throws {
        let fleet = try Fleet.current
        let pairs = try (0..<3).map { try fleet.signIn("leo-\($0)") }
        let list = try pairs.map { "\"\(try tokenID($0.access))\"" }.joined(separator: ",")
        _ = try receipt(#"{"jti":[\#(list)]}"#)
        for pair in pairs { #expect(try fleet.allAnswer(401, for: pair.access)) }
        // More than one commit holds: the last of them counts too.
        let last = try fleet.signIn("leo-last")
        let many = (0..<250).map { "\"leo-many-\($0)\"" }.joined(separator: ",")
        _ = try receipt(#"{"sub":[\#(many),"leo-last"]}"#)
        #expect(try fleet.allAnswer(401, for: last.access))
    }

    @Test("issued_before in seconds and as RFC 3339: what was issued later stays valid")
    func issuedBefore() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("mia")
        let now = ClockReading.now().wall
        for bound in ["\(now.seconds - 60)", "\"\(WallInstant(seconds: now.seconds - 60))\""] {
            let receipt = try receipt(#"{"sub":"mia","issued_before":\#(bound)}"#)
            try fleet.waitUntilApplied(try #require(FeedPosition(receipt: receipt)))
            #expect(try fleet.decide(pair.access).status == .noContent)
        }
        let bounds: [@Sendable (WallInstant) -> String] = [{ "\($0.seconds + 1)" }, { "\"\($0)\"" }]
        for bound in bounds.reversed() {
            let pair = try fleet.signIn("mia")
            // Now, to the millisecond, or the start of the next second, which a clock a little ahead would say. What is
            // issued after that is dated later.
            _ = try receipt(#"{"sub":"mia","issued_before":\#(bound(ClockReading.now().wall))}"#)
            #expect(try fleet.allAnswer(401, for: pair.access))
        }
        #expect(try fleet.decide(try fleet.signIn("mia").access).status == .noContent)
    }

    @Test(
        "RFC 9457: a bad body is one problem that names the member",
        arguments: [
            ("", "JSON"), ("[]", "object"), ("{}", "exactly one"), (#"{"jti":"a","sub":"b"}"#, "exactly one"),
            (#"{"reason":"x"}"#, "exactly one"), (#"{"subject":"a"}"#, "subject"),
            (#"{"jti":""}"#, "jti"), (#"{"jti":[]}"#, "jti"), (#"{"jti":[1]}"#, "jti"), (#"{"jti":null}"#, "jti"),
            (#"{"session":{}}"#, "session"), (#"{"sub":true}"#, "sub"), (#"{"client_id":1}"#, "client_id"),
            (#"{"kid":"\u0007"}"#, "kid"), (#"{"all":false}"#, "all"), (#"{"all":"true"}"#, "all"),
            (#"{"all":1}"#, "all"), (#"{"sub":"a","issued_before":"yesterday"}"#, "issued_before"),
            (#"{"sub":"a","issued_before":-1}"#, "issued_before"),
            (#"{"sub":"a","issued_before":1.5}"#, "issued_before"),
            (#"{"jti":"a","issued_before":1}"#, "issued_before"), (#"{"sub":"a","reason":1}"#, "reason"),
            (#"{"sub":"a","wait":"maybe"}"#, "wait"), (#"{"sub":"a","wait":true}"#, "wait"),
            (#"{"sub":"a","timeout":5}"#, "timeout"), (#"{"sub":"a","timeout":"soon"}"#, "timeout"),
        ])
    func aBadBodyIsOneProblem(body: String, member: String) throws {
        try Fleet.current.revoke(body).expectProblem(400, naming: member)
    }

    @Test("What is too long is named, and what is too much altogether is 413")
    func limitsAreNamed() throws {
        let fleet = try Fleet.current
        let many = (0...AdminEndpoints.maxIdentifiers).map { "\"s\($0)\"" }.joined(separator: ",")
        try fleet.revoke(#"{"sub":[\#(many)]}"#).expectProblem(400, naming: "sub")
        let long = String(repeating: "x", count: 257)
        try fleet.revoke(#"{"sub":"a","reason":"\#(long)"}"#).expectProblem(400, naming: "reason")
        let huge = String(repeating: "x", count: AdminEndpoints.maxRevocationBytes)
        #expect(try fleet.revoke(#"{"sub":"\#(huge)"}"#).status == .contentTooLarge)
        // As much is kept for nothing else, and for nobody else.
        let large = #"{"sub":"\#(huge.prefix(AdminEndpoints.maxBodyBytes))"}"#
        #expect(try fleet.revoke(large).status == .badRequest)
        #expect(try fleet.admin(.post, "/admin/v1/sessions", large).status == .contentTooLarge)
        for body in [large, #"{"sub":"a"}"#] {
            let response = try fleet.web.call(.post, "\(fleet.adminURL)/admin/v1/revocations", body: body)
            #expect(response.status == .unauthorized)
        }
    }

    @Test("issued_before in the future is refused: it would have later tokens issued at that time")
    func issuedBeforeIsNotInTheFuture() throws {
        let fleet = try Fleet.current
        let now = ClockReading.now().wall.seconds
        for bound in [now + 3600, now * 1000, 1 << 40] {
            try fleet.revoke(#"{"sub":"niaj","issued_before":\#(bound)}"#).expectProblem(400, naming: "issued_before")
        }
        try fleet.revoke(#"{"all":true,"issued_before":"9999-12-31T23:59:59Z"}"#)
            .expectProblem(400, naming: "issued_before")
        let issued = try #require(try fleet.introspect(try fleet.signIn("niaj").access).json?["iat"]?.integer)
        #expect(abs(issued - now) < 30)
    }

    @Test("A retry with its Idempotency-Key is answered as the first was, whatever is revoked")
    func aRetryIsAnsweredAsTheFirst() throws {
        let session = try Fleet.current.signIn("peggy").session
        for (number, body) in [
            #"{"jti":"x"}"#, #"{"session":"\#(session)"}"#, #"{"session":"foreign"}"#, #"{"sub":"peggy"}"#,
            #"{"sub":["peggy","p"]}"#, #"{"client_id":"x"}"#, #"{"sub":"peggy","issued_before":1}"#,
        ].enumerated() {
            let first = try receipt(body, key: "key-\(number)")
            #expect(try receipt(body, key: "key-\(number)") == first, "\(body)")
            #expect(try receipt(body, key: "other-\(number)") != first, "\(body)")
            #expect(try receipt(body) != first, "\(body)")
        }
    }

    @Test("An Idempotency-Key does not make one revocation pass for another")
    func aKeyIsOfOneBody() throws {
        let fleet = try Fleet.current
        let pair = try fleet.signIn("quentin")
        let first = try receipt(#"{"sub":"somebody else"}"#, key: "shared")
        #expect(try receipt(#"{"sub":"quentin"}"#, key: "shared") != first)
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    @Test("An Idempotency-Key is 1 to 64 visible characters, once", arguments: ["", "a b", "é", "0-63+"])
    func badKeysAreProblems(key: String) throws {
        let value = key == "0-63+" ? String(repeating: "0", count: 65) : key
        let fleet = try Fleet.current
        try fleet.revoke(#"{"sub":"r"}"#, fields: ["Idempotency-Key": value])
            .expectProblem(400, naming: "Idempotency-Key")
        var twice: FieldLines = ["Idempotency-Key": "a"]
        twice.append("Idempotency-Key", "a")
        try fleet.revoke(#"{"sub":"r"}"#, fields: twice).expectProblem(400, naming: "Idempotency-Key")
    }
}

/// What revokes everybody's tokens has a fleet of its own.
@Suite("POST /admin/v1/revocations of all") struct WholesaleRevocationTests {
    @Test("Everything: until now, and no later sign-in; a key by its kid: for good, for who stole it writes any time")
    func everythingAndByKey() throws {
        let fleet = try Fleet()
        try fleet.waitUntilReady()
        let key = try TokenForge().keyID
        for (body, isForGood) in [(#"{"all":true}"#, false), (#"{"kid":"\#(key)"}"#, true)] {
            let pair = try fleet.signIn()
            #expect(try fleet.revoke(#"{"kid":"another"}"#).status == .created)
            #expect(try fleet.decide(pair.access).status == .noContent)
            #expect(try fleet.revoke(body).status == .created)
            #expect(try fleet.allAnswer(401, for: pair.access))
            #expect(try poll { try fleet.refresh(pair.refresh).json?["error"]?.string == "invalid_grant" })
            #expect(try fleet.allAnswer(isForGood ? 401 : 204, for: try fleet.signIn().access))
        }
    }
}
