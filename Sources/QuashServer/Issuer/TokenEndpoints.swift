import Quash
import QuashHTTP
import QuashJSON
import QuashJWT
import QuashLoop

/// The OAuth endpoints of the issuer's public listener: RFC 6749 §6, RFC 7009, RFC 7662, RFC 7517, RFC 8414, and
/// `/logout`.
///
/// Strangers may present tokens here, and each costs a verification. So those come out of one budget for each turn of
/// the loop; what is beyond waits, and with too much waiting it is answered 503.
final class TokenEndpoints {
    static let maxBodyBytes = 32 * 1024
    private static let formType: StaticString = "application/x-www-form-urlencoded"

    private let service: IssuerService
    private let adminToken: SecretDigest?
    private let metadata: ServerMetadata?
    private let audit: AuditLog
    private let load: ListenerLoad
    private let turns: VerificationTurns<Waiting>
    /// Where the metadata is, or would be.
    let metadataPath: [UInt8]
    /// Replaced on a reload, as the next one is.
    var clients: ClientRegistry
    /// The JWKS document as it is answered.
    var keySet: [UInt8]

    init(
        service: IssuerService, clients: ClientRegistry, adminToken: SecretDigest?, metadata: ServerMetadata?,
        keySet: [UInt8], audit: AuditLog, load: ListenerLoad, on loop: Loop
    ) {
        self.service = service
        self.clients = clients
        self.adminToken = adminToken
        self.metadata = metadata
        metadataPath = Array((metadata?.path ?? ServerMetadata.wellKnownPath).utf8)
        self.keySet = keySet
        self.audit = audit
        self.load = load
        turns = VerificationTurns(on: loop, validator: service.validator)
    }

    // MARK: Verifying

    private struct Waiting: VerificationRequest {
        let exchange: HTTPExchange
        let bytes: Int
        let work: () -> Void

        func proceed() { work() }
    }

    /// Does `work`, which has `token` verified, now or in a later turn of the loop.
    private func verifying(_ token: String, _ exchange: HTTPExchange, _ work: @escaping () -> Void) {
        if turns.isOpen {
            work()
            return turns.settle()
        }
        // With what the rest of the form takes.
        let waiting = Waiting(exchange: exchange, bytes: 2 * token.utf8.count + 1024, work: work)
        guard turns.wait(waiting) else {
            load.shed(.verifications)
            return exchange.send(unavailable: "too many tokens are to be verified: try again in a second")
        }
    }

    // MARK: POST /oauth2/token

    func token(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        guard let (form, client) = prologue(request, exchange) else { return }
        guard let grant = form["grant_type"] else {
            return fail(exchange, "invalid_request", "grant_type is missing")
        }
        guard grant == "refresh_token" else {
            return fail(exchange, "unsupported_grant_type", "only refresh_token is supported")
        }
        guard let token = form["refresh_token"] else {
            return fail(exchange, "invalid_request", "refresh_token is missing")
        }
        if let scope = form["scope"], !isScope(scope) { return fail(exchange, "invalid_scope", "malformed scope") }
        verifying(token, exchange) { [self] in
            service.refresh(Array(token.utf8), client: client, scope: form["scope"]) { [self] result in
                switch result {
                case .success(let pair): exchange.send(json: .object(Self.answer(pair)))
                case .failure(let failure): refuse(exchange, failure)
                }
            }
        }
    }

    /// RFC 6749 §5.1.
    static func answer(_ pair: IssuerService.TokenPair) -> JSONObject {
        var object = JSONObject()
        object["access_token"] = .string(String(decoding: pair.access, as: UTF8.self))
        object["token_type"] = "Bearer"
        object["expires_in"] = .integer(pair.expiresInSeconds)
        object["refresh_token"] = .string(String(decoding: pair.refresh, as: UTF8.self))
        object["scope"] = pair.scope.map { .string($0) }
        return object
    }

    // MARK: POST /oauth2/revoke

    /// RFC 7009: either token of a pair ends its session. What is no token of ours, or expired, is revoked already:
    /// 200. `token_type_hint` is ignored: a token states its type.
    func revoke(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        guard let (form, client) = prologue(request, exchange) else { return }
        guard let token = form["token"] else { return fail(exchange, "invalid_request", "token is missing") }
        verifying(token, exchange) { [self] in revoke(token, of: client, exchange) }
    }

    private func revoke(_ token: String, of client: String?, _ exchange: HTTPExchange) {
        guard let token = service.genuineToken(Array(token.utf8)), let id = token.tokenID else {
            return exchange.send(.ok, fields: Self.noStore)
        }
        // A token of one client is not another's to revoke; RFC 7009 §2.1 says to refuse that.
        if let owner = token.claims.clientID, owner != client {
            return fail(exchange, "invalid_client", "the token was issued to another client", status: .unauthorized)
        }
        let isNew = !service.hasEnded(id.session)
        service.end(id.session) { [self] result in
            if isNew {
                ended(
                    id.session, by: client.map { "client:\($0)" } ?? "token", exchange, result, everywhere: false)
            }
            switch result {
            case .success: exchange.send(.ok, fields: Self.noStore)
            case .failure(let failure): refuse(exchange, failure)
            }
        }
    }

