import QuashHTTP
import QuashLoop

/// One condition of being ready.
struct HealthCheck: Sendable {
    let name: String
    /// Nil when it is met; otherwise what is missing.
    let problem: String?

    init(_ name: String, problem: String?) {
        self.name = name
        self.problem = problem
    }

    /// The problem, with the name of what has it; nil when there is none.
    var failure: String? { problem.map { "\(name): \($0)" } }
}

/// `/livez`, `/readyz` and `/metrics` of a role's admin listener. Nothing there is secret, so no credential is asked
/// for.
///
/// `/livez` is answered once each loop of the process has run a job: while one hangs, there is no answer.
final class HealthEndpoints {
    private let checks: () -> [HealthCheck]
    private let metrics: () -> [UInt8]
    private let threads: [LoopThread]

    /// - Parameter threads: all loops of the process, the one last that this belongs to.
    init(checks: @escaping () -> [HealthCheck], metrics: @escaping () -> [UInt8], threads: [LoopThread]) {
        self.checks = checks
        self.metrics = metrics
        self.threads = threads
    }

    /// - Returns: false when the path is not one of these, and nothing was answered.
    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) -> Bool {
        let path = request.path
        let isKnown = path.equals("/livez") || path.equals("/readyz") || path.equals("/metrics")
        guard isKnown else { return false }
        guard request.method == .get || request.method == .head else {
            exchange.send(allowing: "GET, HEAD")
            return true
        }
        if path.equals("/metrics") {
            exchange.send(
                .ok, fields: ["Content-Type": MetricsPage.contentType, "Cache-Control": "no-store"], body: metrics())
        } else if path.equals("/livez") {
            LoopThread.probe(threads) { [this = LoopBound(self), exchange = LoopBound(exchange)] in
                this.value.answer(exchange.value, .ok, "ok\n")
            }
        } else {
            readiness(exchange, isVerbose: request.query?.equals("verbose") ?? false)
        }
        return true
    }

    private func readiness(_ exchange: HTTPExchange, isVerbose: Bool) {
        let checks = checks()
        let isReady = checks.allSatisfy { $0.problem == nil }
        var text = ""
        if isVerbose || !isReady {
            for check in checks {
                text += check.failure.map { "[-] \($0)\n" } ?? "[+] \(check.name) ok\n"
            }
        }
        answer(exchange, isReady ? .ok : .serviceUnavailable, text + (isReady ? "ready\n" : "not ready\n"))
    }

    private func answer(_ exchange: HTTPExchange, _ status: HTTPStatus, _ text: String) {
        exchange.send(
            status, fields: ["Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"],
            body: Array(text.utf8))
    }
}
