import Quash
import QuashHTTP
import QuashJWT
import QuashLoop

/// What gateways ask: whether a request's bearer token may pass. One for each loop; answers in the same call.
///
/// | path | allow | refuse |
/// |---|---|---|
/// | `/authz/auth-request` (nginx) | 204 | 401, 403, 503 |
/// | `/authz/forward-auth` (Caddy, Traefik, APISIX) | 200 | 401, 403, 503 |
/// | `/authz/ext-authz/…` (Envoy), any method and path | 200 | 401, 403, 503 |
///
/// `X-Quash-Min: epoch:seq` asks for a decision that is no older than that position: 503 where it is not known to be
/// applied.
///
/// On accept, every identity field is there, even if empty, so that a gateway which copies them overwrites what a
/// client may have sent. On refusal, none is.
final class AuthorizationEndpoints: HTTPResponder {
    /// A gateway that forwards a body by mistake is told so by 413; ext_authz may send the start of one.
    private static let maxExtAuthzBodyBytes = 64 * 1024

    private let validator: Validator
    private let metrics: DecisionMetrics
    private let hasReached: (FeedPosition) -> Bool
    private let unknownKey: () -> Void

    /// - Parameter hasReached: whether a position is known to be applied.
    /// - Parameter unknownKey: called when a token names a key that is not known: it may be a new one.
    init(
        validator: Validator, metrics: DecisionMetrics, hasReached: @escaping (FeedPosition) -> Bool,
        unknownKey: @escaping () -> Void
    ) {
        self.hasReached = hasReached
        self.validator = validator
        self.metrics = metrics
        self.unknownKey = unknownKey
    }

    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int {
        request.path.hasPrefix("/authz/ext-authz/") ? Self.maxExtAuthzBodyBytes : 0
    }

    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        let begun = exchange.loop.now
        defer { metrics.took(exchange.loop.now - begun) }
        let path = request.path
        if path.equals("/authz/auth-request") {
            decide(request, exchange, allowed: .noContent, query: request.query)
        } else if path.equals("/authz/forward-auth") {
            decide(request, exchange, allowed: .ok, query: request.query)
        } else if path.hasPrefix("/authz/ext-authz/") || path.equals("/authz/ext-authz") {
            // Envoy appends the path and the query of its own client: nothing there is asked by the gateway.
            decide(request, exchange, allowed: .ok, query: nil)
        } else {
            exchange.send(
                Problem(.notFound, "gateways ask /authz/auth-request, /authz/forward-auth or /authz/ext-authz/"))
        }
    }

    private func decide(
        _ request: borrowing HTTPRequest, _ exchange: HTTPExchange, allowed: HTTPStatus, query: RawSpan?
    ) {
        let token: [UInt8]
        switch request.bearerToken {
        // RFC 6750 §3.1: another scheme is no bearer token, so nothing is said to be wrong with one.
        case .nothing, .otherScheme:
            metrics.refused(.missing)
            return exchange.send(.missing)
        case .malformed:
            metrics.refused(.malformed)
            return exchange.send(.invalidToken)
        case .value(let presented): token = presented
        }
        // Before the revocations are looked up, so that the look-up sees all that the position covers.
        if let minimum = request.firstValue(of: "x-quash-min") {
            guard request.count(of: "x-quash-min") == 1, let minimum = FeedPosition(minimum.text) else {
                return exchange.send(
                    Problem(.badRequest, "X-Quash-Min is one position, epoch:seq, as a revocation was answered"))
            }
            guard hasReached(minimum) else {
                metrics.unavailable(.behind)
                return exchange.send(unavailable: Unavailability.behind.description)
            }
        }
        switch validator.validate(token.span) {
        case .accepted(let verified):
            guard grants(verified, query) else {
                metrics.refused(.insufficientScope)
                return exchange.send(.insufficientScope)
            }
            guard let identity = identity(of: verified) else {
                metrics.refused(.token(.invalid(.badClaims)))
                return exchange.send(.invalidToken)
            }
            metrics.accepted()
            exchange.send(allowed, fields: identity)
        case .refused(let refusal):
            metrics.refused(.token(refusal))
            if refusal == .invalid(.unknownKey) { unknownKey() }
            exchange.send(.invalidToken)
        case .unavailable(let reason):
            metrics.unavailable(reason)
            exchange.send(unavailable: reason.description)
        }
    }

    /// Whether the token has every scope that the gateway asks for in its query, `scope=read+write`.
    private func grants(_ token: VerifiedToken, _ query: RawSpan?) -> Bool {
        guard let query, query.byteCount > 0 else { return true }
        // A query that cannot be read asks for something unknown, which no token grants.
        guard let required = FormParameters(query.array)?["scope"] else { return false }
        let granted = Set((token.claims.scope ?? "").split(separator: " "))
        return required.split(separator: " ").allSatisfy(granted.contains)
    }

    /// The identity fields of a token; nil when a claim cannot stand in a field as it is. Writing it any other way
    /// could make two subjects look like one, so such a token is refused.
    private func identity(of token: VerifiedToken) -> FieldLines? {
        let claims = token.claims
        let session = token.tokenID?.session.description ?? claims.sessionID ?? ""
        let scope = claims.scope ?? ""
        guard [claims.subject, session, claims.id, scope].allSatisfy({ isFieldValue($0) }) else { return nil }
        var fields: FieldLines = ["Cache-Control": "no-store"]
        fields.append("X-Auth-Subject", claims.subject)
        fields.append("X-Auth-Session", session)
        fields.append("X-Auth-Jti", claims.id)
        fields.append("X-Auth-Expires", "\(claims.expiresAt.seconds)")
        fields.append("X-Auth-Scope", scope)
        return fields
    }
}
