import Quash
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

@testable import QuashServer

/// The metrics of running roles are those that the documentation names.
@Suite("Published metrics") struct PublishedMetricsTests {
    private struct Row {
        let name: String
        let type: String
        let role: String
        let labels: Set<String>
    }

    private let rows: [Row]

    init() throws {
        let document = String(
            decoding: try Repository.read("Sources/QuashServer/QuashServer.docc/Metrics.md"), as: UTF8.self)
        rows = document.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
            let cells = line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            let labels = cells[3].split(separator: ",").map { $0.filter { $0 != "`" && $0 != " " } }
            return Row(
                name: cells[0].filter { $0 != "`" }, type: cells[1], role: cells[2], labels: Set(labels))
        }
    }

    @Test func bothRolesSayWhatIsDocumentedAndNothingElse() throws {
        let fleet = try Fleet()
        try fleet.waitUntilReady()
        for (role, address) in [
            ("issuer", fleet.issuer.adminAddresses[0]), ("validator", fleet.validators[0].adminAddresses[0]),
        ] {
            let page = try Exposition(try fleet.web.call(.get, "http://\(address)/metrics").text)
            let expected = rows.filter { $0.role == role || $0.role == "both" }
            #expect(Set(page.types.keys) == Set(expected.map(\.name)), "\(role)")
            for row in expected {
                #expect(page.types[row.name] == row.type, "\(row.name)")
                let samples = page.samples.filter { sample in
                    ["", "_bucket", "_sum", "_count"].contains { sample.name == row.name + $0 }
                }
                #expect(!samples.isEmpty, "\(row.name) has no series from the start")
                for sample in samples {
                    #expect(Set(sample.labels.keys).subtracting(["le"]) == row.labels, "\(sample)")
                }
            }
        }
    }

    @Test func theIssuerCountsWhatHappens() throws {
        let fleet = try Fleet()
        try fleet.waitUntilReady()
        func page() throws -> Exposition { try Exposition(try fleet.web.call(.get, fleet.adminURL + "/metrics").text) }
        let pair = try fleet.signIn()
        // Each connection is of one of two loops, and each loop has a cache of its own.
        for _ in 0..<3 { #expect(try fleet.decide(pair.access).status == .noContent) }
        #expect((1...2).contains(try fleet.metric("quash_token_cache_hits_total", at: 0) ?? 0))
        #expect(try fleet.metric("quash_keys", at: 0) == 1)
        let other = try fleet.signIn()
        let confirmed = try fleet.revoke(#"{"session":"\#(pair.session)","wait":"confirmed","timeout":"30s"}"#)
        #expect(confirmed.json?["status"] == "confirmed", "\(confirmed.text)")
        #expect(try fleet.revoke(#"{"jti":"a","wait":"stored"}"#).status == .created)
        let read = try page()
        #expect(read.value("quash_sessions_created_total") == 2)
        #expect(read.value("quash_commits_total", ["result": "stored"]) == 2)
        #expect(read.value("quash_commits_total", ["result": "failed"]) == 0)
        #expect(read.value("quash_confirmations_total", ["result": "confirmed"]) == 1)
        #expect(try poll { try page().value("quash_nodes", ["role": "validator", "state": "held"]) == 1 })
        #expect(try page().value("quash_nodes", ["role": "issuer", "state": "held"]) == 1)
        let written = try #require(read.value("quash_signing_key_modified_timestamp_seconds"))
        #expect(abs(written - Double(ClockReading.now().wall.seconds)) < 600)

        fleet.redis.kill9()
        #expect(try fleet.revoke(#"{"jti":"b"}"#).status == .serviceUnavailable)
        #expect(try page().value("quash_commits_total", ["result": "failed"]) == 1)
        // What fails before anything is published was asked for, too.
        #expect(try fleet.logout(other.access).status == .serviceUnavailable)
        #expect(try fleet.revoke(#"{"sub":["alice","bob"]}"#).status == .serviceUnavailable)
        #expect(try fleet.revoke(#"{"session":"\#(other.session)"}"#).status == .serviceUnavailable)
        #expect(try fleet.admin(.delete, "/admin/v1/subjects/alice/sessions").status == .serviceUnavailable)
        #expect(try page().value("quash_commits_total", ["result": "failed"]) == 5)
        let recent = try fleet.admin(.get, "/admin/v1/status").json?["revocations"]?.array ?? []
        #expect(recent.suffix(5).map { $0["kind"] } == ["jti", "session", "sub", "session", "sub"])
        #expect(recent.suffix(5).allSatisfy { $0["status"] == "failed" })
        // Whose lease has ended is known without Redis.
        let hasEnded = try poll(within: .seconds(20)) {
            try page().value("quash_nodes", ["role": "validator", "state": "ended"]) == 1
        }
        #expect(hasEnded)
    }

    @Test func whatRedisEvictedIsTold() throws {
        let fleet = try Fleet(redis: RedisServer.Options(settings: ["maxmemory-policy": "allkeys-lru"]))
        let isTold = try poll(within: .seconds(20)) {
            try fleet.metric("quash_redis_evicted_keys_total", at: 0) == 0
                && fleet.readiness(at: 0).contains("may evict keys")
        }
        #expect(isTold)
        // Enough for some to be evicted, and then memory enough.
        try fleet.redis.cli("config", "set", "maxmemory", "1500kb")
        for batch in 0..<20 {
            try fleet.redis.cli(
                "eval", "for i=1,200 do redis.call('set','x'..ARGV[1]..i,string.rep('y',500)) end", "0", "\(batch)")
        }
        #expect(try poll(within: .seconds(20)) { try fleet.metric("quash_redis_evicted_keys_total", at: 0) ?? 0 > 0 })
    }
}
