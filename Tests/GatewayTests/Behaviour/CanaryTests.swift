import Glibc
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

/// `quash canary` through a real gateway.
@Suite("The canary through a gateway", .enabled(if: Environment.runs), .serialized)
struct CanaryTests {
    private static func lines(_ child: ChildProcess) throws -> [JSONValue] {
        try child.output.split(separator: "\n").filter { $0.hasPrefix("{") }.map { line in
            let bytes = Array(line.utf8)
            return try JSONValue(parsing: bytes.span)
        }
    }

    @Test("Round after round is ok, and its metrics say so", arguments: Environment.kinds)
    func goodGatewaysAreOk(kind: GatewayKind) throws {
        let site = try DecisionTests.Site(kind)
        _ = try site.waitUntilServing()
        let port = try freePort()
        let child = try site.fleet.canary(
            through: site.gateway.port, ["--interval", "100ms", "--metrics-listen", "127.0.0.1:\(port)"])
        #expect(try poll(within: .seconds(30)) { try Self.lines(child).count >= 3 }, "\(child.output)")
        let client = try BlockingHTTPClient()
        let response = try client.send(HTTPClient.Request(.get, try HTTPURL("http://127.0.0.1:\(port)/metrics")))
        let page = String(decoding: response.body, as: UTF8.self)
        child.signal(SIGTERM)
        #expect(try child.waitForExit() == .code(0), "\(child.output)")
        for line in try Self.lines(child) {
            #expect(line["result"] == "ok" && line["confirmed"] == true, "\(child.output)")
            #expect(line["refused_us"]?.integer ?? 0 > 0)
        }
        let gateway = #"gateway="127.0.0.1:\#(site.gateway.port)""#
        func value(_ series: String) -> Double? {
            page.split(separator: "\n").first { $0.hasPrefix("\(series) ") }.flatMap {
                Double($0.dropFirst(series.count + 1))
            }
        }
        #expect(value("quash_canary_rounds_total{\(gateway),result=\"ok\"}") ?? 0 >= 3, "\(page)")
        for result in ["refused_early", "accepted_late", "failed"] {
            #expect(value("quash_canary_rounds_total{\(gateway),result=\"\(result)\"}") == 0)
        }
        #expect(value("quash_canary_revoke_to_refused_seconds_count{\(gateway)}") ?? 0 >= 3)
        #expect(value("quash_canary_last_success_timestamp_seconds{\(gateway)}") ?? 0 > 1_700_000_000)
    }

    /// What nobody ships, and somebody will write: decisions kept for five seconds.
    @Test("A gateway that keeps decisions is found") func cachesAreFound() throws {
        let fleet = try GatewayFleet()
        let application = try RawServer()
        let gateway = try RunningGateway(
            .nginx, validators: fleet.endpoints, application: application.port, cachesDecisions: true)
        let session = try fleet.signIn("alice")
        #expect(try poll(within: .seconds(20)) { try gateway.status(session.access) == 200 })
        let child = try fleet.canary(through: gateway.port, ["--count", "1"])
        #expect(try child.waitForExit(within: .seconds(30)) == .code(3), "\(child.output)")
        let line = try #require(try Self.lines(child).first)
        #expect(line["result"] == "accepted_late" && line["confirmed"] == true, "\(child.output)")
        #expect(line["accepted_us"]?.integer ?? 0 > 0)
        #expect(line["detail"]?.string?.contains("does the gateway cache decisions?") ?? false)
    }

    @Test("No gateway is unreachable") func nobodyIsUnreachable() throws {
        let fleet = try GatewayFleet()
        let child = try fleet.canary(through: try freePort(), ["--count", "1"])
        #expect(try child.waitForExit(within: .seconds(30)) == .code(5), "\(child.output)")
    }
}
