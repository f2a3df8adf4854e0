import Glibc
import Quash
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// Redis loses its data, and the issuers' outboxes bring it back before anybody may accept a token again.
@Suite struct RestoreTests {
    private static let names = ["--issuers", "issuer,other"]

    /// The tokens of as many sessions that were ended.
    private func revoked(_ count: Int, in fleet: Fleet) throws -> [String] {
        try (0..<count).map { number in
            let pair = try fleet.signIn("user-\(number)")
            #expect(try fleet.logout(pair.access).status == .ok)
            return pair.access
        }
    }

    private func waitingFor(_ fleet: Fleet, at issuer: Int = 0) throws -> [String] {
        let json = try fleet.admin(.get, "/admin/v1/recovery", at: issuer).json
        return json?["waiting_for"]?.array?.compactMap(\.string) ?? []
    }

    /// Neither a validator that was there nor one that starts now accepts what was revoked.
    @Test(arguments: ["restart", "flushall"])
    func S2_theTotalLossOfTheDataRevivesNothing(way: String) throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let tokens = try revoked(20, in: fleet)
        let good = try fleet.signIn("bob")
        let epoch = try fleet.epoch()
        if way == "restart" {
            try fleet.redis.restart(withoutData: true)
        } else {
            try fleet.redis.cli("FLUSHALL")
        }
        #expect(poll(within: .seconds(20)) { (try? fleet.epoch()).map { $0 != epoch } ?? false })
        try fleet.addValidator()
        try fleet.waitUntilReady()
        for token in tokens { #expect(try fleet.statuses(of: token) == [401, 401]) }
        #expect(try fleet.statuses(of: good.access) == [204, 204])
    }

