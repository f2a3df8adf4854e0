import Quash
import QuashHTTP

/// The body of `POST /admin/v1/revocations`.
struct RevocationRequest {
    let kind: RevocationKind
    /// The identifiers as given; none for everything.
    let names: [String]
    let issuedBefore: WallInstant?
    let reason: String?
    let wait: IssuerService.Wait
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
        wait = try IssuerService.Wait(body.text("wait", maxBytes: 16), timeout: body.duration("timeout"))
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

extension IssuerService.Wait {
    /// How long a caller waits who does not say it.
    static let defaultTimeout: Duration = .seconds(10)
    static let timeouts: ClosedRange<Duration> = .milliseconds(1) ... .seconds(60)

    /// `wait` and `timeout` as they were given, each nil when it was not.
    init(_ word: String?, timeout: Duration?) throws(Problem) {
        if let timeout, !Self.timeouts.contains(timeout) {
            throw Problem(.badRequest, "timeout is between 1ms and 60s")
        }
        switch word ?? "stored" {
        case "stored": self = .stored
        case "confirmed": self = .confirmed(within: timeout ?? Self.defaultTimeout)
        default: throw Problem(.badRequest, "wait is stored or confirmed")
        }
    }
}
