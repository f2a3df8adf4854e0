import Quash
import QuashHTTP
import QuashLoop

/// The issuer's public listener: which endpoint answers what.
final class PublicRoutes: HTTPResponder {
    private enum Route {
        case token, revoke, introspect, logout, keys, metadata
    }

    private let endpoints: TokenEndpoints

    init(_ endpoints: TokenEndpoints) {
        self.endpoints = endpoints
    }

    /// The same everywhere, so that a wrong path or method is answered as such and not by the length of the body.
    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int { TokenEndpoints.maxBodyBytes }

    func refusal(of request: borrowing HTTPRequest, from peer: () -> String) -> PreparedResponse? {
        guard request.method == .post, let route = route(request) else { return nil }
        return switch route {
        case .logout: endpoints.refusalOfLogout(request)
        case .introspect: endpoints.refusal(of: request, takesBearer: true, from: peer)
        case .token, .revoke: endpoints.refusal(of: request, takesBearer: false, from: peer)
        case .keys, .metadata: nil
        }
    }

    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        guard let route = route(request) else {
            return exchange.send(Problem(.notFound, "there is nothing at this path"))
        }
        switch (route, request.method) {
        case (.keys, .get), (.keys, .head): endpoints.keys(exchange)
        case (.metadata, .get), (.metadata, .head): endpoints.serverMetadata(exchange)
        case (.keys, _), (.metadata, _): exchange.send(allowing: "GET, HEAD")
        case (.token, .post): endpoints.token(request, exchange)
        case (.revoke, .post): endpoints.revoke(request, exchange)
        case (.introspect, .post): endpoints.introspect(request, exchange)
        case (.logout, .post): endpoints.logout(request, exchange)
        case (_, _): exchange.send(allowing: "POST")
        }
    }

    private func route(_ request: borrowing HTTPRequest) -> Route? {
        let path = request.path
        if path.equals("/oauth2/token") { return .token }
        if path.equals("/oauth2/revoke") { return .revoke }
        if path.equals("/oauth2/introspect") { return .introspect }
        if path.equals("/logout") { return .logout }
        if path.equals("/.well-known/jwks.json") { return .keys }
        if path.array == endpoints.metadataPath { return .metadata }
        return nil
    }
}

/// The issuer's admin listener. Everything but health, metrics and the files of the status page asks for the
/// credential, if one is configured.
final class AdminRoutes: HTTPResponder {
    private let endpoints: AdminEndpoints
    private let health: HealthEndpoints
    private let status: StatusEndpoints
    private let credential: SecretDigest?
    private let asksForClientCertificate: Bool
    private let audit: AuditLog

    init(
        _ endpoints: AdminEndpoints, health: HealthEndpoints, status: StatusEndpoints, credential: SecretDigest?,
        asksForClientCertificate: Bool, audit: AuditLog
    ) {
        self.status = status
        self.endpoints = endpoints
        self.health = health
        self.credential = credential
        self.asksForClientCertificate = asksForClientCertificate
        self.audit = audit
    }

    /// A wrong credential is answered as such and not by the length of the body, unless that is more than anything but
    /// a revocation may have: so nobody else makes this process keep as much.
    func bodyLimitBytes(for request: borrowing HTTPRequest) -> Int {
        let isRevocation = request.path.equals("/admin/v1/revocations") && refusal(of: request) == nil
        return isRevocation ? AdminEndpoints.maxRevocationBytes : AdminEndpoints.maxBodyBytes
    }

    /// For every path: resources that need no credential take no content.
    func refusal(of request: borrowing HTTPRequest, from peer: () -> String) -> PreparedResponse? {
        guard let refusal = refusal(of: request) else { return nil }
        audit.refused(AuditActor(name: "unknown", peer: peer()), listener: "admin")
        return refusal.response
    }

