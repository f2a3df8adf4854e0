import Logging
import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT

/// The administration of the issuer: minting sessions, listing and ending them, revoking anything, and the fleet.
final class AdminEndpoints {
    static let maxBodyBytes = 256 * 1024
    /// Identifiers in one revocation.
    static let maxIdentifiers = 1000
    /// Bytes of one of them.
    static let maxIdentifierBytes = 1024
    static let maxReasonBytes = 256
    private static let maxRequestIDBytes = 64

    private let service: IssuerService
    private let registry: NodeRegistry
    private let log: Logger

    init(service: IssuerService, registry: NodeRegistry, log: Logger) {
        self.service = service
        self.registry = registry
        self.log = log
    }

    // MARK: POST /admin/v1/sessions

    /// Mints a pair for a subject whom the caller has authenticated; answers as RFC 6749 §5.1, and the session.
    func createSession(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        do throws(Problem) {
            let body = try ObjectReader(request.body.array, allowing: ["sub", "client_id", "scope", "aud"])
            let subject = try body.text("sub", maxBytes: JWTLimits.maxNameBytes)
            guard let subject else { throw Problem(.badRequest, "sub is missing: whom is the session for?") }
            guard isFieldValue(subject) else {
                throw Problem(.badRequest, "sub begins or ends with a space, so no gateway could pass it on")
            }
            let client = try body.text("client_id", maxBytes: JWTLimits.maxNameBytes)
            let scope = try body.text("scope", maxBytes: JWTLimits.maxScopeBytes)
            guard scope.map(isScope) ?? true else {
                throw Problem(
                    .badRequest, "scope is names in ASCII, without quotes and backslashes, one space between two")
            }
            let audience = try body.texts(
                "aud", maxCount: JWTLimits.maxAudiences, maxBytes: JWTLimits.maxNameBytes)
            guard audience?.allSatisfy({ !$0.contains(" ") }) ?? true else {
                throw Problem(
                    .badRequest, "aud has an element with a space: give each audience as an element of its own")
            }
            service.signIn(subject: subject, client: client, scope: scope, audience: audience ?? []) { result in
                switch result {
                case .success(let pair):
                    var answer = TokenEndpoints.answer(pair)
                    answer["session"] = .string(pair.session.description)
                    exchange.send(json: .object(answer))
                case .failure(let failure): Self.refuse(exchange, failure)
                }
            }
        } catch {
            exchange.send(error)
        }
    }

    // MARK: /admin/v1/subjects/{sub}/sessions

    func listSessions(of subject: String, _ exchange: HTTPExchange) {
        service.sessions(of: subject) { result in
            switch result {
            case .success(let sessions):
                let list = sessions.map { session, record -> JSONValue in
                    var object = JSONObject()
                    object["session"] = .string(session.description)
                    object["created"] = .string(record.created.description)
                    object["refreshed"] = .string(record.rotated.description)
                    object["client_id"] = record.client.map { .string($0) }
                    object["scope"] = record.scope.map { .string($0) }
                    return .object(object)
                }
                exchange.send(json: ["sub": .string(subject), "sessions": .array(list)])
            case .failure(let failure): Self.refuse(exchange, failure)
            }
        }
    }

    func endSessions(of subject: String, _ exchange: HTTPExchange) {
        audit("end all sessions", [("kind", "sub")])
        service.endAll(of: subject, isAwaited: false) { result in
            switch result {
            case .success(let position): exchange.send(json: Self.receipt(position))
            case .failure(let failure): Self.refuse(exchange, failure)
            }
        }
    }

    // MARK: POST /admin/v1/revocations

    /// Revokes what the body names, whoever issued it.
    func revoke(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        do throws(Problem) {
            let revocation = try RevocationRequest(request.body.array, horizon: service.horizon())
            var requestID = ""
            if let key = request.firstValue(of: "idempotency-key") {
                requestID = key.text
                guard request.count(of: "idempotency-key") == 1, !requestID.isEmpty,
                    requestID.utf8.count <= Self.maxRequestIDBytes,
                    requestID.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
                else {
                    throw Problem(
                        .badRequest, "Idempotency-Key is 1 to \(Self.maxRequestIDBytes) visible ASCII characters")
                }
                // A key is of one body: used again for another one, by mistake, it must not pass for a retry of the
                // first.
                let request = Array("\(requestID) ".utf8) + request.body.array
                requestID = Base64URL.encode(SHA256.digest(of: request.span).span)
            }
            audit(
                "revoke",
                [
                    ("kind", revocation.kind.name), ("count", "\(revocation.revocations.count)"),
                    ("reason", revocation.reason ?? ""),
                ])
            let answer = { (result: Result<FeedPosition, IssuerService.Failure>) in
                switch result {
                case .success(let position): exchange.send(.created, json: Self.receipt(position))
                case .failure(let failure): Self.refuse(exchange, failure)
                }
            }
            service.revoke(revocation, requestID: requestID, answer: answer)
        } catch {
            exchange.send(error)
        }
    }

