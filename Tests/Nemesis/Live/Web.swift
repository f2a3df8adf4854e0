import NemesisHistory
import Quash
import QuashHTTP
import QuashJSON
import QuashLoop
import TestSupport

/// Requests from many clients at once, and exactly when each was sent and answered.
final class Web: Sendable {
    /// An answer, or nil where there was none in time.
    struct Reply: Sendable {
        let response: HTTPResponse?
        /// From before its first byte can have left until after its last had come.
        let span: TimeSpan

        var status: Int? { response?.status.code }
        var json: JSONValue? { response.flatMap { try? JSONValue(parsing: $0.body.span) } }
    }

    private let threads: [LoopThread]

    init() throws {
        threads = try (0..<2).map { try LoopThread(name: "clients-\($0)") }
    }

    func send(
        _ method: HTTPMethod, _ endpoint: Endpoint, _ target: String, bearer: String? = nil,
        fields: FieldLines = [:], body: String = "", timeout: Duration
    ) async -> Reply {
        var fields = fields
        if let bearer { fields.append("Authorization", "Bearer \(bearer)") }
        let request = HTTPClient.Request(
            method, HTTPURL(endpoint: endpoint, target: target), fields: fields, body: Array(body.utf8),
            timeout: timeout)
        return await withCheckedContinuation { continuation in
            let sent = Observer.now
            threads.randomElement()?.submit { loop in
                HTTPClient(on: loop).send(request) { result in
                    continuation.resume(
                        returning: Reply(response: try? result.get(), span: TimeSpan(sent, Observer.now)))
                }
            }
        }
    }

    func form(
        _ endpoint: Endpoint, _ target: String, bearer: String? = nil, body: String, timeout: Duration
    ) async -> Reply {
        await send(
            .post, endpoint, target, bearer: bearer, fields: ["Content-Type": "application/x-www-form-urlencoded"],
            body: body, timeout: timeout)
    }
}
