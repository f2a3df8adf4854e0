import Quash
import QuashHTTP
import QuashJSON
import QuashLoop
import TestSupport
import Testing

@testable import QuashServer

/// What the status page is, and what it follows.
@Suite("Status") struct StatusTests {
    @Test func thePageIsForEverybodyAndStrict() throws {
        let fleet = try Fleet(validators: 0)
        for (path, type) in [
            ("/status", "text/html"), ("/status/page.css", "text/css"), ("/status/page.js", "text/javascript"),
        ] {
            let response = try fleet.web.call(.get, fleet.adminURL + path)
            #expect(response.status == .ok)
            #expect(response.values(of: "content-type") == ["\(type); charset=utf-8"])
            #expect(response.values(of: "x-content-type-options") == ["nosniff"])
            let policy = try #require(response.values(of: "content-security-policy").first)
            #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"))
            #expect(!policy.contains("unsafe") && !policy.contains("*"))
            // Nothing from elsewhere, but for the name of SVG's elements.
            let text = response.text.replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!text.contains("://"))
            #expect(!text.contains("innerHTML") && !text.contains("style=") && !text.contains("localStorage"))
            #expect(try fleet.web.call(.post, fleet.adminURL + path).status == .methodNotAllowed)
        }
        #expect(try fleet.web.call(.get, fleet.adminURL + "/status").text.contains(#"data-credential="needed""#))
        for path in ["/admin/v1/status", "/admin/v1/events"] {
            #expect(try fleet.web.call(.get, fleet.adminURL + path).status == .unauthorized)
        }
    }

    @Test func theDocumentSaysHowTheFleetIs() throws {
        let fleet = try Fleet(validators: 2)
        try fleet.waitUntilReady()
        let pair = try fleet.signIn("alice")
        #expect(try fleet.logout(pair.access).status == .ok)
        #expect(try fleet.revoke(#"{"sub":["a","b"],"wait":"confirmed","timeout":"30s"}"#).status == .created)
        let isThere = try poll(within: .seconds(20)) {
            let nodes = try fleet.admin(.get, "/admin/v1/status").json?["nodes"]?.array ?? []
            return nodes.count == 3 && nodes.allSatisfy { $0["lag"] == 0 && $0["entries"]?.integer ?? 0 > 0 }
        }
        #expect(isThere)
        let response = try fleet.admin(.get, "/admin/v1/status")
        let json = try #require(response.json)
        #expect(json["ready"] == true && json["issuer"] == "issuer" && json["problems"] == [])
        #expect(json["nodes_total"] == 3)
        #expect(
            json["validators"] == ["total": 2, "held": 2, "greatest_lag": 0, "decisions_per_second": 0])
        #expect(json["head"]?.integer ?? 0 >= 2)
        let recent = try #require(json["revocations"]?.array)
        #expect(recent.map { $0["status"] } == ["stored", "confirmed"])
        #expect(recent.map { $0["kind"] } == ["session", "sub"])
        #expect(recent[1]["count"] == 2 && recent[1]["took_us"]?.integer ?? 0 > 0)
        #expect(recent[0]["took_us"] == nil && recent[0]["seq"] == 1)
        for secret in ["alice", pair.session, pair.access] { #expect(!response.text.contains(secret)) }
        fleet.redis.kill9()
        #expect(try fleet.revoke(#"{"jti":"y"}"#).status == .serviceUnavailable)
        // Without Redis it says what it knew, and how old that is.
        let later = try #require(try fleet.admin(.get, "/admin/v1/status").json)
        #expect(later["revocations"]?.array?.last?["status"] == "failed")
        #expect(later["nodes_total"] == 3)
        #expect(try poll { try fleet.admin(.get, "/admin/v1/status").json?["ready"] == false })
    }

    @Test func whoFollowsIsToldAtOnceAndOnlySoManyMay() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let watchers = try (0..<StatusEndpoints.maxFollowers).map { _ in try EventWatcher(fleet) }
        for watcher in watchers { try watcher.events.wait(count: 1) }
        let refused = try fleet.admin(.get, "/admin/v1/events")
        refused.expectUnavailable()
        #expect(try fleet.revoke(#"{"jti":"x"}"#).status == .created)
        for watcher in watchers {
            let event = try watcher.events.wait { $0["revocations"]?.array?.last?["status"] == "stored" }
            #expect(event["issuer"] == "issuer")
        }
        // Without anything that happens, too.
        try watchers[0].events.wait(count: watchers[0].events.all.count + 3)
        // Who leaves makes room.
        watchers[0].close()
        let isTaken = try poll {
            let watcher = try EventWatcher(fleet)
            defer { watcher.close() }
            return (try? watcher.events.wait(count: 1, within: .milliseconds(500))) != nil
        }
        #expect(isTaken)
    }

    /// Of many nodes some are shown, and all are counted.
    @Test func aLargeFleetIsCountedWhole() throws {
        let fleet = try Fleet(validators: 1)
        try fleet.waitUntilReady()
        let now = ClockReading.now().wall.milliseconds
        let others = FleetStatus.maxNodes + 100
        // Each has applied nothing of one commit, and decides twice a second.
        #expect(try fleet.revoke(#"{"jti":"x"}"#).status == .created)
        let script =
            "for i = 1, ARGV[1] do redis.call('HSET', KEYS[1], 'n' .. i .. '/1', '0 ' .. ARGV[2] .. ' 30000 0,1,2') end"
        try fleet.redis.cli("EVAL", script, "1", "{quash}:nodes", "\(others)", "\(now)")
        let isCounted = try poll(within: .seconds(20)) {
            let json = try fleet.admin(.get, "/admin/v1/status").json
            let all = json?["validators"]
            return json?["nodes"]?.array?.count == FleetStatus.maxNodes
                && all?["total"]?.integer == Int64(others + 1) && all?["held"] == all?["total"]
                && all?["decisions_per_second"]?.integer == Int64(2 * others) && all?["greatest_lag"] == 1
        }
        #expect(isCounted)
        // Each node says what it likes.
        let lie = "0 \(now) 30000 0,1,\(Int64.max)"
        try fleet.redis.cli("HSET", "{quash}:nodes", "liar/1", lie, "liar/2", lie)
        let isBounded = try poll(within: .seconds(20)) {
            try fleet.admin(.get, "/admin/v1/status").json?["validators"]?["decisions_per_second"]?.integer == .max
        }
        #expect(isBounded)
    }

    @Test func figuresAreReadWhoeverWroteThem() {
        for figures in [
            NodeFigures(version: "0.1.0"), NodeFigures(version: "0.1.0", entries: 12),
            NodeFigures(version: "0.1.0", entries: 12, decisionsPerSecond: 350),
        ] {
            #expect(NodeFigures(figures.text) == figures)
            #expect(!figures.text.contains(" "), "it is one word of the registry's line")
        }
        #expect(NodeFigures("0.1.0,-1,x") == NodeFigures(version: "0.1.0"))
        #expect(NodeFigures("0.1.0,1,2,3") == NodeFigures(version: "0.1.0", entries: 1, decisionsPerSecond: 2))
        #expect(NodeFigures("") == NodeFigures(version: ""))
    }

    @Test func aRateIsOfAWholeInterval() {
        var meter = RateMeter()
        func at(_ milliseconds: Int64) -> BootInstant { BootInstant(nanoseconds: milliseconds * 1_000_000) }
        meter.observe(100, now: at(1000))
        #expect(meter.perSecond == 0)
        // Two renewals close together say nothing of a rate.
        meter.observe(150, now: at(1001))
        #expect(meter.perSecond == 0)
        meter.observe(1100, now: at(2000))
        #expect(meter.perSecond == 1000)
        meter.observe(1100, now: at(4000))
        #expect(meter.perSecond == 0)
    }

    @Test func onlyTheLastAreRemembered() {
        let recent = RecentRevocations()
        var changes = 0
        recent.changed = { changes += 1 }
        let ids = (0..<60).map { _ in recent.asked([Revocation(key: .everything, expiresAtSeconds: 1)]) }
        recent.ended(ids[0], isConfirmed: true)
        recent.ended(ids[58], isConfirmed: false)
        recent.stored(ids[59], at: nil, isAwaited: true)
        let list = recent.json.array ?? []
        #expect(list.count == RecentRevocations.maxRemembered)
        #expect(list.first?["id"]?.integer == Int64(ids[10]))
        #expect(list.last?["status"] == "failed")
        #expect(list[list.count - 2]["status"] == "unconfirmed")
        #expect(changes == 62)
    }
}

