import Glibc
import QuashCrypto
import QuashHTTP
import QuashJSON
import TestSupport
import Testing

/// The calls that these tests make over HTTP.
final class Web: Sendable {
    private let plain: BlockingHTTPClient
    private let secure: BlockingHTTPClient?

    /// - Parameter authorities: a file with those whom an https server must lead to.
    init(authorities: String? = nil) throws {
        plain = try BlockingHTTPClient()
        secure = try authorities.map { path in
            try BlockingHTTPClient(tls: .client(trust: .certificateAuthorities(path: path)))
        }
    }

    func call(
        _ method: HTTPMethod, _ target: String, fields: FieldLines = [:], body: String = "",
        timeout: Duration = .seconds(30), maxBodyBytes: Int = 16 << 20
    ) throws -> HTTPResponse {
        let url = try HTTPURL(target)
        let request = HTTPClient.Request(
            method, url, fields: fields, body: Array(body.utf8), timeout: timeout, maxBodyBytes: maxBodyBytes)
        return try (url.isSecure ? secure ?? plain : plain).send(request)
    }
}

extension HTTPResponse {
    var json: JSONValue? { try? JSONValue(parsing: body.span, maxBytes: max(1, body.count)) }
    var text: String { String(decoding: body, as: UTF8.self) }
}

/// Every byte but letters and digits as `%XX`.
func percentEncoded(_ text: String) -> String {
    text.utf8.map { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: String(UnicodeScalar(byte))
        default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
    }.joined()
}

extension Trait where Self == ConditionTrait {
    /// For suites that need what `scripts/operations` installs.
    static var operations: Self {
        .enabled("needs Prometheus and Chromium: run scripts/operations") {
            unsafe getenv("QUASH_OPERATIONS") != nil
        }
    }
}
