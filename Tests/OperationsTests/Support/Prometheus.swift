import QuashHTTP
import QuashJSON
import TestSupport

/// A Prometheus that scrapes a fleet by the configuration that is shipped, of which only the targets are others, each
/// second.
final class Prometheus {
    private let folder: TemporaryFolder
    private let process: ChildProcess
    private let address: String
    private let web: Web

    /// - Parameter canary: where the metrics of one are.
    init(of fleet: OperatedFleet, canary: String) throws {
        folder = try TemporaryFolder()
        web = fleet.web
        for name in ["alerts.yml"] {
            try folder.write(name, bytes: try Repository.read("docker/prometheus/\(name)"))
        }
        let config = try folder.write("prometheus.yml", try Self.configuration(of: fleet, canary: canary))
        address = "127.0.0.1:\(try freePort())"
        process = try ChildProcess([
            "prometheus", "--config.file", config, "--storage.tsdb.path", folder.path("data"),
            "--web.listen-address", address, "--storage.tsdb.retention.time", "1h", "--log.level", "warn",
        ])
        let url = "http://\(address)/-/ready"
        guard poll(within: .seconds(60), { (try? web.call(.get, url, timeout: .seconds(2)).status) == .ok }) else {
            throw TestSupportError("prometheus does not start: \(process.output)")
        }
    }

    /// The shipped file with a fleet's targets in the place of those of the compose file.
    private static func configuration(of fleet: OperatedFleet, canary: String) throws -> String {
        let shipped = String(decoding: try Repository.read("docker/prometheus/prometheus.yml"), as: UTF8.self)
        let plain = fleet.validators.filter { !$0.isSecure }.map { "\"\($0.adminAddress)\"" }
        var text = shipped.replacing("5s", with: "1s")
            .replacing("\"issuer:9080\"", with: "\"\(fleet.issuer.adminAddress)\"")
            .replacing(
                #""validator-1:9081", "validator-2:9081", "validator-3:9081""#, with: plain.joined(separator: ", ")
            )
            .replacing("\n  # - job_name: quash-canary\n  #", with: "\n  - job_name: quash-canary\n ")
            .replacing("\n  #     - targets: [\"canary:9180\"]", with: "\n      - targets: [\"\(canary)\"]")
        for role in fleet.validators where role.isSecure {
            text += """
                  - job_name: tls
                    scheme: https
                    tls_config:
                      ca_file: \(fleet.folder.path("authority.pem"))
                      server_name: quash.test
                    static_configs:
                      - targets: ["\(role.adminAddress)"]
                    relabel_configs:
                      - target_label: job
                        replacement: quash-validator

                """
        }
        return text
    }

    /// The targets that were scraped well, and how many there are.
    func targets() throws -> (up: Int, all: Int) {
        let json = try web.call(.get, "http://\(address)/api/v1/targets?state=active").json
        let all = json?["data"]?["activeTargets"]?.array ?? []
        return (all.count { $0["health"]?.string == "up" }, all.count)
    }

    /// The series that a query answers now: labels and value. An error of the query is thrown with its words.
    func query(_ expression: String) throws -> [(labels: JSONValue, value: Double)] {
        let response = try web.call(
            .get, "http://\(address)/api/v1/query?query=\(percentEncoded(expression))")
        guard let json = response.json, json["status"]?.string == "success", let data = json["data"] else {
            throw TestSupportError("\(expression): \(response.text)")
        }
        return (data["result"]?.array ?? []).compactMap { series in
            guard let text = series["value"]?.array?.last?.string, let value = Double(text) else { return nil }
            return (series["metric"] ?? .null, value)
        }
    }
}
