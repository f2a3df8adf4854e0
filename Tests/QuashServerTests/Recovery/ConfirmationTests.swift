import Quash
import QuashHTTP
import QuashJSON
import QuashLoop
import TestSupport
import Testing

@testable import QuashServer

/// `wait=confirmed`: answered as done only when no validator accepts any more what was revoked.
@Suite struct ConfirmationTests {
    /// What a receipt says of each node, by node id.
    private func states(_ response: HTTPResponse) throws -> [String: String] {
        let nodes = try #require(response.json?["nodes"]?.array)
        return Dictionary(
            try nodes.map { node in
                let name = try #require(node["node"]?.string)
                return (String(name.prefix { $0 != "/" }), try #require(node["state"]?.string))
            }, uniquingKeysWith: { "\($0), \($1)" })
    }

    /// A fleet that has been able to confirm before: the leases of an epoch before its own have ended.
    private func confirming(
        _ validators: [String], settings: [String] = Fleet.shortLease, redis: RedisServer.Options = .init()
    ) throws -> Fleet {
        let fleet = try Fleet(validators: 0, redis: redis, settings: settings)
        for name in validators { try fleet.addValidator(["--node-id", name]) }
        try fleet.waitUntilReady()
        #expect(try fleet.revoke("{\"jti\":\"x\",\"wait\":\"confirmed\",\"timeout\":\"60s\"}").status == .created)
        return fleet
    }

    @Test func S1_whatIsConfirmedIsRefusedEverywhereAtThatMoment() throws {
        let fleet = try confirming(["a", "b", "c"])
        for _ in 0..<20 {
            let pair = try fleet.signIn("alice")
            #expect(try fleet.statuses(of: pair.access) == [204, 204, 204])
            let response = try fleet.logout(pair.access, body: "wait=confirmed")
            #expect(response.status == .ok)
            #expect(response.json?["status"]?.string == "confirmed")
            #expect(response.json?["nodes"] == nil, "a client learns nothing of the fleet")
            // Not polled: confirmed means now.
            #expect(try fleet.statuses(of: pair.access) == [401, 401, 401])
        }
    }

    @Test func aReceiptNamesWhoHasAppliedIt() throws {
        let fleet = try confirming(["a", "b"])
        let response = try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\"}")
        #expect(response.status == .created)
        #expect(response.json?["status"]?.string == "confirmed")
        #expect(try states(response) == ["a": "applied", "b": "applied", "issuer:issuer": "applied"])
        let position = try #require(response.json.flatMap(FeedPosition.init(receipt:)))
        let path = "/admin/v1/revocations/\(position.epoch)/\(position.sequence)"
        let receipt = try fleet.admin(.get, path)
        #expect(try states(receipt) == states(response))
        let times = try #require(receipt.json?["nodes"]?.array).compactMap { $0["at"]?.string }
        #expect(times.count == 3 && times.allSatisfy { WallInstant($0) != nil })
        for wrong in ["\(position.epoch)/\(position.sequence + 1)", "\(position.epoch)/0", "00000000000000aa/1"] {
            #expect(try fleet.admin(.get, "/admin/v1/revocations/\(wrong)").status == .notFound)
        }
        // One that was only stored is followed too.
        let stored = try #require(try fleet.revoke("{\"sub\":\"bob\"}").json.flatMap(FeedPosition.init(receipt:)))
        let isApplied = try poll {
            let answer = try fleet.admin(.get, "/admin/v1/revocations/\(stored.epoch)/\(stored.sequence)")
            return try states(answer).values.allSatisfy { $0 == "applied" }
        }
        #expect(isApplied)
    }

