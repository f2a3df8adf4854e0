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
/// `/livez` is answered once each loop of the process has run a job: while one hangs, there is no answer. One probe of
/// the loops serves all requests that wait for it. One rendering serves all requests for the metrics within a tenth of
/// a second. So a flood of requests costs no more than that.
final class HealthEndpoints {
    /// Requests that may wait for a rendering, or for a look at the loops.
    static let maxWaiting = 256
    /// From one rendering of the metrics to the next.
    private static let renderInterval: Duration = .milliseconds(100)

    private let checks: () -> [HealthCheck]
    private let load: ListenerLoad
    private var looks: Batches<HTTPExchange>?
    private var renderings: Batches<HTTPExchange>?
    private var renderTimer: Timer?

    /// - Parameters:
    ///   - metrics: renders them.
    ///   - threads: all loops of the process, the one last that this belongs to.
    init(
        on loop: Loop, checks: @escaping () -> [HealthCheck], metrics: @escaping () -> [UInt8], threads: [LoopThread],
        load: ListenerLoad
    ) {
        self.checks = checks
        self.load = load
        looks = Batches(maxWaiting: Self.maxWaiting) { [unowned self] exchanges in
            LoopThread.probe(threads) { [this = LoopBound(self), exchanges = LoopBound(exchanges)] in
                for exchange in exchanges.value { this.value.answer(exchange, .ok, "ok\n") }
                this.value.looks?.finished()
            }
        }
        renderings = Batches(maxWaiting: Self.maxWaiting) { [unowned self] exchanges in
            let fields: FieldLines = ["Content-Type": MetricsPage.contentType, "Cache-Control": "no-store"]
            let page = PreparedResponse(.ok, fields: fields, body: metrics())
            for exchange in exchanges { exchange.send(page) }
            renderTimer?.start(after: Self.renderInterval)
        }
        renderTimer = Timer(on: loop) { [unowned self] in renderings?.finished() }
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
            add(exchange, to: renderings)
        } else if path.equals("/livez") {
            add(exchange, to: looks)
        } else {
            readiness(exchange, isVerbose: request.query?.equals("verbose") ?? false)
        }
        return true
    }

    private func add(_ exchange: HTTPExchange, to batches: Batches<HTTPExchange>?) {
        guard batches?.add(exchange) != true else { return }
        load.shed(.pages)
        exchange.send(unavailable: "too many ask for this: ask less often")
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
