import QuashHTTP
import QuashJSON
import QuashLoop
import TestSupport

/// The calls that tests make over HTTP.
final class WebClient: Sendable {
    private let client: BlockingHTTPClient

    init() throws {
        client = try BlockingHTTPClient()
    }

    /// - Parameter target: `http://host:port/path`.
    func call(
        _ method: HTTPMethod, _ target: String, fields: FieldLines = [:], body: String = "",
        timeout: Duration = .seconds(10)
    ) throws -> HTTPResponse {
        try client.send(
            HTTPClient.Request(
                method, HTTPURL(target), fields: fields, body: Array(body.utf8), timeout: timeout))
    }

    /// Sends all at once, each over a connection of its own, and gives the answers in the same order.
    func all(_ requests: [HTTPClient.Request], within limit: Duration = .seconds(30)) throws -> [HTTPResponse] {
        let replies = Recorder<(Int, Result<HTTPResponse, HTTPError>)>()
        let thread = try LoopThread(name: "test-web")
        defer {
            thread.stop()
            thread.join()
        }
        thread.submit { loop in
            for (number, request) in requests.enumerated() {
                HTTPClient(on: loop).send(request) { replies.record((number, $0)) }
            }
        }
        return try replies.wait(count: requests.count, within: limit).sorted { $0.0 < $1.0 }.map { try $0.1.get() }
    }

    func form(_ target: String, _ body: String, fields: FieldLines = [:]) throws -> HTTPResponse {
        var fields = fields
        fields.append("Content-Type", "application/x-www-form-urlencoded")
        return try call(.post, target, fields: fields, body: body)
    }
}

extension HTTPResponse {
    var json: JSONValue? { try? JSONValue(parsing: body.span) }
    /// RFC 6749 §5.2: the refresh token is dead.
    var isInvalidGrant: Bool { status == .badRequest && json?["error"]?.string == "invalid_grant" }
    var text: String { String(decoding: body, as: UTF8.self) }
}
