import Quash
import QuashCrypto
import QuashHTTP
import QuashJSON
import QuashJWT

/// The administration of the issuer: minting sessions, listing and ending them, revoking anything, and the fleet.
final class AdminEndpoints {
    static let maxBodyBytes = 256 * 1024
    /// The same of a revocation, by whoever may ask for one.
    static let maxRevocationBytes = 2 * 1024 * 1024
    /// Identifiers in one revocation.
    static let maxIdentifiers = 10_000
    /// Bytes of one of them.
    static let maxIdentifierBytes = 1024
    static let maxReasonBytes = 256
    private static let maxRequestIDBytes = 64

    private let service: IssuerService
    private let observer: FleetObserver
    private let publisher: RevocationPublisher
    private let audit: AuditLog

    init(service: IssuerService, observer: FleetObserver, publisher: RevocationPublisher, audit: AuditLog) {
        self.service = service
        self.observer = observer
        self.publisher = publisher
        self.audit = audit
    }

    // MARK: POST /admin/v1/sessions

    /// Mints a pair for a subject whom the caller has authenticated; answers as RFC 6749 §5.1, and the session.
    func createSession(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange, by actor: AuditActor) {
        let exchange = AuditedExchange(exchange, .sessionCreate, by: actor, in: audit)
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
                    exchange.send(
                        json: .object(answer), result: "done", targets: [subject],
                        [("session", pair.session.description), ("client_id", client)])
                case .failure(let failure): Self.refuse(exchange, failure, targets: [subject])
                }
            }
        } catch {
            exchange.send(error)
        }
    }

    // MARK: /admin/v1/subjects/{sub}/sessions

    func listSessions(of subject: String, _ exchange: HTTPExchange, by actor: AuditActor) {
        let exchange = AuditedExchange(exchange, .sessionsList, by: actor, in: audit)
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
                exchange.send(
                    json: ["sub": .string(subject), "sessions": .array(list)], result: "done", targets: [subject])
            case .failure(let failure): Self.refuse(exchange, failure, targets: [subject])
            }
        }
    }

    func endSessions(of subject: String, _ exchange: HTTPExchange, by actor: AuditActor) {
        let exchange = AuditedExchange(exchange, .sessionsEnd, by: actor, in: audit)
        service.endAll(of: [subject], wait: .stored) { [self] in answer(exchange, .ok, $0, targets: [subject]) }
    }

    // MARK: POST /admin/v1/revocations

    /// Revokes what the body names, whoever issued it.
    func revoke(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange, by actor: AuditActor) {
        let exchange = AuditedExchange(exchange, .revocationCreate, by: actor, in: audit)
        do throws(Problem) {
            let now = ClockReading.now().wall
            let revocation = try RevocationRequest(
                request.body.array, now: now, bound: service.issueClock.bound(now: now),
                tolerance: service.settings.issueTolerance, horizon: service.horizon())
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
            service.revoke(revocation, requestID: requestID) { [self] in
                answer(
                    exchange, .created, $0, targets: revocation.names,
                    [("kind", revocation.kind.name), ("reason", revocation.reason)])
            }
        } catch {
            exchange.send(error)
        }
    }

    private func answer(
        _ exchange: AuditedExchange, _ status: HTTPStatus,
        _ result: Result<IssuerService.Revoked, IssuerService.Failure>, targets: [String],
        _ facts: [(String, String?)] = []
    ) {
        switch result {
        case .success(let revoked):
            let nodes = revoked.status == .stored ? nil : observer.receipt(of: revoked.position)
            exchange.send(
                revoked.status == .unconfirmed ? .accepted : status, json: .object(Self.receipt(revoked, nodes)),
                result: revoked.status.rawValue, targets: targets,
                facts + [("position", revoked.position.description)])
        case .failure(let failure): Self.refuse(exchange, failure, targets: targets, facts)
        }
    }

    /// Where a revocation stands in the feed, and what is known of each node.
    static func receipt(_ revoked: IssuerService.Revoked, _ nodes: [String: Fleet.Receipt]? = nil) -> JSONObject {
        var object = receipt(revoked.position, nodes)
        object["status"] = .string(revoked.status.rawValue)
        return object
    }

    private static func receipt(_ position: FeedPosition, _ nodes: [String: Fleet.Receipt]?) -> JSONObject {
        var object = JSONObject()
        object["epoch"] = .string(position.epoch.description)
        object["seq"] = .integer(Int64(clamping: position.sequence))
        guard let nodes else { return object }
        object["nodes"] = .array(
            nodes.sorted { $0.key < $1.key }.map { name, receipt in
                var node = JSONObject()
                node["node"] = .string(name)
                switch receipt {
                case .applied(let time):
                    node["state"] = "applied"
                    node["at"] = time.map { .string($0.description) }
                case .leaseEnded: node["state"] = "lease ended"
                case .pending: node["state"] = "pending"
                }
                return .object(node)
            })
        return object
    }

    // MARK: GET /admin/v1/revocations/{epoch}/{seq}

    /// Who has applied a commit of the epoch that is open, and when this issuer heard of it.
    func showReceipt(of position: FeedPosition, _ exchange: HTTPExchange) {
        readFleet(exchange) { [self] head, _ in
            guard head.epoch == position.epoch, (1...head.sequence).contains(position.sequence),
                let nodes = observer.receipt(of: position)
            else {
                return exchange.send(Problem(.notFound, "no such commit in the epoch that is open, \(head.epoch)"))
            }
            exchange.send(json: .object(Self.receipt(position, nodes)))
        }
    }

    /// The fleet as Redis knows it now; where it is not known the exchange is answered so.
    private func readFleet(_ exchange: HTTPExchange, then answer: @escaping (FeedPosition, Fleet) -> Void) {
        observer.read { result in
            switch result {
            case .success(let reply?): answer(reply.head, reply.fleet)
            case .success(nil): exchange.send(unavailable: "the feed is being recovered")
            case .failure: exchange.send(unavailable: "the revocation store does not answer")
            }
        }
    }

    // MARK: GET /admin/v1/nodes

    func nodes(_ exchange: HTTPExchange) {
        readFleet(exchange) { exchange.send(json: Self.nodes($1, head: $0)) }
    }

    private static func nodes(_ fleet: Fleet, head: FeedPosition) -> JSONValue {
        [
            "epoch": .string(head.epoch.description), "head": .integer(Int64(clamping: head.sequence)),
            "nodes": .array(FleetListing(fleet, head: head.sequence, now: .now).nodes.map { .object($0) }),
        ]
    }

    // MARK: /admin/v1/recovery

    func showRecovery(_ exchange: HTTPExchange) {
        var json = JSONObject()
        json["waiting_for"] = .array(publisher.waitingFor.map { .string($0) })
        if let problem = publisher.problem {
            json["problem"] = .string("\(problem)")
            json["bound_to"] = problem.outbox.map { .string("\($0)") }
        }
        exchange.send(json: .object(json))
    }

    /// Opens the epoch without the issuers that the body names, or binds the name of this one to its outbox instead of
    /// the one that the body names: an operator's word that these will not come back.
    func recover(_ request: borrowing HTTPRequest, _ exchange: HTTPExchange, by actor: AuditActor) {
        let exchange = AuditedExchange(exchange, .feedRecover, by: actor, in: audit)
        do throws(Problem) {
            let body = try ObjectReader(request.body.array, allowing: ["without", "replace"])
            if let outbox = try body.text("replace", maxBytes: 128) {
                guard !body.has("without") else { throw Problem(.badRequest, "give either without or replace") }
                return try replace(outbox, exchange)
            }
            let names = try body.texts("without", maxCount: 16, maxBytes: 128) ?? []
            guard !names.isEmpty else { throw Problem(.badRequest, "without is missing: which issuers are gone?") }
            let waitingFor = publisher.waitingFor
            for name in names where !waitingFor.contains(name) {
                throw Problem(
                    .conflict,
                    waitingFor.isEmpty
                        ? "the feed waits for no issuer"
                        : "the feed does not wait for \(name), but for \(waitingFor.joined(separator: ", "))")
            }
            publisher.excuse(names)
            exchange.send(
                .accepted, json: ["without": .array(names.map { .string($0) })], result: "done", targets: names)
        } catch {
            exchange.send(error)
        }
    }

    private func replace(_ outbox: String, _ exchange: AuditedExchange) throws(Problem) {
        guard let other = Nonce(outbox) else { throw Problem(.badRequest, "replace is 16 hexadecimal digits") }
        guard publisher.replace(other) else {
            let holder = publisher.problem?.outbox.map { "is bound to \($0)" } ?? "is bound to its own outbox"
            throw Problem(.conflict, "the name of this issuer \(holder), not to \(other)")
        }
        exchange.send(.accepted, json: ["replace": .string(outbox)], result: "done", targets: [outbox])
    }

    private static func refuse(
        _ exchange: AuditedExchange, _ failure: IssuerService.Failure, targets: [String],
        _ facts: [(String, String?)] = []
    ) {
        switch failure {
        case .unavailable(let reason): exchange.send(unavailable: reason, targets: targets, facts)
        case .invalidGrant, .invalidScope: preconditionFailure("only a refresh is refused so")
        }
    }
}
