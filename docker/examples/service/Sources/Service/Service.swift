import Hummingbird
import Logging
import QuashServer
import ServiceLifecycle

/// `Service PORT SETTING...`: the settings are those of `quash validator`.
@main
struct Main {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let port = arguments.first.flatMap(Int.init) else { return print("usage: Service PORT [SETTING]...") }
        let settings = try ValidatorConfiguration(arguments: Array(arguments.dropFirst()), environment: [:])
        let node = try EmbeddedNode(settings, log: Logger(label: "quash"))

        let router = Router(context: ServiceContext.self)
        // For the balancer: until a lease is held every decision is a 503.
        router.get("ready") { _, _ in node.isReady ? HTTPResponse.Status.ok : .serviceUnavailable }
        router.group().add(middleware: BearerMiddleware(node: node))
            .get("hello") { _, context in "hello \(context.claims?.subject ?? "nobody")\n" }

        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
            services: [Lease(node: node)])
        // On SIGTERM the server drains first.
        try await application.runService()
    }
}

/// Gives the lease back at the end, so that no confirmation waits for it to run out.
struct Lease: Service {
    let node: EmbeddedNode

    func run() async throws {
        try? await gracefulShutdown()
        node.stop()
    }
}
