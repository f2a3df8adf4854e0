import Glibc
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

/// Metrics, rules and the dashboard, held against a real Prometheus.
@Suite("Prometheus", .operations) struct PrometheusTests {
    @Test("promtool has nothing to say about the pages of a fleet at work")
    func pagesAreClean() throws {
        let fleet = try OperatedFleet(validators: 2, secure: true)
        try fleet.waitUntilReady()
        try Traffic(fleet).round()
        for role in [fleet.issuer] + fleet.validators {
            let page = try fleet.web.call(
                .get, "\(role.isSecure ? "https" : "http")://\(role.adminAddress)/metrics"
            ).text
            #expect(page.contains("quash_build_info"))
            let file = try fleet.folder.write("page", page)
            let output = try ChildProcess.run(["sh", "-c", "exec promtool check metrics <\"$0\"", file])
            #expect(output == "", "\(role.name)")
        }
    }

    @Test("promtool takes the configuration and the rules, and every case of them goes as it must")
    func rulesGoAsTheyMust() throws {
        let folder = "\(Repository.root)/docker/prometheus"
        try ChildProcess.run(["promtool", "check", "config", "\(folder)/prometheus.yml"])
        try ChildProcess.run(["promtool", "test", "rules", "\(folder)/alerts.test.yml"])
    }

    @Test("Every query of the dashboard, and of the alerts, is answered with data of a fleet")
    func everyQueryHasData() throws {
        let fleet = try OperatedFleet(validators: 3, secure: true)
        try fleet.waitUntilReady()
        let metrics = "127.0.0.1:\(try freePort())"
        let canary = try fleet.canary(metricsAt: metrics)
        defer { canary.kill() }
        let prometheus = try Prometheus(of: fleet, canary: metrics)
        let traffic = Traffic(fleet)
        #expect(try poll(within: .seconds(30)) { try prometheus.targets() == (5, 5) })
        var queries = try Dashboard().queries
        #expect(queries.count > 25)
        for alert in try Alerts().all { queries.append((title: alert.name, expression: alert.selector)) }
        // Rates need two scrapes with traffic between them.
        var missing = queries
        let isComplete = try poll(within: .seconds(60)) {
            try traffic.round()
            missing = try missing.filter { try prometheus.query($0.expression).allSatisfy { $0.value.isNaN } }
            return missing.isEmpty
        }
        #expect(isComplete, "no data for \(missing)")
        // All at once, at the end: nothing was there for a moment only.
        for query in queries {
            let result = try prometheus.query(query.expression)
            #expect(!result.isEmpty, "\(query.title): \(query.expression)")
        }
        #expect(try prometheus.query("sum(quash_decisions_total)").first?.value ?? 0 > 0)
        #expect(
            try prometheus.query("count(ALERTS{alertname!=\"QuashRefreshReuse\",alertstate=\"firing\"})").isEmpty,
            "an alert about a good fleet")

        fleet.kill("v1")
        let isSeen = try poll(within: .seconds(60)) {
            try prometheus.query("ALERTS{alertname=\"QuashNodeLeaseEnded\",alertstate=\"firing\"}").count == 1
        }
        #expect(isSeen)
    }
}

/// What clients of a fleet do, a little of everything.
struct Traffic {
    private let fleet: OperatedFleet

    init(_ fleet: OperatedFleet) { self.fleet = fleet }

    /// Sign-in, decisions that are accepted and refused, a refresh, its reuse, a logout and a confirmed revocation.
    func round() throws {
        let alice = try fleet.signIn("alice")
        for validator in fleet.validators {
            for token in [alice.access, alice.access, "nonsense"] { _ = try fleet.decide(token, at: validator) }
        }
        #expect(try fleet.refresh(alice.refresh).status == .ok)
        #expect(try fleet.refresh(alice.refresh).status == .badRequest)
        let bob = try fleet.signIn("bob")
        let answer = try fleet.form("/logout", "", fields: ["Authorization": "Bearer \(bob.access)"])
        #expect(answer.status == .ok, "\(answer.text)")
        try fleet.revokeAndConfirm(try fleet.signIn("carol").session)
        for validator in fleet.validators { _ = try fleet.decide(bob.access, at: validator) }
    }
}

/// The shipped dashboard.
struct Dashboard {
    /// Every query, with values in the places of its variables.
    let queries: [(title: String, expression: String)]

    init() throws {
        let bytes = try Repository.read("docker/grafana/dashboards/quash.json")
        let document = try JSONValue(parsing: bytes.span, maxBytes: bytes.count)
        var queries: [(title: String, expression: String)] = []
        for panel in document["panels"]?.array ?? [] {
            for target in panel["targets"]?.array ?? [] {
                let expression = try #require(target["expr"]?.string)
                queries.append((panel["title"]?.string ?? "", expression))
            }
        }
        self.queries = queries.map { title, expression in
            (title, expression.replacing("$instance", with: ".*").replacing("$__rate_interval", with: "10s"))
        }
        for query in self.queries { #expect(!query.expression.contains("$"), "\(query.title)") }
    }
}

/// The shipped rules, as far as they are needed here.
struct Alerts {
    struct Alert {
        let name: String
        /// What it compares, without the comparison: has data also while the alert does not fire.
        let selector: String
    }

    let all: [Alert]

    init() throws {
        let text = String(decoding: try Repository.read("docker/prometheus/alerts.yml"), as: UTF8.self)
        var alerts: [Alert] = []
        var name = ""
        for line in text.split(separator: "\n") {
            let line = line.drop { $0 == " " || $0 == "-" }
            if line.hasPrefix("alert: ") { name = String(line.dropFirst("alert: ".count)) }
            guard line.hasPrefix("expr: '"), line.hasSuffix("'") else { continue }
            let expression = line.dropFirst("expr: '".count).dropLast()
            let selector = try #require(
                expression.firstRange(of: #/ (<=|>|==|<) /#).map { expression[..<$0.lowerBound] }, "\(name)")
            alerts.append(Alert(name: name, selector: String(selector)))
        }
        all = alerts
    }
}
