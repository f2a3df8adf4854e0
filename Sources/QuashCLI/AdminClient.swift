import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashLoop
import QuashServer

/// Talks to the administration of an issuer, or to the health endpoints of either role: one request, one answer.
struct AdminClient {
    private static let timeout: Duration = .seconds(10)
    private static let maxBodyBytes = 16 << 20

    private let server: HTTPURL
    private let token: Secret?
    private let tls: TLSContext?

    init(server: HTTPURL, token: Secret?, tls: TLSContext?) {
        self.server = server
        self.token = token
        self.tls = tls
    }

    /// What was answered, whatever its status.
    struct Answer {
        let status: HTTPStatus
        let body: [UInt8]

        /// The body as JSON; null when it is none.
        var json: JSONValue { (try? JSONValue(parsing: body.span, maxBytes: body.count)) ?? .null }
    }

    /// Asks, and refuses whatever is no success with what the issuer says about it.
    ///
    /// - Throws: `.unreachable` without an answer, and for a 5xx, by which the issuer says that it cannot decide now;
    ///   `.refused` for any other status that is no success.
    func ask(
        _ method: HTTPMethod, _ target: String, body: JSONValue? = nil, within limit: Duration = .zero
    ) throws(CommandFailure) -> Answer {
        try accepted(try send(method, target, body: body, within: limit))
    }

    /// An answer that is a success; any other is refused with what the issuer says about it.
    func accepted(_ answer: Answer) throws(CommandFailure) -> Answer {
        if (200...299).contains(answer.status.code) { return answer }
        let detail = answer.json["detail"]?.string ?? answer.json["error_description"]?.string
        var line = "\(server) answers \(answer.status)"
        if let detail { line += ": \(printable(detail))" }
        if answer.status == .unauthorized || answer.status == .forbidden {
            line += "; give the credential with --token-file or QUASH_ADMIN_TOKEN"
        } else if detail == nil, answer.status == .notFound {
            line += "; is --server the administration of an issuer?"
        }
        throw CommandFailure(answer.status.code >= 500 ? .unreachable : .refused, line)
    }

    /// Asks, and gives any answer back.
    ///
    /// - Parameter limit: how long the issuer may take on top of the usual time.
    func send(
        _ method: HTTPMethod, _ target: String, body: JSONValue? = nil, within limit: Duration = .zero
    ) throws(CommandFailure) -> Answer {
        let request = request(method, target, body: body, within: limit)
        do {
            let response = try Self.perform(request, tls: tls)
            return Answer(status: response.status, body: response.body)
        } catch let error as HTTPError {
            throw Self.failure(error, of: method)
        } catch {
            throw CommandFailure(.unreachable, "\(error)")
        }
    }

    /// Asks on a loop, and gives any answer back there.
    func send(
        _ method: HTTPMethod, _ target: String, body: JSONValue? = nil, within limit: Duration = .zero, on loop: Loop,
        answer: @escaping (Result<Answer, CommandFailure>) -> Void
    ) {
        HTTPClient(on: loop, tls: tls).send(request(method, target, body: body, within: limit)) { result in
            answer(
                result.map { Answer(status: $0.status, body: $0.body) }.mapError { Self.failure($0, of: method) })
        }
    }

    private func request(
        _ method: HTTPMethod, _ target: String, body: JSONValue? = nil, within limit: Duration = .zero
    ) -> HTTPClient.Request {
        var fields: FieldLines = ["Accept": "application/json", "User-Agent": "quash/\(BuildVersion.current)"]
        if let token { fields.append("Authorization", "Bearer \(token.text)") }
        if body != nil { fields.append("Content-Type", "application/json") }
        return HTTPClient.Request(
            method, server.with(target: target), fields: fields, body: body?.serialized() ?? [],
            timeout: Self.timeout + limit, maxBodyBytes: Self.maxBodyBytes)
    }

    private static func failure(_ error: HTTPError, of method: HTTPMethod) -> CommandFailure {
        let isInDoubt = method != .get && !error.isBeforeSending
        return CommandFailure(
            .unreachable,
            "\(error); "
                + (isInDoubt
                    ? "whether it was carried out is not known, so run it again"
                    : "is it running? --server or QUASH_SERVER names another address"))
    }

    /// Sends one request on a loop of this thread's own.
    static func perform(_ request: HTTPClient.Request, tls: TLSContext?) throws -> HTTPResponse {
        let loop = try Loop()
        var result: Result<HTTPResponse, HTTPError>?
        HTTPClient(on: loop, tls: tls).send(request) {
            result = $0
            loop.stop()
        }
        loop.run()
        loop.close()
        guard let result else { preconditionFailure("a request ended without a result") }
        return try result.get()
    }
}

extension HTTPError {
    /// Whether the server cannot have seen the request.
    fileprivate var isBeforeSending: Bool {
        switch code {
        case .invalidURL, .connection(.refused), .connection(.unresolved), .connection(.tls): true
        default: false
        }
    }
}

extension HTTPURL {
    /// Another target at the same server, below this one's path.
    fileprivate func with(target: String) -> HTTPURL {
        HTTPURL(endpoint: endpoint, target: target, isSecure: isSecure)
    }
}