    func respond(to request: borrowing HTTPRequest, _ exchange: HTTPExchange) {
        if health.respond(to: request, exchange) || status.respond(to: request, exchange) { return }
        if let refusal = refusal(of: request, from: { exchange.peer }) {
            return exchange.send(refusal)
        }
        let actor = AuditActor(name: actorName, peer: exchange.peer)
        let path = request.path
        if path.equals("/admin/v1/sessions") {
            guard request.method == .post else { return exchange.send(allowing: "POST") }
            endpoints.createSession(request, exchange, by: actor)
        } else if path.equals("/admin/v1/revocations") {
            guard request.method == .post else { return exchange.send(allowing: "POST") }
            endpoints.revoke(request, exchange, by: actor)
        } else if path.equals("/admin/v1/nodes") {
            guard request.method == .get else { return exchange.send(allowing: "GET") }
            endpoints.nodes(exchange)
        } else if path.equals("/admin/v1/status") {
            guard request.method == .get else { return exchange.send(allowing: "GET") }
            status.show(exchange)
        } else if path.equals("/admin/v1/events") {
            guard request.method == .get else { return exchange.send(allowing: "GET") }
            status.follow(exchange)
        } else if path.equals("/admin/v1/recovery") {
            switch request.method {
            case .get: endpoints.showRecovery(exchange)
            case .post: endpoints.recover(request, exchange, by: actor)
            default: exchange.send(allowing: "GET, POST")
            }
        } else if let position = Self.position(path.array) {
            guard request.method == .get else { return exchange.send(allowing: "GET") }
            endpoints.showReceipt(of: position, exchange)
        } else if let subject = Self.subject(path.array) {
            switch request.method {
            case .get: endpoints.listSessions(of: subject, exchange, by: actor)
            case .delete: endpoints.endSessions(of: subject, exchange, by: actor)
            default: exchange.send(allowing: "GET, DELETE")
            }
        } else {
            exchange.send(Problem(.notFound, "there is nothing at this path"))
        }
    }

    /// Who may administrate, for the audit.
    private var actorName: String {
        credential.map { "credential:\($0.fingerprint)" } ?? (asksForClientCertificate ? "certificate" : "local")
    }

    /// The one answer to whoever does not present the credential; nil for whoever does, and where none is configured.
    private func refusal(of request: borrowing HTTPRequest) -> BearerChallenge? {
        guard let credential else { return isFromAPage(request) ? .missing : nil }
        return switch request.bearerToken {
        case .nothing, .otherScheme: .missing
        case .malformed: .invalidToken
        case .value(let presented): credential.matches(presented) ? nil : .invalidToken
        }
    }

    /// Whether a web page may be behind a request that needs no credential: one of another origin, or one that had its
    /// own name resolve to this machine. A page is on this machine, too, and must not administrate.
    private func isFromAPage(_ request: borrowing HTTPRequest) -> Bool {
        if asksForClientCertificate { return false }
        // A page of another origin may also load something without being shown it (Fetch Metadata).
        let site = request.firstValue(of: "sec-fetch-site")?.text ?? "none"
        return request.index(of: "origin") != nil || !["none", "same-origin"].contains(site)
            || (try? Endpoint(request.authority.text))?.isLocal != true
                && request.authority.text != "localhost"
    }

    /// The place in `/admin/v1/revocations/{epoch}/{seq}`.
    private static func position(_ path: [UInt8]) -> FeedPosition? {
        let prefix = Array("/admin/v1/revocations/".utf8)
        guard path.starts(with: prefix) else { return nil }
        let parts = path.dropFirst(prefix.count).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = Epoch(String(decoding: parts[0], as: UTF8.self)) else { return nil }
        return UInt64(String(decoding: parts[1], as: UTF8.self)).map { FeedPosition(epoch: epoch, sequence: $0) }
    }

    /// The subject in `/admin/v1/subjects/{sub}/sessions`, percent-decoded.
    private static func subject(_ path: [UInt8]) -> String? {
        let (prefix, suffix) = (Array("/admin/v1/subjects/".utf8), Array("/sessions".utf8))
        guard path.count > prefix.count + suffix.count, path.starts(with: prefix),
            path.reversed().starts(with: suffix.reversed())
        else { return nil }
        let segment = path[prefix.count..<path.count - suffix.count]
        guard !segment.contains(UInt8(ascii: "/")) else { return nil }
        return FormParameters.decode(segment, plusIsSpace: false)
    }
}
