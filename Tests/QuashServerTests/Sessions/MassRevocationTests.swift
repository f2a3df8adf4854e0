import Quash
import QuashCrypto
import QuashHTTP
import QuashJWT
import QuashRedis
import TestSupport
import Testing

@testable import QuashServer

/// Many at a time, with a Redis that is well: nothing may be refused for want of a place in some queue.
@Suite(.serialized) struct MassRevocationTests {
    private func names(_ count: Int) -> [String] { (0..<count).map { "subject-\($0)" } }

    private func list(_ names: [String]) -> String { names.map { "\"\($0)\"" }.joined(separator: ",") }

    @Test func everySessionOfTenThousandSubjectsIsEndedByOneRequest() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let subjects = names(10_000)
        let sessions = try fleet.seedSessions(of: subjects, each: 3)
        let response = try fleet.revoke("{\"sub\":[\(list(subjects))]}", within: .seconds(120))
        #expect(response.status == .created, "\(response.text)")
        let revoked = try fleet.revokedKeys()
        #expect(subjects.allSatisfy { revoked.contains(.subject($0)) })
        #expect(sessions.allSatisfy { revoked.contains(.session($0)) })
        #expect(try fleet.endedSessions() == 30_000)
        // A retry has nothing to do but to say so.
        #expect(try fleet.revoke("{\"sub\":[\(list(subjects))]}", within: .seconds(120)).status == .created)
    }

    /// The first attempt ends the sessions in Redis, and fails when it has published a part.
    @Test(arguments: [nil, "key"])
    func aRetryPublishesWhatTheFirstAttemptEnded(idempotencyKey: String?) throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let subjects = names(120)
        let sessions = try fleet.seedSessions(of: subjects, each: 3)
        let fields: FieldLines = idempotencyKey.map { ["Idempotency-Key": $0] } ?? [:]
        try fleet.redis.cli("ACL", "SETUSER", "default", "-xadd")
        #expect(try fleet.revoke("{\"sub\":[\(list(subjects))]}", fields: fields).status == .serviceUnavailable)
        #expect(try fleet.endedSessions() == 360)
        // Whoever looks at the sessions meanwhile takes none away.
        #expect(try fleet.sessions(of: subjects[0]).isEmpty)
        try fleet.redis.cli("ACL", "SETUSER", "default", "+xadd")
        let isStored = try poll(within: .seconds(20)) {
            try fleet.revoke("{\"sub\":[\(list(subjects))]}", fields: fields).status == .created
        }
        #expect(isStored)
        let revoked = try fleet.revokedKeys()
        #expect(subjects.allSatisfy { revoked.contains(.subject($0)) })
        #expect(sessions.allSatisfy { revoked.contains(.session($0)) })
    }

    @Test func aRetryOfOneThatWasStoredIsAnsweredAsTheFirst() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let subjects = names(120)
        try fleet.seedSessions(of: subjects, each: 1)
        func ask() throws -> HTTPResponse {
            try fleet.revoke("{\"sub\":[\(list(subjects))]}", fields: ["Idempotency-Key": "key"])
        }
        let first = try ask()
        #expect(first.status == .created)
        #expect(try ask().text == first.text)
        // What signed in since then and is found by a retry is ended and published, too, and not only the former.
        let later = try fleet.signIn(subjects[0])
        #expect(try ask().text == first.text)
        #expect(try fleet.refresh(later.refresh).isInvalidGrant)
        #expect(try fleet.revokedKeys().contains(.session(later.session)))
    }

    @Test func fiveThousandLogoutsAtTheSameTimeAreAllStored() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let answers = try fleet.logoutAtOnce(5_000)
        #expect(answers == [200: 5_000])
        #expect(try fleet.revokedKeys().count == 5_000)
    }

    /// What a mass revocation has under way does not come before everything of others.
    @Test func othersAreServedDuringAMassRevocation() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        let subjects = names(5_000)
        try fleet.seedSessions(of: subjects, each: 3)
        let pair = try fleet.signIn("alice")
        let done = Recorder<Int>()
        let body = "{\"sub\":[\(list(subjects))]}"
        let (url, bearer) = ("\(fleet.adminURL)/admin/v1/revocations", "Bearer \(Fleet.adminToken)")
        let web = fleet.web
        let thread = TestThread {
            let response = try? web.call(
                .post, url, fields: ["Authorization": bearer], body: body, timeout: .seconds(120))
            done.record(response?.status.code ?? 0)
        }
        // It has begun, and is not over.
        #expect(try poll(within: .seconds(60)) { try fleet.endedSessions() > 0 })
        let response = try fleet.logout(pair.access)
        #expect(response.status == .ok)
        #expect(done.all.isEmpty, "the other ended before this one was served")
        thread.join()
        #expect(done.all == [201])
    }
}

