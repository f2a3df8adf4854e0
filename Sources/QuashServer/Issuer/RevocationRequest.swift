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
    /// When the last of the named tokens expires that are of another issuer, in seconds since 1970; nil when that was
    /// not said.
    let expiresAtSeconds: UInt32?
    private(set) var revocations: [Revocation]

    /// - Parameters:
    ///   - now: the time by this issuer's clock.
    ///   - bound: covers every token that was issued until now.
    ///   - tolerance: how far ahead of `now` a bound may be that the caller gives.
    ///   - horizon: until when to remember, in seconds since 1970.
    init(
        _ bytes: [UInt8], now: WallInstant, bound latest: WallInstant, tolerance: Duration, horizon: UInt32
    ) throws(Problem) {
        let kinds = RevocationKind.allCases.map(\.name)
        let body = try ObjectReader(
            bytes, allowing: kinds + ["issued_before", "clock", "expires_at", "reason", "wait", "timeout"])
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
        // Later tokens of ours are issued after the bound, whatever the clock says then, so a bound in the future dates
        // them; and nobody can say what a provider will date until then. It is taken as it is, or not at all.
        guard bound.map({ $0 <= now + tolerance }) ?? true else {
            throw Problem(
                .badRequest,
                "issued_before is more than \(tolerance.shortText) ahead of this issuer's clock (issue-tolerance): "
                    + "give a time that has passed, or leave it out")
        }
        let clock = try Self.clock(body.text("clock", maxBytes: 16))
        guard clock == nil || bound != nil else {
            throw Problem(.badRequest, "clock says whose time issued_before is, which is not there")
        }
        expiresAtSeconds = try Self.expiry(body, of: kind, isBounded: bound != nil, now: now, horizon: horizon)
        reason = try body.text("reason", maxBytes: AdminEndpoints.maxReasonBytes)
        wait = try IssuerService.Wait(body.text("wait", maxBytes: 16), timeout: body.duration("timeout"))
        // Without a bound, what will be issued later is meant too only where no more can be issued: a token, a session,
        // or nothing that can be believed: whoever has a stolen key writes any time into what it signs.
        issuedBefore = bound
        let instant = issuedBefore ?? ([.token, .session, .key].contains(kind) ? nil : latest)
        let keys = names.isEmpty ? [RevocationKey.everything] : names.map { [kind] in Self.key(kind, $0) }
        revocations = keys.map {
            Revocation(key: $0, issuedBefore: instant, by: clock ?? .ours, expiresAtSeconds: horizon)
        }
    }

    private static func clock(_ word: String?) throws(Problem) -> BoundClock? {
        switch word {
        case nil: nil
        case "issuer": .ours
        case "provider": .provider
        default: throw Problem(.badRequest, "clock is issuer or provider: whose time issued_before is")
        }
    }

    /// - Parameter horizon: the latest that can be.
    private static func expiry(
        _ body: ObjectReader, of kind: RevocationKind, isBounded: Bool, now: WallInstant, horizon: UInt32
    ) throws(Problem) -> UInt32? {
        guard let expiry = try body.time("expires_at") else { return nil }
        // Of a token, a session or all sessions of a subject it is known what is of this issuer. Whatever else is named
        // may be a refresh token of it, which the revocation must outlive.
        guard [.token, .session, .subject].contains(kind), !isBounded else {
            throw Problem(.badRequest, "expires_at goes with jti, session and sub alone, and not with issued_before")
        }
        guard expiry > now else {
            throw Problem(.badRequest, "expires_at has passed: there is nothing left to revoke")
        }
        let seconds = (expiry.milliseconds + 999) / 1000
        guard seconds <= Int64(horizon) else {
            throw Problem(.badRequest, "expires_at is more than 30 days ahead: tokens that live longer are refused")
        }
        return UInt32(clamping: seconds)
    }

    /// Has each of the names remembered until its own time, in seconds since 1970.
    mutating func remember(until expiries: [UInt32]) {
        revocations = zip(revocations, expiries).map {
            Revocation(key: $0.key, issuedBefore: $0.issuedBefore, by: $0.boundClock, expiresAtSeconds: $1)
        }
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
