import Glibc
import QuashHTTP
import TestSupport

/// A request as it goes over the wire to a gateway.
struct GatewayRequest {
    var method = "GET"
    var target = "/"
    var version = "HTTP/1.1"
    /// The bearer token.
    var token: String?
    /// More lines of the head, each with its end, as they are.
    var lines: [UInt8] = []
    var body: [UInt8] = []

    init(
        _ method: String = "GET", _ target: String = "/", token: String? = nil, lines: String = "", body: String = ""
    ) {
        self.method = method
        self.target = target
        self.token = token
        self.lines = Array(lines.utf8)
        self.body = Array(body.utf8)
    }

    var bytes: [UInt8] {
        let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let length = body.isEmpty ? "" : "Content-Length: \(body.count)\r\n"
        return Array("\(method) \(target) \(version)\r\nHost: gateway.example\r\n\(authorization)\(length)".utf8)
            + lines + Array("\r\n".utf8) + body
    }
}

/// What a gateway answered.
struct GatewayResponse {
    let status: Int
    private let response: HTTPResponse

    init(_ response: HTTPResponse) {
        self.response = response
        status = response.status.code
    }

    /// The values of every field called `name`, which is in lower case.
    func values(of name: String) -> [String] {
        response.fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    var text: String { String(decoding: response.body, as: UTF8.self) }
}

/// One connection to a gateway: bytes out, one response in, and again.
final class GatewayConnection {
    private let socket: RawClient
    private var isOver = false

    init(port: UInt16) throws { socket = try RawClient(port: port) }

    /// Whether the gateway has not closed it. What it closes the moment after is not seen.
    var isUsable: Bool {
        guard !isOver else { return false }
        var waiting = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&waiting, 1, 0) == 0
    }

    func call(_ request: GatewayRequest) throws -> GatewayResponse {
        let method = request.method == "HEAD" ? HTTPMethod.head : .get
        guard let response = try exchange(request.bytes, method) else {
            throw TestSupportError("the gateway closed without an answer")
        }
        return response
    }

    /// Sends the bytes and reads one response.
    ///
    /// - Returns: nil when the gateway closes without one, or does not answer in time.
    func exchange(_ bytes: [UInt8], _ method: HTTPMethod = .get, seconds: Int = 20) throws -> GatewayResponse? {
        limitBlocking(on: socket.descriptor, seconds: seconds)
        _ = socket.send(bytes)
        var parser = ResponseParser(requestMethod: method, maxBodyBytes: 1 << 20)
        while true {
            let more = socket.read()
            let outcome = more.map { unsafe $0.withUnsafeBytes { unsafe parser.receive($0) } } ?? parser.end()
            switch outcome {
            case .incomplete: continue
            case .complete(let response):
                let answer = GatewayResponse(response)
                if answer.values(of: "connection").contains(where: { $0.lowercased() == "close" }) { isOver = true }
                return answer
            case .malformed, .tooLarge:
                isOver = true
                return nil
            }
        }
    }
}
