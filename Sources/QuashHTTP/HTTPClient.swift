package import QuashCrypto
package import QuashLoop

/// A small HTTP/1.1 client: one connection for each request. It fetches key sets and carries the command line.
package struct HTTPClient {
    /// What is sent, and what it may cost.
    package struct Request {
        package var method: HTTPMethod
        package var url: HTTPURL
        /// Without Host, Content-Length and Connection, which are made here.
        package var fields: FieldLines
        package var body: [UInt8]
        /// For everything, from the name's resolution to the last byte.
        package var timeout: Duration
        /// Of the response's content.
        package var maxBodyBytes: Int

        package init(
            _ method: HTTPMethod, _ url: HTTPURL, fields: FieldLines = [:], body: [UInt8] = [],
            timeout: Duration = .seconds(10), maxBodyBytes: Int = 1024 * 1024
        ) {
            precondition(method != .other && method != .connect, "a method that this client does not have")
            self.method = method
            self.url = url
            self.fields = fields
            self.body = body
            self.timeout = timeout
            self.maxBodyBytes = maxBodyBytes
        }

        /// As it goes over the wire.
        var bytes: [UInt8] {
            var bytes = Array("\(method.name) \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\n".utf8)
            bytes += fields.bytes
            // RFC 9110 §8.6: a POST says its length even if it is zero.
            if !body.isEmpty || method == .post || method == .put || method == .patch {
                bytes += Array("Content-Length: \(body.count)\r\n".utf8)
            }
            bytes += Array("Connection: close\r\n\r\n".utf8)
            return bytes + body
        }
    }

    private let loop: Loop
    private let tls: TLSContext?

    /// - Parameter tls: a client's context for https; without one, https is refused.
    package init(on loop: Loop, tls: TLSContext? = nil) {
        self.loop = loop
        self.tls = tls
    }

    /// Sends `request`; `completion` runs once, later, on the loop. Redirects are not followed: a key set or a command
    /// that moved is for a person to look at.
    @discardableResult
    package func send(
        _ request: Request, completion: @escaping (Result<HTTPResponse, HTTPError>) -> Void
    ) -> HTTPCall {
        HTTPCall(request, on: loop, tls: tls, completion: completion)
    }
}

@available(*, unavailable)
extension HTTPClient: Sendable {}

/// A client's request under way.
package final class HTTPCall: ConnectionDelegate {
    private let request: HTTPClient.Request
    private var parser: ResponseParser
    private var completion: ((Result<HTTPResponse, HTTPError>) -> Void)?
    private var connection: Connection?
    private var timer: Timer?
    /// What is told once the connection is gone: the completion comes last.
    private var outcome: Result<HTTPResponse, HTTPError>?

    fileprivate init(
        _ request: HTTPClient.Request, on loop: Loop, tls: TLSContext?,
        completion: @escaping (Result<HTTPResponse, HTTPError>) -> Void
    ) {
        self.request = request
        self.completion = completion
        parser = ResponseParser(requestMethod: request.method, maxBodyBytes: request.maxBodyBytes)
        let isRefused = request.url.isSecure && tls == nil
        let connection = Connection.connect(
            on: loop, to: request.url.endpoint, tls: request.url.isSecure ? tls : nil,
            serverName: request.url.endpoint.host ?? "localhost", timeout: request.timeout,
            limits: ConnectionLimits(maxQueuedBytes: max(1024 * 1024, 2 * request.body.count)), delegate: self)
        self.connection = connection
        if isRefused { finish(.failure(error(.invalidURL, "https needs a certificate authority to trust"))) }
        timer = Timer(on: loop) { [unowned self] in
            finish(.failure(error(.timedOut, "no complete response within \(self.request.timeout)")))
        }
        timer?.start(after: request.timeout)
    }

    /// Ends the request with `.cancelled`, unless it has ended.
    package func cancel() {
        finish(.failure(error(.cancelled, "cancelled")))
    }

    package func connectionOpened(_ connection: Connection) {
        connection.write(request.bytes)
    }

    package func connection(_ connection: Connection, received bytes: UnsafeRawBufferPointer) {
        guard outcome == nil else { return }
        take(unsafe parser.receive(bytes))
    }

    package func connectionDrained(_ connection: Connection) {}

    package func connectionReachedEnd(_ connection: Connection) {
        guard outcome == nil else { return }
        take(parser.end())
        if outcome == nil { connection.close() }
    }

    package func connectionClosed(_ connection: Connection, because reason: LoopError?) {
        timer?.close()
        let failure = reason.map { reason in
            reason.code == .timedOut
                ? error(.timedOut, "no complete response within \(request.timeout)")
                : error(.connection(reason.code), reason.description)
        }
        let result = outcome ?? .failure(failure ?? error(.malformedResponse, "the connection ended early"))
        self.connection = nil
        let completion = completion
        self.completion = nil
        completion?(result)
    }

    private func take(_ parsed: ResponseParser.Outcome) {
        switch parsed {
        case .incomplete: break
        case .complete(let response): finish(.success(response))
        case .malformed(let reason): finish(.failure(error(.malformedResponse, "\(reason)")))
        case .tooLarge:
            finish(.failure(error(.tooLarge, "the response is longer than \(request.maxBodyBytes) bytes")))
        }
    }

    private func finish(_ result: Result<HTTPResponse, HTTPError>) {
        guard outcome == nil else { return }
        outcome = result
        connection?.close()
    }

    private func error(_ code: HTTPError.Code, _ reason: String) -> HTTPError {
        HTTPError(code, "\(request.method.name) at \(request.url.endpoint) failed: \(reason)")
    }
}

@available(*, unavailable)
extension HTTPCall: Sendable {}
