import TestSupport

/// What became of each spelling behind one gateway.
struct SpoofMatrix {
    enum Outcome: Equatable {
        /// The gateway did not take the request, or let nothing of the client's through.
        case stopped
        /// A field of a trailer went on as one, with what the head says of the client's identity left as it should be.
        case inTrailer
        /// The application was told something that the client said, or not what it should have been.
        case reached(String)
    }

    let kind: GatewayKind
    private(set) var outcomes: [(name: String, outcome: Outcome)] = []

    var reached: [String] {
        outcomes.compactMap { name, outcome in
            if case .reached(let why) = outcome { "\(name): \(why)" } else { nil }
        }
    }

    /// Sends every spelling through the gateway, with a good token and without one.
    init(_ site: DecisionTests.Site, of session: GatewayFleet.Session) throws {
        kind = site.gateway.kind
        let truth = try Self.identity(of: session, at: site)
        for spelling in Spelling.all {
            var outcome = Outcome.stopped
            for token in [session.access, nil] {
                let (why, isInTrailer) = try Self.send(spelling, token, truth, site, session)
                if isInTrailer { outcome = .inTrailer }
                if let why { outcome = .reached("\(token == nil ? "without" : "with") a token: \(why)") }
            }
            outcomes.append((spelling.name, outcome))
        }
    }

    /// What an honest request makes the application hear.
    private static func identity(of session: GatewayFleet.Session, at site: DecisionTests.Site) throws -> [String:
        [String]]
    {
        _ = site.application.takeReceived()
        guard try site.gateway.status(session.access) == 200, let seen = site.application.takeReceived().first else {
            throw TestSupportError("an honest request does not pass")
        }
        return Identity.fields(of: seen)
    }

    /// - Returns: what reached the application, if anything did, and whether a trailer did.
    private static func send(
        _ spelling: Spelling, _ token: String?, _ truth: [String: [String]], _ site: DecisionTests.Site,
        _ session: GatewayFleet.Session
    ) throws -> (why: String?, isInTrailer: Bool) {
        let answer = try GatewayConnection(port: site.gateway.port).exchange(
            spelling.request(token: token), seconds: 2)
        // Two honest requests after it, so that what hides in a connection to the application comes to light.
        for _ in 0..<2 where try site.gateway.status(session.access) != 200 {
            return ("an honest request does not pass", false)
        }
        let seen = site.application.takeReceived()
        return (
            reached(seen, truth) ?? (token == nil ? passed(answer, seen) : nil),
            seen.contains { !Identity.trailerFields(of: $0).isEmpty }
        )
    }

    private static func reached(_ seen: [ReceivedRequest], _ truth: [String: [String]]) -> String? {
        for request in seen {
            if request.requestLine.contains("/hidden") { return "a hidden request" }
            let fields = Identity.fields(of: request)
            if fields.values.joined().contains(where: { $0.contains(Spelling.attacker) }) { return "\(fields)" }
            if fields != truth { return "\(fields) instead of \(truth)" }
            let removed = request.values(of: "connection").joined(separator: ",").lowercased()
            if removed.contains("auth") { return "the application is asked to remove \(removed)" }
        }
        return nil
    }

    /// What a client without a token got, of which two honest requests are no part.
    private static func passed(_ answer: GatewayResponse?, _ seen: [ReceivedRequest]) -> String? {
        if let status = answer?.status, status < 400 { return "\(status) to a client without a token" }
        return seen.count == 2 ? nil : "\(seen.count - 2) requests of a client without a token"
    }
}
