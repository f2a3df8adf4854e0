import QuashHTTP
import QuashLoop
import TestSupport

/// A server that gives the answers it was told to, and remembers what it was asked.
final class ScriptedServer {
    struct Request: Sendable {
        let line: String
        let authorization: String?
        let body: String
    }

    let requests = Recorder<Request>()
    let endpoint: Endpoint
    private let thread: LoopThread

    /// - Parameter answers: by method and target, such as `GET /readyz?verbose`; anything else is 404.
    init(_ answers: [String: (Int, String)], at endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 0)) throws {
        let address = try BoundAddress(endpoint)
        self.endpoint = address.endpoint
        thread = try LoopThread(name: "scripted")
        let (requests, failed) = (requests, Recorder<String>())
        thread.submit { loop in
            do {
                _ = try HTTPServer(on: loop, at: address, responder: Responder(answers, requests))
                failed.record("")
            } catch {
                failed.record("\(error)")
            }
        }
        guard try failed.wait(count: 1) == [""] else { throw TestSupportError("\(failed.all)") }
    }

    deinit {
        thread.stop()
        thread.join()
    }

    var url: String { "http://\(endpoint)" }

    private final class Responder: HTTPResponder {
        private let answers: [String: (Int, String)]
        private let requests: Recorder<Request>

        init(_ answers: [String: (Int, String)], _ requests: Recorder<Request>) {
            self.answers = answers
            self.requests = requests
        }

        func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int { 64 * 1024 }

        func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
            var line = "\(request.methodName.text) \(request.path.text)"
            if let query = request.query { line += "?\(query.text)" }
            requests.record(
                Request(
                    line: line, authorization: request.firstValue(of: "authorization")?.text, body: request.body.text))
            let (status, body) = answers[line] ?? (404, "")
            exchange.send(HTTPStatus(status), fields: ["Content-Type": "application/json"], body: Array(body.utf8))
        }
    }
}