    /// A node that holds a lease and says nothing: whatever else is well, it may still accept.
    @Test func S1_aSilentNodeIsWaitedForUntilItsLeaseHasEnded() throws {
        let fleet = try confirming(["a"])
        let now = ClockReading.now().wall.milliseconds
        try fleet.redis.cli("HSET", "{quash}:nodes", "silent/1", "0 \(now) 2000 test")
        let quick = try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\",\"timeout\":\"50ms\"}")
        #expect(quick.status == .accepted)
        #expect(quick.json?["status"]?.string == "unconfirmed")
        #expect(try states(quick)["silent"] == "pending")
        let begun = ContinuousClock.now
        try fleet.redis.cli("HSET", "{quash}:nodes", "silent/1", "0 \(now + 1) 2000 test")
        let response = try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\",\"timeout\":\"60s\"}")
        #expect(response.status == .created)
        #expect(ContinuousClock.now - begun >= .seconds(2))
        #expect(
            try states(response) == ["a": "applied", "issuer:issuer": "applied", "silent": "lease ended"])
    }

    /// That the issuer knows of it says nothing of the others.
    @Test func S1_whatHasEndedBeforeIsWaitedForToo() throws {
        let fleet = try confirming(["a"])
        let pair = try fleet.signIn()
        let now = ClockReading.now().wall.milliseconds
        for attempt in 0..<2 {
            try fleet.redis.cli("HSET", "{quash}:nodes", "silent/1", "0 \(now + Int64(attempt)) 2000 test")
            let response = try fleet.logout(pair.access, body: "wait=confirmed&timeout=50ms")
            #expect(response.json?["status"]?.string == "unconfirmed")
            #expect(try fleet.allAnswer(401, for: pair.access))
        }
    }

    /// What was stored is restored into the next epoch, and may be applied nowhere yet.
    @Test func S1_theEndOfTheEpochIsNoConfirmation() throws {
        // So long a lease that nothing is confirmed before the test ends.
        let fleet = try Fleet(validators: 0, settings: ["--lease", "60s", "--renew-interval", "500ms"])
        try fleet.waitUntilReady()
        let epoch = try fleet.epoch()
        let url = try HTTPURL(fleet.adminURL + "/admin/v1/revocations")
        let request = HTTPClient.Request(
            .post, url, fields: ["Authorization": "Bearer \(Fleet.adminToken)"],
            body: Array("{\"sub\":\"alice\",\"wait\":\"confirmed\",\"timeout\":\"60s\"}".utf8), timeout: .seconds(60))
        let responses = Recorder<Result<HTTPResponse, HTTPError>>()
        let thread = try LoopThread(name: "test-confirmation")
        defer {
            thread.stop()
            thread.join()
        }
        thread.submit { loop in HTTPClient(on: loop).send(request) { responses.record($0) } }
        #expect(poll { (try? fleet.registry())??.head.sequence == 1 })
        try fleet.redis.cli("FLUSHALL")
        let response = try responses.wait(count: 1, within: .seconds(30))[0].get()
        #expect(response.status == .accepted)
        #expect(response.json?["status"]?.string == "unconfirmed")
        #expect(try fleet.epoch() != epoch)
    }

    /// Its lease of a minute is given back with the process.
    @Test func aNodeThatLeavesIsNotWaitedFor() throws {
        let fleet = try Fleet(validators: 0, settings: Fleet.shortLease)
        for name in ["a", "b"] { try fleet.addValidator(["--node-id", name]) }
        try fleet.waitUntilReady()
        fleet.removeValidator()
        let response = try fleet.revoke("{\"sub\":\"alice\",\"wait\":\"confirmed\",\"timeout\":\"60s\"}")
        #expect(try states(response) == ["a": "applied", "issuer:issuer": "applied"])
    }

    /// The messages are lost: then the renewals tell, and it takes a little longer.
    @Test func withoutAnyMessageItIsConfirmedByTheRegistry() throws {
        let users = [
            "user mute on nopass ~* resetchannels &nothing +@all",
            "user default on nopass ~* &* +@all",
        ]
        let fleet = try Fleet(
            validators: 2, redis: RedisServer.Options(users: users), settings: Fleet.shortLease, validatorUser: "mute:x"
        )
        // Subscribing is refused to them, and still they are ready.
        try fleet.waitUntilReady()
        let pair = try fleet.signIn()
        let response = try fleet.logout(pair.access, body: "wait=confirmed&timeout=60s")
        #expect(response.json?["status"]?.string == "confirmed")
        #expect(try fleet.statuses(of: pair.access) == [401, 401])
    }

    /// Whoever may write one line there can spoil only the time that confirmations take.
    @Test func aLineThatNobodyCanReadStopsNoConfirmation() throws {
        let fleet = try confirming(["a"])
        try fleet.redis.cli("HSET", "{quash}:nodes", "evil node/1", "0 1 5000 v", "other/1", "nonsense")
        let pair = try fleet.signIn()
        let response = try fleet.logout(pair.access, body: "wait=confirmed&timeout=60s")
        #expect(response.json?["status"]?.string == "confirmed")
        #expect(try fleet.statuses(of: pair.access) == [401])
        let listed = try #require(try fleet.registry()).nodes.map(\.name)
        #expect(
            listed.filter { $0.hasPrefix("unreadable: ") }.sorted() == [
                "unreadable: 0 1 5000 v evil node/1", "unreadable: nonsense other/1",
            ])
    }

    @Test func whatCannotBeWaitedForIsABadRequest() throws {
        let fleet = try Fleet(validators: 0)
        try fleet.waitUntilReady()
        for body in [
            "{\"sub\":\"a\",\"wait\":\"forever\"}", "{\"sub\":\"a\",\"wait\":\"confirmed\",\"timeout\":\"2m\"}",
            "{\"sub\":\"a\",\"wait\":\"confirmed\",\"timeout\":\"0s\"}",
        ] {
            #expect(try fleet.revoke(body).status == .badRequest)
        }
        let pair = try fleet.signIn()
        for body in ["wait=forever", "wait=confirmed&timeout=soon", "timeout=2m"] {
            #expect(try fleet.logout(pair.access, body: body).status == .badRequest)
        }
        #expect(try fleet.sessions(of: "alice") == [pair.session])
    }

    // MARK: X-Quash-Min

    @Test func aDecisionIsNoOlderThanWasAskedFor() throws {
        let fleet = try confirming(["a"])
        let pair = try fleet.signIn()
        let position = try #require(
            try fleet.revoke("{\"sub\":\"x\",\"wait\":\"confirmed\"}").json.flatMap(FeedPosition.init(receipt:)))
        func status(_ minimum: String) throws -> Int {
            try fleet.web.call(
                .get, "http://\(fleet.validators[0].addresses[0])/authz/forward-auth",
                fields: ["Authorization": "Bearer \(pair.access)", "X-Quash-Min": "\(minimum)"]
            ).status.code
        }
        #expect(try status("\(position)") == 200)
        #expect(try status("\(position.epoch):\(position.sequence + 1)") == 503)
        #expect(try status("00000000000000aa:1") == 503)
        for wrong in ["", "1", "\(position.epoch):", "\(position.epoch):-1", "\(position.epoch):1:1"] {
            #expect(try status(wrong) == 400, "\(wrong)")
        }
        // What was committed in an epoch before is in the next one too.
        try fleet.redis.cli("FLUSHALL")
        #expect(poll(within: .seconds(20)) { (try? fleet.epoch()).map { $0 != position.epoch } ?? false })
        #expect(try poll { try status("\(position)") == 200 })
    }
}
