import Glibc
import Logging
import Quash
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// Two issuers with one name, an outbox that was lost, copied, damaged or is an old one: none of them may make the
/// recovery believe that everything is there.
@Suite struct IssuerIdentityTests {
    private func problem(of issuer: Issuer, _ name: String = "outbox") -> String? {
        issuer.problems.first { $0.hasPrefix("\(name): ") }
    }

    private func replace(_ outbox: String, at issuer: Int, in fleet: Fleet) throws -> HTTPStatus {
        try fleet.admin(.post, "/admin/v1/recovery", "{\"replace\":\"\(outbox)\"}", at: issuer).status
    }

    private func boundTo(_ fleet: Fleet, at issuer: Int) throws -> String {
        let json = try fleet.admin(.get, "/admin/v1/recovery", at: issuer).json
        guard let outbox = json?["bound_to"]?.string else { throw TestSupportError("not refused: \(json as Any)") }
        return outbox
    }

    private func copy(_ name: String, to copy: String, in fleet: Fleet) throws {
        try fleet.folder.write(copy, bytes: PlainFile.read(path: fleet.folder.path(name), maxBytes: 1 << 20))
    }

    /// Both would count as one when Redis loses its data, and what only one holds would be gone.
    @Test func S2_ofTwoIssuersWithOneNameTheSecondIsNotReady() throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let second = try fleet.addIssuer("issuer", outbox: "second")
        #expect(poll(within: .seconds(20)) { problem(of: second)?.contains("belongs to the issuer with") ?? false })
        #expect(try fleet.revoke("{\"sub\":\"alice\"}", at: 1).status == .serviceUnavailable)
        #expect(try fleet.revoke("{\"sub\":\"alice\"}").status == .created)
        #expect(fleet.issuer.isReady)
        // Whoever registers first after a loss: it is the one that the others know.
        for _ in 0..<3 {
            let pair = try fleet.signIn()
            #expect(try fleet.logout(pair.access, body: "wait=confirmed").status == .ok)
            let epoch = try fleet.epoch()
            try fleet.redis.cli("FLUSHALL")
            #expect(poll(within: .seconds(20)) { (try? fleet.epoch()).map { $0 != epoch } ?? false })
            try fleet.addValidator()
            #expect(poll(within: .seconds(20)) { fleet.validators.allSatisfy(\.isReady) && fleet.issuer.isReady })
            #expect(try fleet.statuses(of: pair.access).allSatisfy { $0 == 401 })
            #expect(problem(of: second) != nil)
        }
    }

    /// The file is gone: the name stays bound to it until an operator says that it will not come back.
    @Test func S5_anIssuerWhoseOutboxIsGoneWaitsForAnOperator() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        fleet.removeIssuer()
        unsafe unlink(fleet.folder.path("outbox-issuer"))
        let log = LogRecorder()
        try fleet.addIssuer("issuer", log: log.logger)
        #expect(poll(within: .seconds(20)) { problem(of: fleet.issuer) != nil })
        #expect(log.lines.all.contains { $0.level == .notice && $0.message.contains("a new outbox was made") })
        #expect(log.lines.all.contains { $0.level == .error && $0.message.contains("may not commit") })
        #expect(try replace("0123456789abcdef", at: 0, in: fleet) == .conflict)
        #expect(try replace(try boundTo(fleet, at: 0), at: 0, in: fleet) == .accepted)
        try fleet.waitUntilReady()
        #expect(try fleet.revoke("{\"sub\":\"alice\"}").status == .created)
    }

    @Test func S2_ofTwoCopiesOfAnOutboxOneIsReady() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        try copy("outbox-issuer", to: "outbox-copy", in: fleet)
        let copied = try fleet.addIssuer("issuer", outbox: "copy")
        #expect(
            poll(within: .seconds(20)) { problem(of: fleet.issuer)?.contains("with a copy of this outbox") ?? false })
        #expect(poll(within: .seconds(20)) { problem(of: copied) == nil })
        #expect(try fleet.revoke("{\"sub\":\"alice\"}").status == .serviceUnavailable)
        #expect(try fleet.revoke("{\"sub\":\"alice\"}", at: 1).status == .created)
        fleet.removeIssuer()
        #expect(try replace(try boundTo(fleet, at: 0), at: 0, in: fleet) == .accepted)
        // The copy took a commit that this one did not.
        try fleet.waitUntilReady()
    }

    /// A backup of the file, a snapshot of the machine: it lacks what was committed since.
    @Test(arguments: ["backup", "bit", "cut"])
    func S5_anOutboxThatLostRecordsIsWaitedForLikeAMissingIssuer(way: String) throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let path = fleet.folder.path("outbox-issuer")
        try copy("outbox-issuer", to: "backup", in: fleet)
        let pair = try fleet.signIn()
        #expect(try fleet.logout(pair.access, body: "wait=confirmed").status == .ok)
        fleet.removeIssuer()
        var bytes = try PlainFile.read(path: path, maxBytes: 1 << 20)
        switch way {
        case "backup": bytes = try PlainFile.read(path: fleet.folder.path("backup"), maxBytes: 1 << 20)
        case "bit": bytes[bytes.count - 60] ^= 1
        default: bytes.removeLast(100)
        }
        try fleet.folder.write("outbox-issuer", bytes: bytes)
        // Of a backup Redis has to say it: it lost what the epoch held, not who had written how much.
        try fleet.redis.cli("DEL", "{quash}:epoch")
        for period in try fleet.redis.cli("KEYS", "{quash}:live:*").split(separator: "\n") {
            try fleet.redis.cli("DEL", String(period))
        }
        let log = LogRecorder()
        try fleet.addIssuer("issuer", log: log.logger)
        func waitingFor() throws -> [String] {
            let json = try fleet.admin(.get, "/admin/v1/recovery").json
            return json?["waiting_for"]?.array?.compactMap(\.string) ?? []
        }
        #expect(try poll(within: .seconds(20)) { try waitingFor() == ["issuer"] })
        #expect(problem(of: fleet.issuer)?.contains("records of the outbox were lost") == true)
        #expect(log.lines.all.contains { $0.level == .error && $0.message.contains("outbox") })
        #expect(try fleet.admin(.post, "/admin/v1/recovery", "{\"without\":[\"issuer\"]}").status == .accepted)
        try fleet.waitUntilReady()
        #expect(log.lines.all.contains { $0.message.contains("was restored from the feed") })
        // It is whole again, and stays so.
        fleet.removeIssuer()
        try fleet.addIssuer("issuer")
        try fleet.waitUntilReady()
    }

    /// While Redis has everything, nothing is lost: the issuer gets it back by itself.
    @Test func anOutboxThatLostRecordsIsRestoredFromAnOpenEpoch() throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        #expect(try fleet.logout(pair.access, body: "wait=confirmed").status == .ok)
        fleet.removeIssuer()
        var bytes = try PlainFile.read(path: fleet.folder.path("outbox-issuer"), maxBytes: 1 << 20)
        bytes[bytes.count - 60] ^= 1
        try fleet.folder.write("outbox-issuer", bytes: bytes)
        try fleet.addIssuer("issuer")
        try fleet.waitUntilReady()
        try fleet.redis.cli("FLUSHALL")
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.allAnswer(401, for: pair.access))
    }

    /// An operator excuses an issuer that is away. When Redis is lost again, an empty outbox of its name is not it.
    @Test func S5_anExcuseDoesNotUnbindTheNameOfAnIssuer() throws {
        let fleet = try Fleet(
            validators: 0, settings: Fleet.shortLease, issuerSettings: ["--issuers", "issuer,second,other"])
        try fleet.addIssuer("second")
        try fleet.addIssuer("other")
        try fleet.waitUntilReady()
        func waitingFor() throws -> [String] {
            let json = try fleet.admin(.get, "/admin/v1/recovery").json
            return json?["waiting_for"]?.array?.compactMap(\.string) ?? []
        }
        fleet.removeIssuer()
        try fleet.redis.cli("FLUSHALL")
        #expect(try poll(within: .seconds(20)) { try waitingFor() == ["other"] })
        #expect(try fleet.admin(.post, "/admin/v1/recovery", "{\"without\":[\"other\"]}").status == .accepted)
        try fleet.waitUntilReady()
        // A confirmation ends with a look at who is registered now.
        for issuer in 0...1 {
            let revoked = try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\"}", at: issuer)
            #expect(revoked.status == .created)
        }
        try fleet.redis.cli("FLUSHALL")
        try fleet.addIssuer("other", outbox: "fresh")
        #expect(try poll(within: .seconds(20)) { try fleet.redis.cli("HEXISTS", "{quash}:restored", "other") == "1" })
        #expect(try poll(within: .seconds(20)) { try waitingFor() == ["other"] })
        #expect(try fleet.redis.cli("GET", "{quash}:epoch").contains("restoring"))
    }

    /// Somebody writes lines that are none of an issuer.
    @Test func junkAmongTheIssuersKeepsNobodyOut() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        fleet.removeIssuer()
        try fleet.redis.cli("HSET", "{quash}:issuers", "junk", "ab 0 issuer", "0123456789abcdef", "junk")
        try fleet.addIssuer("issuer")
        try fleet.waitUntilReady()
        #expect(try fleet.redis.cli("HLEN", "{quash}:issuers") == "1")
    }
}
