import ArgumentParser
import QuashHTTP
import QuashJSON
import QuashLoop
import QuashServer

struct HealthcheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck", abstract: "Ask a process whether it is ready: 0 yes, 4 no, 5 no answer.",
        discussion: """
            For a container's health check. Without --server and QUASH_SERVER it asks the first address of \
            QUASH_ADMIN_LISTEN, which the process in the same container listens on.
            """)

    @OptionGroup var address: ServerOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        let environment = ProcessEnvironment.current
        let fallback = environment["QUASH_ADMIN_LISTEN"].flatMap(Self.url(ofListener:)) ?? ClientOptions.defaultServer
        let server = try address.url(or: fallback, environment: environment)
        let readiness = try Readiness(AdminClient(server: server, token: nil, tls: try address.tls(for: server)))
        options.say(.object(readiness.json), text: readiness.lines.joined(separator: "\n"))
        if !readiness.isReady { throw CommandFailure(.refused, "not ready") }
    }

    /// How a process on the same machine connects to the first of these addresses; nil when it is none.
    static func url(ofListener text: String) -> String? {
        guard let endpoint = try? Endpoint(String(text.prefix { $0 != "," })) else { return nil }
        return switch endpoint {
        case .unix: endpoint.description
        case .tcp("0.0.0.0", let port): "http://127.0.0.1:\(port)"
        case .tcp("::", let port): "http://[::1]:\(port)"
        case .tcp: "http://\(endpoint)"
        }
    }
}
