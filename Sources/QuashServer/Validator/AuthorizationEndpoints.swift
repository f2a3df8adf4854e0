package import Quash
package import QuashHTTP
import QuashJWT
package import QuashLoop

/// What gateways ask: whether a request's bearer token may pass. One for each loop; answers in the same call.
///
/// | path | allow | refuse |
/// |---|---|---|
/// | `/authz/auth-request` (nginx) | 204 | 401, 403, 503 |
/// | `/authz/forward-auth` (Caddy, Traefik, APISIX) | 200 | 401, 403, 503 |
/// | `/authz/ext-authz/…` (Envoy), any method and path | 200 | 401, 403, 503 |
/// | `/readyz`: whether to ask here at all, for health checks of gateways | 200 | 503 |
///
/// `X-Quash-Min: epoch:seq` asks for a decision that is no older than that position: 503 where it is not known to be
/// applied.
///
/// On accept, every identity field is there, even if empty, so that a gateway which copies them overwrites what a
/// client may have sent. On refusal, none is.
///
/// A token that this loop has verified before is decided on at once. Others are verified within a budget for each turn
/// of the loop; what is beyond waits, one of each connection after the other, so that a flood of forged tokens keeps
/// nobody else waiting.
package final class AuthorizationEndpoints: HTTPResponder {
    /// A gateway that forwards a body by mistake is told so by 413; ext_authz may send the start of one.
    private static let maxExtAuthzBodyBytes = 64 * 1024

    private struct Waiting: VerificationRequest {
        unowned let endpoints: AuthorizationEndpoints
        let token: [UInt8]
        let query: [UInt8]
        let allowed: PreparedResponse
        let exchange: HTTPExchange
        let begun: LoopInstant

        /// With what the rest of it takes.
        var bytes: Int { token.count + query.count + 512 }

        func proceed() { endpoints.judge(token.span, exchange, allowed: allowed, query: query, begun) }
    }

    private let validator: Validator
    private let metrics: DecisionMetrics
    private let canDecide: () -> Bool
    private let hasReached: (FeedPosition) -> Bool
    private let unknownKey: () -> Void
    private let tokenAhead: () -> Void
    private let turns: VerificationTurns<Waiting>

    /// - Parameter canDecide: whether keys are loaded and a lease is held.
    /// - Parameter hasReached: whether a position is known to be applied.
    /// - Parameter tokenAhead: called when a token of ours is dated ahead of this node's clock.
    /// - Parameter unknownKey: called when a token names a key that is not known: it may be a new one.
    package init(
        on loop: Loop, validator: Validator, metrics: DecisionMetrics, canDecide: @escaping () -> Bool,
        hasReached: @escaping (FeedPosition) -> Bool, tokenAhead: @escaping () -> Void = {},
        unknownKey: @escaping () -> Void
    ) {
        self.canDecide = canDecide
        self.hasReached = hasReached
        self.validator = validator
        self.metrics = metrics
        self.unknownKey = unknownKey
        self.tokenAhead = tokenAhead
        turns = VerificationTurns(on: loop, validator: validator)
    }

    package func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int {
        request.path.hasPrefix("/authz/ext-authz/") ? Self.maxExtAuthzBodyBytes : 0
    }

    package func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        let path = request.path
        if path.equals("/authz/auth-request") {
            decide(request, exchange, allowed: Self.noContent, query: request.query)
        } else if path.equals("/authz/forward-auth") {
            decide(request, exchange, allowed: Self.ok, query: request.query)
        } else if path.hasPrefix("/authz/ext-authz/") || path.equals("/authz/ext-authz") {
            // Envoy appends the path and the query of its own client: nothing there is asked by the gateway.
            decide(request, exchange, allowed: Self.ok, query: nil)
        } else if path.equals("/readyz") {
            guard request.method == .get || request.method == .head else {
                return exchange.send(allowing: "GET, HEAD")
            }
            if canDecide() { exchange.send(Self.ok) } else { exchange.send(unavailable: "no keys, or no lease") }
        } else {
            exchange.send(
                Problem(.notFound, "gateways ask /authz/auth-request, /authz/forward-auth or /authz/ext-authz/"))
        }
    }

    private static let noContent = PreparedResponse(.noContent, fields: ["Cache-Control": "no-store"])
    private static let ok = PreparedResponse(.ok, fields: ["Cache-Control": "no-store"])

    private func decide(
        _ request: borrowing HTTPRequest, _ exchange: HTTPExchange, allowed: PreparedResponse, query: RawSpan?
    ) {
        let begun = exchange.loop.now
        guard let place = request.index(of: "authorization") else {
            metrics.refused(.missing)
            return exchange.send(.missing)
        }
        // RFC 6750 §3.1: another scheme is no bearer token, so nothing is said to be wrong with one.
        guard request.index(of: "authorization", from: place + 1) == nil else {
            metrics.refused(.malformed)
            return exchange.send(.invalidToken)
        }
        guard let token = bearerToken(in: request.fieldValue(at: place)) else {
            metrics.refused(.missing)
            return exchange.send(.missing)
        }
        guard token.byteCount > 0 else {
            metrics.refused(.malformed)
            return exchange.send(.invalidToken)
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
        if turns.isOpen {
            judge(token.span, exchange, allowed: allowed, query: query?.array ?? [], begun)
            turns.settle()
        } else if let judgement = validator.judgeRemembered(token.span) {
            answer(exchange, judgement, allowed: allowed, query: query?.array ?? [], begun)
        } else {
            let one = Waiting(
                endpoints: self, token: token.array, query: query?.array ?? [], allowed: allowed, exchange: exchange,
                begun: begun)
            guard turns.wait(one) else {
                metrics.unavailable(.overloaded)
                return exchange.send(unavailable: Unavailability.overloaded.description)
            }
        }
    }

    // MARK: Deciding

    private func judge(
        _ token: Span<UInt8>, _ exchange: HTTPExchange, allowed: PreparedResponse, query: [UInt8], _ begun: LoopInstant
    ) {
        answer(exchange, validator.judge(token), allowed: allowed, query: query, begun)
    }

    private func answer(
        _ exchange: HTTPExchange, _ judgement: Validator.Judgement, allowed: PreparedResponse, query: [UInt8],
        _ begun: LoopInstant
    ) {
        defer { metrics.took(exchange.loop.now.nanoseconds - begun.nanoseconds, cacheHits: validator.cacheHits) }
        switch judgement {
        case .accepted(let known):
            guard grants(known.verified, query) else {
                metrics.refused(.insufficientScope)
                return exchange.send(.insufficientScope)
            }
            guard let identity = identity(of: known) else {
                metrics.refused(.token(.invalid(.badClaims)))
                return exchange.send(.invalidToken)
            }
            metrics.accepted()
            exchange.send(allowed, extraFields: identity)
        case .refused(let refusal):
            metrics.refused(.token(refusal))
            if refusal == .invalid(.unknownKey) { unknownKey() }
            exchange.send(.invalidToken)
        case .unavailable(let reason):
            metrics.unavailable(reason)
            if reason == .tokenAhead { tokenAhead() }
            exchange.send(unavailable: reason.description)
        }
    }

    /// Whether the token has every scope that the gateway asks for in its query, `scope=read+write`.
    private func grants(_ token: VerifiedToken, _ query: [UInt8]) -> Bool {
        guard !query.isEmpty else { return true }
        // A query that cannot be read asks for something unknown, which no token grants.
        guard let required = FormParameters(query)?["scope"] else { return false }
        let granted = Set((token.claims.scope ?? "").split(separator: " "))
        return required.split(separator: " ").allSatisfy(granted.contains)
    }

    /// The identity fields of a token, made once; nil when a claim cannot stand in a field as it is. Writing it any
    /// other way could make two subjects look like one, so such a token is refused.
    private func identity(of known: KnownToken) -> FieldLines? {
        if !known.annotation.isEmpty { return FieldLines(bytes: known.annotation) }
        let claims = known.verified.claims
        let session = known.verified.tokenID?.session.description ?? claims.sessionID ?? ""
        let scope = claims.scope ?? ""
        guard [claims.subject, session, claims.id, scope].allSatisfy({ isFieldValue($0) }) else { return nil }
        var fields = FieldLines()
        fields.append("X-Auth-Subject", claims.subject)
        fields.append("X-Auth-Session", session)
        fields.append("X-Auth-Jti", claims.id)
        fields.append("X-Auth-Expires", "\(claims.expiresAt.seconds)")
        fields.append("X-Auth-Scope", scope)
        known.annotation = fields.bytes
        return fields
    }
}

/// What follows `Bearer` and its spaces (RFC 6750 §2.1), empty if nothing does; nil for another scheme, of which the
/// name matches without regard to case (RFC 9110 §11.1). Whether it is token68 is seen when it is read as a token.
@_lifetime(copy value)
private func bearerToken(in value: RawSpan) -> RawSpan? {
    let schemeBytes = 6
    guard value.byteCount >= schemeBytes, value.extracting(first: schemeBytes).equals(lowercase: "bearer") else {
        return value.byteCount == 0 ? value : nil
    }
    guard value.byteCount > schemeBytes else { return value.extracting(last: 0) }
    let space = UInt8(ascii: " ")
    guard unsafe value.unsafeLoad(fromByteOffset: schemeBytes, as: UInt8.self) == space else { return nil }
    var start = schemeBytes + 1
    // SAFETY: below the count.
    while start < value.byteCount, unsafe value.unsafeLoad(fromByteOffset: start, as: UInt8.self) == space {
        start += 1
    }
    return value.extracting(droppingFirst: start)
}

extension RawSpan {
    /// The same bytes.
    fileprivate var span: Span<UInt8> {
        @_lifetime(copy self) get { Span(_bytes: self) }
    }
}
