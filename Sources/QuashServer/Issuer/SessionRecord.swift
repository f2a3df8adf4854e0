import Quash
import QuashJWT

/// What Redis keeps of one sign-in, as the fields of a hash. Of refresh tokens it holds hashes only.
struct SessionRecord: Equatable, Sendable {
    var subject: String
    var client: String?
    var scope: String?
    var audience: [String]
    /// When the subject signed in.
    var created: WallInstant
    /// When the current refresh token was issued: its parent's replay gives the same successor again from this.
    var rotated: WallInstant
    /// The `kid` with which the current pair was signed.
    var keyID: String
    /// How long the tokens of the current pair live: a replay gets the same pair again, whatever is configured by then.
    var lifetimes: Lifetimes
    /// When the last of its access tokens expires, whatever lifetime is configured by then.
    var accessExpires: WallInstant
    /// When the last of its refresh tokens expires, whatever lifetime is configured by then; nil when the session was
    /// begun by the first version, which did not record it.
    var refreshExpires: WallInstant?
    /// Whether the session has ended; its record stays for a while, so that ending it again still works.
    var isEnded = false

    /// Of an access token and of its refresh token.
    struct Lifetimes: Equatable, Sendable, CustomStringConvertible {
        let access: Duration
        let refresh: Duration

        init(access: Duration, refresh: Duration) {
            self.access = access
            self.refresh = refresh
        }

        /// - Returns: nil when `text` is not what ``description`` writes.
        init?(_ text: String) {
            let parts = text.split(separator: " ").map { UInt32($0) }
            guard parts.count == 2, let access = parts[0], let refresh = parts[1] else { return nil }
            self.init(access: .seconds(Int64(access)), refresh: .seconds(Int64(refresh)))
        }

        /// In whole seconds, as tokens have them.
        var description: String { "\(access.components.seconds) \(refresh.components.seconds)" }
    }

    /// When the last of its tokens expires that can still be used.
    var expires: WallInstant { max(accessExpires, refreshExpires ?? rotated + lifetimes.refresh) }

    init(
        subject: String, client: String?, scope: String?, audience: [String], created: WallInstant,
        lifetimes: Lifetimes, keyID: String
    ) {
        self.subject = subject
        self.client = client
        self.scope = scope
        self.audience = audience
        self.created = created
        rotated = created
        self.lifetimes = lifetimes
        accessExpires = created + lifetimes.access
        refreshExpires = created + lifetimes.refresh
        self.keyID = keyID
    }

    /// - Returns: nil when a field that every session has is missing, or a time is none that a token can have.
    init?(fields: some Sequence<(name: String, value: String)>) {
        var values: [String: String] = [:]
        for field in fields { values[field.name] = field.value }
        guard let subject = values["sub"], let keyID = values["kid"],
            let created = values["created"].flatMap({ Int64($0) }), TokenID.milliseconds.contains(created),
            let rotated = values["rotated"].flatMap({ Int64($0) }), TokenID.milliseconds.contains(rotated),
            let accessExpires = values["access"].flatMap({ Int64($0) }), TokenID.milliseconds.contains(accessExpires),
            let lifetimes = values["lifetimes"].flatMap({ Lifetimes($0) })
        else { return nil }
        self.subject = subject
        client = values["client"]
        scope = values["scope"]
        audience = values["aud"]?.split(separator: " ").map(String.init) ?? []
        self.created = WallInstant(milliseconds: created)
        self.rotated = WallInstant(milliseconds: rotated)
        self.accessExpires = WallInstant(milliseconds: accessExpires)
        self.lifetimes = lifetimes
        self.keyID = keyID
        refreshExpires = values["refresh"].flatMap { Int64($0) }.flatMap {
            TokenID.milliseconds.contains($0) ? WallInstant(milliseconds: $0) : nil
        }
        isEnded = values["ended"] != nil
    }

    var fields: [(name: String, value: String)] {
        var fields = [
            ("sub", subject), ("created", "\(created.milliseconds)"), ("rotated", "\(rotated.milliseconds)"),
            ("access", "\(accessExpires.milliseconds)"), ("lifetimes", lifetimes.description), ("kid", keyID),
        ]
        if let refreshExpires { fields.append(("refresh", "\(refreshExpires.milliseconds)")) }
        if let client { fields.append(("client", client)) }
        if let scope { fields.append(("scope", scope)) }
        if !audience.isEmpty { fields.append(("aud", audience.joined(separator: " "))) }
        return fields
    }
}
