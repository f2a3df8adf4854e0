import TestSupport
import Testing

/// The rules for alerts, their cases, the dashboard, the runbook and the table of metrics are in step.
@Suite struct RunbookTests {
    private static func text(_ path: String) throws -> String {
        String(decoding: try Repository.read(path), as: UTF8.self)
    }

    private static func lines(_ path: String) throws -> [Substring] {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.drop { $0 == " " || $0 == "-" }
        }
    }

    /// What follows `key: ` in each line that has it, without quotation marks.
    private static func values(of key: String, in lines: [Substring]) -> [String] {
        lines.filter { $0.hasPrefix("\(key): ") }.map { line in
            line.dropFirst(key.count + 2).filter { $0 != "\"" }
        }
    }

    /// `QuashLeaseLost` as the words of a heading, `Lease lost`.
    private static func heading(_ alert: String) -> String {
        let words = StyleRules.words(ofName: String(alert.dropFirst("Quash".count)))
        return words.enumerated().map { $0.offset == 0 ? $0.element : $0.element.lowercased() }.joined(separator: " ")
    }

    private let rules: [Substring]
    private let alerts: [String]

    init() throws {
        rules = try Self.lines("docker/prometheus/alerts.yml")
        alerts = Self.values(of: "alert", in: rules)
    }

    @Test func everyAlertHasASectionThatItNamesAndNoSectionIsLeftOver() throws {
        #expect(alerts.count > 10 && alerts.allSatisfy { $0.hasPrefix("Quash") })
        let article = "Sources/QuashServer/QuashServer.docc/Runbook.md"
        let headings = try Self.text(article).split(separator: "\n").filter { $0.hasPrefix("## ") }
        #expect(headings.map { $0.dropFirst(3).description } == alerts.map(Self.heading))
        let anchors = headings.map { $0.dropFirst(3).lowercased().replacing(" ", with: "-") }
        #expect(Self.values(of: "runbook", in: rules) == anchors.map { "\(article)#\($0)" })
    }

    @Test func everySectionSaysWhatItMeansWhatToLookAtAndWhatToDo() throws {
        let sections = try Self.text("Sources/QuashServer/QuashServer.docc/Runbook.md").split(separator: "\n## ")
        for section in sections.dropFirst() {
            for part in ["**Means**", "**Look at**", "**Do**"] {
                #expect(section.contains(part), "\(section.prefix(20)): \(part)")
            }
        }
    }

    /// What is said to be shown is shown by something that there is.
    @Test(arguments: [
        "docker/README.md", "Sources/QuashServer/QuashServer.docc/Operations.md",
        "Sources/QuashServer/QuashServer.docc/ThreatModel.md",
    ])
    func everySuiteAndScriptThatADocumentNamesIsThere(document: String) throws {
        let files = try Repository.files()
        var there = Set(files.filter { $0.hasPrefix("scripts/") })
        for path in files where path.hasPrefix("Tests/") && path.hasSuffix(".swift") {
            there.formUnion(try Self.text(path).matches(of: #/struct ([A-Za-z]+Tests) /#).map { String($0.1) })
        }
        let named = Set(try Self.text(document).matches(of: #/`([A-Z][A-Za-z]+Tests|scripts/[a-z-]+)/#).map { $0.1 })
        #expect(named.count > 2 && named.filter { !there.contains(String($0)) }.isEmpty, "\(named)")
    }

    @Test func everyAlertSaysHowBadItIsAndWhatHappens() {
        for key in ["severity", "summary", "description", "runbook", "expr"] {
            #expect(Self.values(of: key, in: rules).count == alerts.count, "\(key)")
        }
        #expect(Set(Self.values(of: "severity", in: rules)) == ["critical", "warning"])
    }

    @Test func everyAlertHasACaseInWhichItFiresAndOneInWhichItDoesNot() throws {
        let cases = try Self.lines("docker/prometheus/alerts.test.yml")
        var outcomes: [String: Set<Bool>] = [:]
        for (line, next) in zip(cases, cases.dropFirst()) where line.hasPrefix("alertname: ") {
            outcomes[String(line.dropFirst("alertname: ".count)), default: []].insert(next == "exp_alerts:")
        }
        #expect(Set(outcomes.keys) == Set(alerts))
        for (alert, both) in outcomes { #expect(both == [true, false], "\(alert)") }
    }

    @Test func everyMetricThatIsAskedForIsThere() throws {
        let table = try Self.text("Sources/QuashServer/QuashServer.docc/Metrics.md")
        for path in [
            "docker/prometheus/alerts.yml", "docker/prometheus/alerts.test.yml", "docker/grafana/dashboards/quash.json",
        ] {
            let names = Set(try Self.text(path).matches(of: #/quash_[a-z_]+/#).map { String($0.output) })
            #expect(names.count > 5)
            for name in names {
                let family = ["_bucket", "_sum", "_count"].first { name.hasSuffix($0) }.map { name.dropLast($0.count) }
                #expect(table.contains("| `\(family ?? name[...])` |"), "\(path): \(name)")
            }
        }
    }

    /// What the runbook says to look for in the logs is logged.
    @Test func everyEventThatTheRunbookNamesIsLogged() throws {
        let names = TestTable.quoted(try Self.text("Sources/QuashServer/QuashServer.docc/Runbook.md"))
            .filter { $0.wholeMatch(of: #/[a-z]+\.[a-z_]+/#) != nil && $0 != "alerts.yml" }
        #expect(names.count > 8)
        let table = try Self.text("Sources/QuashServer/QuashServer.docc/Logs.md")
        for name in names { #expect(table.contains("| `\(name)` |"), "\(name)") }
    }
}