    /// Neither would wait for the other when Redis loses its data. So the second does not become ready, and the first
    /// says that there is another.
    @Test func S2_anIssuerThatIsNotNamedDoesNotBecomeReady() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let other = try fleet.addIssuer("other")
        let problem = "issuers: issuer writes to this feed too: name all in the setting issuers of each"
        #expect(poll(within: .seconds(20)) { other.problems == [problem] })
        func metrics() throws -> String { try fleet.web.call(.get, "\(fleet.adminURL)/metrics").text }
        #expect(try poll { try metrics().contains("\nquash_issuers_unnamed 1\n") })
        #expect(fleet.issuer.isReady)
        fleet.removeIssuer()
        #expect(try poll { try metrics().contains("\nquash_issuers_unnamed 0\n") })
        let third = try fleet.addIssuer("third", ["--issuers", "issuer,third"])
        #expect(poll(within: .seconds(20)) { third.isReady })
        // It was ready when the other came: to the first, that is no reason to stop.
        #expect(try poll { try metrics().contains("\nquash_issuers_unnamed 1\n") })
        #expect(fleet.issuer.isReady)
    }

    /// Each of them looks after it stands in the registry itself. So whoever comes there second finds the other.
    @Test(arguments: 0..<3)
    func S2_ofTwoIssuersThatStartAtOnceAndAreNotNamedOneIsNotReady(round: Int) throws {
        let fleet = try Fleet(validators: 0)
        let other = try fleet.addIssuer("other")
        func hasFound(_ issuer: Issuer) throws -> Bool {
            let page = try fleet.web.call(.get, "http://\(issuer.adminAddresses[0])/metrics").text
            return page.contains("\nquash_issuers_unnamed 1\n")
        }
        var ready: [Bool] = []
        let haveBoth = try poll(within: .seconds(20)) {
            ready = [fleet.issuer.isReady, other.isReady]
            return try hasFound(fleet.issuer) && hasFound(other)
        }
        #expect(haveBoth && ready != [true, true])
    }

    /// It is in the outbox, and was never answered as stored: it comes to the feed without anybody's help.
    @Test func whatRedisDidNotTakeIsCommittedLater() throws {
        let fleet = try Fleet(validators: 1, redis: Fleet.durableRedis, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let id = try fleet.identifier(of: pair.access)
        fleet.redis.kill9()
        #expect(try fleet.revoke("{\"jti\":\"\(id)\"}").status == .serviceUnavailable)
        try fleet.redis.restart()
        #expect(try fleet.allAnswer(401, for: pair.access, within: .seconds(20)))
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: pair.access) == [401, 401])
    }

    /// The process ends between the disk and Redis: the next one goes on where it stopped.
    @Test func anIssuerThatStartsCommitsWhatItsOutboxHolds() throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let other = try fleet.signIn("bob")
        let outbox = try Outbox(path: fleet.folder.path("outbox-other"), issuer: "other", log: Fleet.silent)
        let isDurable = Recorder<Bool>()
        let id = try fleet.identifier(of: pair.access)
        let expiry = UInt32(ClockReading.now().wall.seconds + 900)
        outbox.append([Revocation(key: .token(id), expiresAtSeconds: expiry)]) { isDurable.record($0 != nil) }
        #expect(try isDurable.wait(count: 1) == [true])
        outbox.close()
        #expect(try fleet.statuses(of: pair.access) == [204])
        try fleet.addIssuer("other")
        #expect(try fleet.allAnswer(401, for: pair.access))
        #expect(try fleet.statuses(of: other.access) == [204])
    }

    /// Redis is well, and still it is not taken: it would be gone with Redis.
    @Test func S5_whatIsNotOnTheDiskIsNotCommitted() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease, issuerSettings: Self.names)
        let disk = fleet.folder.path("outbox-disk")
        unsafe mkdir(disk, 0o700)
        guard unsafe mount("tmpfs", disk, "tmpfs", 0, "size=64k") == 0 else {
            print("skipped: a full disk needs the right to mount one")
            return
        }
        defer { unsafe umount2(disk, Int32(MNT_DETACH)) }
        try fleet.addIssuer("other", outbox: "disk/file")
        try fleet.waitUntilReady()
        let head = try #require(try fleet.registry()).head
        try fleet.folder.write("outbox-disk/filler", bytes: [UInt8](repeating: 0, count: 56_000))
        let names = (0..<1000).map { "\"user-\($0)\"" }.joined(separator: ",")
        #expect(try fleet.revoke("{\"jti\":[\(names)]}", at: 1).status == .serviceUnavailable)
        let taken = try #require(try fleet.registry()).head.sequence - head.sequence
        #expect(taken < 10, "of ten commits")
        #expect(try fleet.revoke("{\"jti\":[\(names)]}").status == .created)
    }

    /// What only the issuer that is down can have is worth the wait: nobody is granted a lease without it.
    @Test func S5_anIssuerThatIsDownIsWaitedFor() throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease, issuerSettings: Self.names)
        #expect(poll { (try? waitingFor(fleet)) == ["other"] })
        try fleet.addIssuer("other")
        try fleet.waitUntilReady()
        let good = try fleet.signIn("bob")
        let pair = try fleet.signIn("alice")
        let id = try fleet.identifier(of: pair.access)
        // Taken by the other issuer alone: Redis is gone before it has it.
        fleet.redis.kill9()
        #expect(try fleet.revoke("{\"jti\":\"\(id)\"}", at: 1).status == .serviceUnavailable)
        fleet.removeIssuer()
        try fleet.redis.restart(withoutData: true)
        #expect(poll(within: .seconds(20)) { (try? waitingFor(fleet)) == ["other"] })
        #expect(try fleet.allAnswer(503, for: good.access))
        #expect(try !fleet.holdsLease(at: 0))
        try fleet.addIssuer("other")
        try fleet.waitUntilReady()
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: pair.access) == [401, 401])
        #expect(try fleet.statuses(of: good.access) == [204, 204])
    }

    /// Each mirrors the whole feed, so one that is left restores what the other took.
    @Test func S5_oneIssuerIsEnoughOnceAnOperatorSaysSo() throws {
        let fleet = try Fleet(validators: 1, settings: Fleet.shortLease, issuerSettings: Self.names)
        try fleet.addIssuer("other")
        try fleet.waitUntilReady()
        let pair = try fleet.signIn("alice")
        let good = try fleet.signIn("bob")
        let id = try fleet.identifier(of: pair.access)
        let response = try fleet.revoke("{\"jti\":\"\(id)\",\"wait\":\"confirmed\"}", at: 1)
        #expect(response.status == .created)
        // The issuer that took it is gone for good, with its disk.
        fleet.removeIssuer()
        try fleet.redis.restart(withoutData: true)
        #expect(poll(within: .seconds(20)) { (try? waitingFor(fleet)) == ["other"] })
        let wrong = try fleet.admin(.post, "/admin/v1/recovery", "{\"without\":\"nobody\"}")
        #expect(wrong.status == .conflict)
        #expect(try fleet.admin(.post, "/admin/v1/recovery", "{\"without\":\"other\"}").status == .accepted)
        try fleet.waitUntilReady()
        try fleet.addValidator()
        try fleet.waitUntilReady()
        #expect(try fleet.statuses(of: pair.access) == [401, 401])
        #expect(try fleet.statuses(of: good.access) == [204, 204])
        let none = try fleet.admin(.post, "/admin/v1/recovery", "{\"without\":\"other\"}")
        #expect(none.status == .conflict)
    }
}