    // MARK: POST /oauth2/introspect

    /// RFC 7662, for confidential clients and the administrator.
    func introspect(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        var isAdministrator = false
        if case .value(let bearer) = request.bearerToken {
            // RFC 7662 §2.3: a wrong bearer is answered as RFC 6750 §3 says.
            guard let adminToken, adminToken.matches(bearer) else {
                audit.refused(AuditActor(name: "unknown", peer: exchange.peer), listener: "public")
                return exchange.send(.invalidToken)
            }
            isAdministrator = true
        }
        guard let (form, client) = prologue(request, exchange, isAuthenticated: isAdministrator) else { return }
        guard isAdministrator || client.map(clients.isConfidential) == true else {
            return fail(
                exchange, "invalid_client", "introspection needs a client that authenticates", status: .unauthorized)
        }
        guard let token = form["token"] else { return fail(exchange, "invalid_request", "token is missing") }
        verifying(token, exchange) { [self] in introspect(token, exchange) }
    }

    private func introspect(_ token: String, _ exchange: HTTPExchange) {
        let verified: VerifiedToken
        switch service.inspect(Array(token.utf8)) {
        case .accepted(let token): verified = token
        case .unavailable(let reason): return refuse(exchange, .unavailable(reason.description))
        case .refused: return exchange.send(json: ["active": false])
        }
        guard verified.type == .refresh else {
            return exchange.send(json: Self.active(verified.claims, isAccess: true))
        }
        guard let id = verified.tokenID else { return exchange.send(json: ["active": false]) }
        service.session(of: id) { [self] result in
            switch result {
            case .success(let (record, isCurrent)?) where isCurrent && !record.isEnded:
                exchange.send(json: Self.active(verified.claims, isAccess: false))
            case .success: exchange.send(json: ["active": false])
            case .failure(let failure): refuse(exchange, failure)
            }
        }
    }

    private static func active(_ claims: Claims, isAccess: Bool) -> JSONValue {
        var object = JSONObject()
        object["active"] = true
        object["sub"] = .string(claims.subject)
        object["exp"] = .integer(claims.expiresAt.seconds)
        object["iat"] = .integer(claims.issuedAt.seconds)
        object["jti"] = .string(claims.id)
        if isAccess { object["token_type"] = "Bearer" }
        object["iss"] = claims.issuer.map { .string($0) }
        if !claims.audience.isEmpty { object["aud"] = .array(claims.audience.map { .string($0) }) }
        object["client_id"] = claims.clientID.map { .string($0) }
        object["scope"] = claims.scope.map { .string($0) }
        return .object(object)
    }

    // MARK: POST /logout

    /// Ends the session of the bearer's access token, or with `everywhere=true` all of its subject's.
    func logout(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        let token: [UInt8]
        switch request.bearerToken {
        case .nothing, .otherScheme: return exchange.send(.missing)
        case .malformed: return exchange.send(.invalidToken)
        case .value(let presented): token = presented
        }
        let body = request.body.array
        guard body.isEmpty || request.hasContentType(Self.formType), let form = FormParameters(body) else {
            return fail(exchange, "invalid_request", "the body is not a well-formed form")
        }
        let everywhere = form["everywhere"] ?? "false"
        guard everywhere == "true" || everywhere == "false" else {
            return fail(exchange, "invalid_request", "everywhere is true or false")
        }
        let wait: IssuerService.Wait
        do throws(Problem) {
            let timeout = form["timeout"].map { Duration(shortText: $0) }
            if case .some(nil) = timeout { throw Problem(.badRequest, "timeout is a duration, like 5s") }
            wait = try IssuerService.Wait(form["wait"], timeout: timeout ?? nil)
        } catch {
            return fail(exchange, "invalid_request", error.detail)
        }
        verifying(String(decoding: token, as: UTF8.self), exchange) { [self] in
            logout(token, everywhere: everywhere == "true", wait: wait, exchange)
        }
    }

    private func logout(_ token: [UInt8], everywhere: Bool, wait: IssuerService.Wait, _ exchange: HTTPExchange) {
        // Whoever holds a genuine token may end it, also a second time: the first answer may have been lost.
        guard let verified = service.genuineToken(token, as: .access), let id = verified.tokenID else {
            return exchange.send(.invalidToken)
        }
        let isNew = !service.hasEnded(id.session)
        let answer = { [self] (result: Result<IssuerService.Revoked, IssuerService.Failure>) in
            if isNew { ended(id.session, by: "token", exchange, result, everywhere: everywhere) }
            switch result {
            case .success(let revoked):
                // Who validates is not the client's to know.
                exchange.send(
                    revoked.status == .unconfirmed ? .accepted : .ok, json: .object(AdminEndpoints.receipt(revoked)))
            case .failure(let failure): refuse(exchange, failure)
            }
        }
        if everywhere {
            // More than its own session only a token may end that is still good: a revoked one may be a thief's.
            switch service.inspect(token, as: .access) {
            case .accepted: service.endAll(of: [verified.claims.subject], wait: wait, answer: answer)
            case .refused: exchange.send(.invalidToken)
            case .unavailable(let reason): refuse(exchange, .unavailable(reason.description))
            }
        } else {
            service.end(id.session, wait: wait, answer: answer)
        }
    }