    /// Where a revocation stands in the feed.
    static func receipt(_ position: FeedPosition) -> JSONValue {
        [
            "epoch": .string(position.epoch.description), "seq": .integer(Int64(clamping: position.sequence)),
            "status": "stored",
        ]
    }

    // MARK: GET /admin/v1/nodes

    func nodes(_ exchange: HTTPExchange) {
        registry.read { result in
            switch result {
            case .success(let reply?):
                let nodes = reply.nodes.sorted { $0.node < $1.node }.map { node -> JSONValue in
                    [
                        "node": .string(node.node), "version": .string(node.version),
                        "applied": .integer(Int64(clamping: node.applied)),
                        "lag": .integer(Int64(clamping: reply.head.sequence) - Int64(clamping: node.applied)),
                        "lease_left_ms": .integer(node.leaseLeftMilliseconds),
                    ]
                }
                exchange.send(
                    json: [
                        "epoch": .string(reply.head.epoch.description),
                        "head": .integer(Int64(clamping: reply.head.sequence)), "nodes": .array(nodes),
                    ])
            case .success(nil): exchange.send(unavailable: "the feed is being recovered")
            case .failure: exchange.send(unavailable: "the revocation store does not answer")
            }
        }
    }

    private static func refuse(_ exchange: HTTPExchange, _ failure: IssuerService.Failure) {
        switch failure {
        case .unavailable(let reason): exchange.send(unavailable: reason)
        case .invalidGrant, .invalidScope: preconditionFailure("only a refresh is refused so")
        }
    }

    private func audit(_ action: String, _ facts: [(String, String)]) {
        var metadata: Logger.Metadata = ["audit": "true", "action": "\(action)"]
        for (name, value) in facts where !value.isEmpty { metadata[name] = "\(value)" }
        log.notice("administration", metadata: metadata)
    }
}

/// The body of `POST /admin/v1/revocations`.
struct RevocationRequest {
    let kind: RevocationKind
    /// The identifiers as given; none for everything.
    let names: [String]
    let issuedBefore: WallInstant?
    let reason: String?
    let revocations: [Revocation]

    /// - Parameter horizon: until when to remember, in seconds since 1970.
    init(_ bytes: [UInt8], horizon: UInt32) throws(Problem) {
        let kinds = RevocationKind.allCases.map(\.name)
        let body = try ObjectReader(bytes, allowing: kinds + ["issued_before", "reason", "wait", "timeout"])
        let given = RevocationKind.allCases.filter { body.has($0.name) }
        guard given.count == 1 else {
            throw Problem(.badRequest, "name exactly one of \(kinds.joined(separator: ", "))")
        }
        kind = given[0]
        if kind == .everything {
            guard try body.flag(kind.name) == true else { throw Problem(.badRequest, "all is true, or not there") }
            names = []
        } else {
            names =
                try body.texts(
                    kind.name, maxCount: AdminEndpoints.maxIdentifiers, maxBytes: AdminEndpoints.maxIdentifierBytes)
                ?? []
            guard !names.isEmpty else { throw Problem(.badRequest, "\(kind.name) is empty") }
        }
        let bound = try body.time("issued_before")
        guard bound == nil || kind != .token else {
            throw Problem(.badRequest, "issued_before makes no sense with jti, which names one token")
        }
        let now = ClockReading.now().wall
        // Later tokens are issued after the bound, whatever the clock says then, so a bound in the future would date
        // them.
        guard bound.map({ $0 <= now + Retention.margin }) ?? true else {
            throw Problem(.badRequest, "issued_before is in the future: give a time that has passed, or leave it out")
        }
        reason = try body.text("reason", maxBytes: AdminEndpoints.maxReasonBytes)
        _ = try body.duration("timeout")
        switch try body.text("wait", maxBytes: 16) ?? "stored" {
        case "stored": break
        case "confirmed":
            throw Problem(.notImplemented, "wait is stored: this version does not wait for validators")
        default: throw Problem(.badRequest, "wait is stored or confirmed")
        }
        // Without a bound, what will be issued later is meant too only where no more can be issued: a token, a session,
        // or nothing that can be believed: whoever has a stolen key writes any time into what it signs.
        // A bound a little ahead is a clock a little ahead.
        issuedBefore = bound.map { min($0, now) }
        let instant = issuedBefore ?? ([.token, .session, .key].contains(kind) ? nil : now)
        let keys = names.isEmpty ? [RevocationKey.everything] : names.map { [kind] in Self.key(kind, $0) }
        revocations = keys.map { Revocation(key: $0, issuedBefore: instant, expiresAtSeconds: horizon) }
    }

    private static func key(_ kind: RevocationKind, _ name: String) -> RevocationKey {
        switch kind {
        case .token: .token(name)
        case .session: .session(name)
        case .subject: .subject(name)
        case .client: .client(name)
        case .key: .key(name)
        case .everything: .everything
        }
    }
}