/// Follows an issuer's events.
private final class EventWatcher: ConnectionDelegate, @unchecked Sendable {
    // SAFETY of @unchecked: what changes is touched on the loop alone.
    let events = Recorder<JSONValue>()
    private let thread: LoopThread
    private var connection: Connection?
    private var rest = ""

    init(_ fleet: Fleet) throws {
        thread = try LoopThread(name: "watcher")
        let endpoint = try Endpoint(fleet.issuer.adminAddresses[0])
        thread.submit { [self] loop in
            connection = Connection.connect(on: loop, to: endpoint, delegate: self)
        }
    }

    func close() {
        thread.submit { [self] _ in connection?.close() }
        thread.stop()
        thread.join()
    }

    func connectionOpened(_ connection: Connection) {
        connection.write(
            Array(
                "GET /admin/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(Fleet.adminToken)\r\n\r\n".utf8))
    }

    func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        rest += unsafe String(decoding: bytes, as: UTF8.self)
        while let end = rest.firstRange(of: "\n\n") {
            let event = rest[..<end.lowerBound]
            if let data = event.firstRange(of: "data: ") {
                let json = Array(event[data.upperBound...].utf8)
                if let value = try? JSONValue(parsing: json.span, maxBytes: json.count) { events.record(value) }
            }
            rest = String(rest[end.upperBound...])
        }
    }

    func connectionDrained(_ connection: Connection) {}
    func connectionReachedEnd(_ connection: Connection) { connection.close() }
    func connectionClosed(_ connection: Connection, because reason: LoopError?) { self.connection = nil }
}