    /// Tells the audit that whoever held a token ended its session. Not when it had ended before: with a token that is
    /// good for nothing else, anyone could fill the disk.
    private func ended(
        _ session: SessionID, by actor: String, _ exchange: HTTPExchange,
        _ result: Result<IssuerService.Revoked, IssuerService.Failure>, everywhere: Bool
    ) {
        audit.loggedOut(
            session.description, by: AuditActor(name: actor, peer: exchange.peer),
            result: (try? result.get())?.status.rawValue, everywhere: everywhere)
    }

    // MARK: GET /.well-known/...

    func keys(_ exchange: HTTPExchange) {
        exchange.send(
            .ok, fields: ["Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=60"],
            body: keySet)
    }

    /// RFC 8414; only where the issuer has a URL to name itself by.
    func serverMetadata(_ exchange: HTTPExchange) {
        guard let metadata else {
            return exchange.send(Problem(.notFound, "no issuer-url is configured, so there is no metadata to give"))
        }
        exchange.send(.ok, fields: ["Content-Type": "application/json"], body: metadata.document)
    }

    // MARK: Refusing by the head

    /// The answer to a logout whose head has no token in it, so that none of its form has to be read; nil otherwise.
    func refusalOfLogout(_ request: borrowing HTTPRequest) -> PreparedResponse? {
        switch request.bearerToken {
        case .nothing, .otherScheme: BearerChallenge.missing.response
        case .malformed: BearerChallenge.invalidToken.response
        case .value: nil
        }
    }

    /// The answer to a request whose head has a wrong credential of a client or of the administrator; nil when the form
    /// has to be read first.
    /// - Parameter takesBearer: whether the administrator's credential is one of those that are taken.
    func refusal(
        of request: borrowing HTTPRequest, takesBearer: Bool, from peer: () -> String
    ) -> PreparedResponse? {
        if takesBearer, case .value(let bearer) = request.bearerToken {
            if let adminToken, adminToken.matches(bearer) { return nil }
            audit.refused(AuditActor(name: "unknown", peer: peer()), listener: "public")
            return BearerChallenge.invalidToken.response
        }
        guard clients.refuses(request.basicCredentials) else { return nil }
        audit.refused(AuditActor(name: "unknown", peer: peer()), listener: "public")
        return Self.clientFailed
    }

    // MARK: What they share

    private static let noStore: FieldLines = ["Cache-Control": "no-store"]

    /// Reads the form and the client, or answers why not.
    private func prologue(
        _ request: borrowing HTTPRequest, _ exchange: HTTPExchange, isAuthenticated: Bool = false
    ) -> (form: FormParameters, client: String?)? {
        guard request.hasContentType(Self.formType), let form = FormParameters(request.body.array) else {
            fail(exchange, "invalid_request", "the body is not a form, or names a parameter twice")
            return nil
        }
        let basic = isAuthenticated ? .nothing : request.basicCredentials
        switch clients.authenticate(basic: basic, form: form) {
        case .anonymous: return (form, nil)
        case .client(let name): return (form, name)
        case .failed:
            audit.refused(AuditActor(name: "unknown", peer: exchange.peer), listener: "public")
            exchange.send(Self.clientFailed)
            return nil
        case .malformed:
            fail(exchange, "invalid_request", "a client authenticates in one way, by Basic or in the form")
            return nil
        }
    }

    /// RFC 6749 §5.2.
    private func fail(
        _ exchange: HTTPExchange, _ error: String, _ description: String, status: HTTPStatus = .badRequest
    ) {
        exchange.send(Self.failure(error, description, status))
    }

    private static func failure(_ error: String, _ description: String, _ status: HTTPStatus) -> PreparedResponse {
        let fields: FieldLines = status == .unauthorized ? ["WWW-Authenticate": "Basic realm=\"quash\""] : [:]
        return PreparedResponse(
            status, json: ["error": .string(error), "error_description": .string(description)], fields: fields)
    }

    private static let clientFailed = failure("invalid_client", "client authentication failed", .unauthorized)

    private func refuse(_ exchange: HTTPExchange, _ failure: IssuerService.Failure) {
        switch failure {
        case .invalidGrant: fail(exchange, "invalid_grant", "the token is expired, revoked, spent or not ours")
        case .invalidScope: fail(exchange, "invalid_scope", "more was asked for than was granted")
        case .unavailable(let reason): exchange.send(unavailable: reason)
        }
    }
}

/// RFC 6749 §3.3: names of visible ASCII characters but `"` and `\`, one space between two.
func isScope(_ text: String) -> Bool {
    text.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
        && text.split(separator: " ", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
}
