import QuashHTTP
import QuashJSON

/// The answers that endpoints share. Nothing of the issuer is to be kept by caches unless it says so.
extension HTTPExchange {
    /// JSON that may hold tokens: RFC 6749 §5.1 demands both fields, though only HTTP/1.0 knows the second.
    func send(_ status: HTTPStatus = .ok, json: JSONValue, fields: FieldLines = FieldLines()) {
        send(PreparedResponse(status, json: json, fields: fields))
    }

    /// RFC 9457.
    func send(_ problem: Problem, fields: FieldLines = FieldLines()) {
        var fields = fields
        fields.append("Content-Type", "application/problem+json")
        fields.append("Cache-Control", "no-store")
        send(problem.status, fields: fields, body: problem.json.serialized())
    }

    /// The failure is on this side and passes: 503, never a 4xx, on which clients give up.
    func send(unavailable reason: String) {
        send(Problem(.serviceUnavailable, reason), fields: ["Retry-After": "1"])
    }

    /// A method that the resource does not have (RFC 9110 §15.5.6).
    func send(allowing methods: String) {
        send(Problem(.methodNotAllowed, "this takes \(methods)"), fields: ["Allow": methods])
    }

    /// RFC 6750 §3: without an error when nothing was presented.
    func send(_ challenge: BearerChallenge) { send(challenge.response) }
}

extension PreparedResponse {
    /// As ``HTTPExchange/send(_:json:fields:)`` sends it.
    init(_ status: HTTPStatus, json: JSONValue, fields: FieldLines) {
        var fields = fields
        fields.append("Content-Type", "application/json")
        fields.append("Cache-Control", "no-store")
        fields.append("Pragma", "no-cache")
        self.init(status, fields: fields, body: json.serialized())
    }
}

/// The answers of RFC 6750 §3 to a request without a good bearer token.
enum BearerChallenge: CaseIterable {
    /// Nothing was presented.
    case missing
    /// Whatever is wrong with the token: one and the same answer, which tells an attacker nothing.
    case invalidToken
    /// The token is good, but does not grant what is asked for.
    case insufficientScope

    var response: PreparedResponse {
        switch self {
        case .missing: Self.missingResponse
        case .invalidToken: Self.invalidResponse
        case .insufficientScope: Self.scopeResponse
        }
    }

    private static let missingResponse = make(.unauthorized, "Bearer realm=\"quash\"")
    private static let invalidResponse = make(.unauthorized, "Bearer realm=\"quash\", error=\"invalid_token\"")
    private static let scopeResponse = make(.forbidden, "Bearer realm=\"quash\", error=\"insufficient_scope\"")

    private static func make(_ status: HTTPStatus, _ challenge: String) -> PreparedResponse {
        PreparedResponse(status, fields: ["WWW-Authenticate": challenge, "Cache-Control": "no-store"])
    }
}

extension HTTPRequest {
    /// Whether the body says that it is of this media type, with whatever parameters.
    func hasContentType(_ type: StaticString) -> Bool {
        guard let value = firstValue(of: "content-type"), count(of: "content-type") == 1 else { return false }
        let text = value.array
        let end = text.firstIndex(of: UInt8(ascii: ";")) ?? text.endIndex
        return text[..<end].reversed().drop { $0 == 0x20 }.reversed().map { byte in
            (0x41...0x5A).contains(byte) ? byte + 0x20 : byte
        }.elementsEqual(type.description.utf8)
    }
}
