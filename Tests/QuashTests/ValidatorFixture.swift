import QuashCrypto
import QuashJWT
import TestSupport

@testable import Quash

/// A validator with an index, a lease and a clock that a test sets.
final class ValidatorFixture {
    /// What the clock shows next; and what happens when the validator looks at it.
    var reading: ClockReading
    var clockIsRead: () -> Void = {}
    let index = RevocationIndex()
    let lease = Lease()
    var writer: RevocationIndex.Writer
    private let signer: TokenSigner
    private(set) var validator: Validator!

    /// The civil time at which each test begins, in seconds since 1970.
    static let startSeconds: Int64 = 1_800_000_000
    /// The session of the tokens made here.
    static let session = SessionID("c2Vzc2lvbi1zZXNzaW9u")!

    init(
        hasKeys: Bool = true, clockSkew: Duration = .zero, types: Set<TokenType> = [.access], cachedTokens: Int = 64,
        issueTolerance: Duration = .seconds(5)
    ) throws {
        reading = .at(0)
        writer = index.makeWriter(maxRevocations: 1000, clockSkew: clockSkew)
        signer = TokenSigner(try RSAPrivateKey(pem: Array(TestKeys.privateKey.utf8)))
        validator = try Validator(
            keys: hasKeys ? KeySet([signer.publicKey]) : nil, policy: TokenPolicy(types: types),
            clockSkew: clockSkew, issueTolerance: issueTolerance, index: index, lease: lease,
            cachedTokens: cachedTokens
        ) { [unowned self] in
            clockIsRead()
            return reading
        }
        lease.extend(LeaseGrant(sent: .at(0), length: .seconds(5)))
    }

    var keyID: String { signer.publicKey.keyID }
    var keys: KeySet { get throws { try KeySet([signer.publicKey]) } }

    /// Claims of a token of ours that was issued at the start, with every name that a revocation can name.
    static func claims(issuedAtMilliseconds: Int64 = startSeconds * 1000, lifetimeSeconds: Int64 = 900) -> Claims {
        let issued = NumericDate(seconds: issuedAtMilliseconds / 1000)
        var claims = Claims(
            subject: "alice", issuedAt: issued, expiresAt: NumericDate(seconds: issued.seconds + lifetimeSeconds),
            id: TokenID(session: session, issuedAtMilliseconds: issuedAtMilliseconds).description)
        claims.clientID = "spa"
        return claims
    }

    /// Claims of a token of another issuer: a `jti` of another form, `sid`, and whole seconds alone.
    static func foreignClaims() -> Claims {
        var claims = Claims(
            subject: "alice", issuedAt: NumericDate(seconds: startSeconds),
            expiresAt: NumericDate(seconds: startSeconds + 900), id: "urn:uuid:9f7c")
        claims.sessionID = "their-session"
        return claims
    }

    func token(_ claims: Claims = ValidatorFixture.claims(), type: TokenType = .access) throws -> [UInt8] {
        try signer.sign(claims, type: type)
    }

    func revoke(
        _ key: RevocationKey, issuedBefore milliseconds: Int64? = nil, by clock: BoundClock = .ours,
        expiresAtSeconds: UInt32 = .max
    ) throws {
        try writer.apply([
            Revocation(
                key: key, issuedBefore: milliseconds.map(WallInstant.init(milliseconds:)), by: clock,
                expiresAtSeconds: expiresAtSeconds)
        ])
    }

    func expire(at instant: WallInstant) { writer.expire(at: instant) }

    func discardTime() { writer.discardTime() }

    func isGenuine(_ token: [UInt8], as type: TokenType) -> Bool {
        validator.genuineToken(token.span, as: type) != nil
    }

    func remembers(_ token: [UInt8]) -> Bool { validator.judgeRemembered(token.span) != nil }

    func outcome(_ token: [UInt8], as type: TokenType? = nil) -> Outcome {
        switch validator.validate(token.span, as: type) {
        case .accepted: .accepted
        case .refused(let refusal): .refused(refusal)
        case .unavailable(let reason): .unavailable(reason)
        }
    }
}

/// A verdict that can be compared.
enum Outcome: Equatable {
    case accepted
    case refused(Refusal)
    case unavailable(Unavailability)
}
