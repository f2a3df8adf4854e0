import Hummingbird
import QuashJWT
import QuashServer

/// What is known of a request: its claims, once ``BearerMiddleware`` has let it through.
struct ServiceContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    var claims: Claims?

    init(source: Source) { coreContext = CoreRequestContextStorage(source: source) }
}

/// Lets a request through that presents a good token (RFC 6750 §2.1), and tells the routes whose it is.
struct BearerMiddleware: RouterMiddleware {
    let node: EmbeddedNode

    // snippet.middleware
    func handle(
        _ request: Request, context: ServiceContext, next: (Request, ServiceContext) async throws -> Response
    ) async throws -> Response {
        let fields = request.headers[values: .authorization]
        guard !fields.isEmpty else { throw refused("Bearer") }
        // Two of them: nobody knows which one another would believe.
        guard fields.count == 1, let token = bearerToken(fields[0]) else {
            throw refused("Bearer error=\"invalid_token\"")
        }
        var context = context
        switch node.validate(token.span) {
        case .accepted(let token): context.claims = token.claims
        case .refused: throw refused("Bearer error=\"invalid_token\"")
        // Never a 401: a client would throw its refresh token away.
        case .unavailable: throw HTTPError(.serviceUnavailable, headers: [.retryAfter: "1", .cacheControl: "no-store"])
        }
        return try await next(request, context)
    }
    // snippet.end

    private func bearerToken(_ field: String) -> [UInt8]? {
        let words = field.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else { return nil }
        return Array(words[1].utf8)
    }

    private func refused(_ challenge: String) -> HTTPError {
        HTTPError(.unauthorized, headers: [.wwwAuthenticate: challenge, .cacheControl: "no-store"])
    }
}