extension Fleet {
    fileprivate func revoke(_ body: String, within timeout: Duration) throws -> HTTPResponse {
        try web.call(
            .post, "\(adminURL)/admin/v1/revocations", fields: ["Authorization": "Bearer \(Self.adminToken)"],
            body: body,
            timeout: timeout)
    }

    /// Sessions as sign-ins would have left them, without the tokens; gives their names.
    @discardableResult
    fileprivate func seedSessions(of subjects: [String], each count: Int) throws -> [String] {
        let now = ClockReading.now().wall
        let lifetimes = SessionRecord.Lifetimes(access: .seconds(900), refresh: .seconds(86_400))
        var commands: [RedisCommand] = []
        var names: [String] = []
        for subject in subjects {
            let record = SessionRecord(
                subject: subject, client: nil, scope: nil, audience: [], created: now, lifetimes: lifetimes, keyID: "k")
            let fields = record.fields.flatMap { [$0.name, $0.value] }.map { Array($0.utf8) }
            let digest = Base64URL.encode(SHA256.digest(of: Array(subject.utf8).span).span)
            for _ in 0..<count {
                let session = SessionID.random().description
                names.append(session)
                commands.append(RedisCommand([Array("HSET".utf8), Array("quash:session:{\(session)}".utf8)] + fields))
                let expiry = "\((now + lifetimes.refresh).milliseconds)"
                commands.append(RedisCommand("ZADD", "quash:subject:{\(digest)}", expiry, session))
            }
        }
        let (caller, replies, sent) = (try RedisCaller(redis), Recorder<Bool>(), commands)
        caller.run { client in
            for command in sent {
                client.send(command, timeout: .seconds(30)) { result in
                    replies.record((try? result.get()) != nil)
                }
            }
        }
        guard try replies.wait(count: sent.count, within: .seconds(60)).allSatisfy(\.self) else {
            throw TestSupportError("the sessions cannot be written")
        }
        return names
    }

    /// Sessions that are marked as ended in Redis.
    fileprivate func endedSessions() throws -> Int {
        let script = """
            local ended = 0
            for _, key in ipairs(redis.call('KEYS', 'quash:session:*')) do
              ended = ended + redis.call('HEXISTS', key, 'ended')
            end
            return ended
            """
        return Int(try redis.cli("EVAL", script, "0")) ?? 0
    }

    /// What the log of the feed names.
    fileprivate func revokedKeys() throws -> Set<RevocationKey> {
        let caller = try RedisCaller(redis)
        var keys: Set<RevocationKey> = []
        var start = "-"
        while true {
            let entries = try caller.call("XRANGE", "{quash}:log", start, "+", "COUNT", "500").elements ?? []
            for entry in entries {
                let bytes = entry.elements?[1].elements?[1].bytes ?? []
                for revocation in try RevocationCodec.decode(bytes) { keys.insert(revocation.key) }
            }
            guard entries.count == 500, let last = entries.last?.elements?[0].text else { return keys }
            start = "(\(last)"
        }
    }

    /// Logouts of so many sessions, sixteen on each connection, and how often each status was answered.
    fileprivate func logoutAtOnce(_ count: Int) throws -> [Int: Int] {
        let forge = try TokenForge()
        let requests = try (0..<count).map { _ in
            var claims = forge.claims
            claims.id =
                TokenID(
                    session: .random(), issuedAtMilliseconds: ClockReading.now().wall.milliseconds
                ).description
            let token = try forge.token(header: forge.header(), claims: claims)
            return "POST /logout HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\nContent-Length: 0\r\n\r\n"
        }
        guard let port = issuer.addresses[0].split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw TestSupportError("the issuer has no port")
        }
        let clients = try stride(from: 0, to: count, by: 16).map { first in
            let client = try RawClient(port: port)
            client.send(requests[first..<min(first + 16, count)].joined())
            return client
        }
        var statuses: [Int: Int] = [:]
        for (number, client) in clients.enumerated() {
            let expected = min(16, count - 16 * number)
            let text = client.read { $0.ranges(of: "HTTP/1.1 ").count == expected }
            for range in text.ranges(of: "HTTP/1.1 ") {
                statuses[Int(text[range.upperBound...].prefix(3)) ?? 0, default: 0] += 1
            }
        }
        return statuses
    }
}
