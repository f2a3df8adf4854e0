public import QuashJWT

/// What a validator says of one token.
public enum Verdict: Sendable {
    /// Valid, not revoked, and the lease held when this was decided.
    case accepted(VerifiedToken)
    /// Never to be accepted: to a client, one and the same 401 whatever the reason.
    case refused(Refusal)
    /// This process cannot decide now: to a client 503, never 401, on which it would throw its refresh token away.
    case unavailable(Unavailability)
}

/// Why a token is refused; for metrics and logs, not for clients.
public enum Refusal: Hashable, Sendable {
    case invalid(TokenRefusal)
    /// By what kind of revocation.
    case revoked(RevocationKind)

    /// A metric's label.
    public var name: String {
        switch self {
        case .invalid(let refusal): refusal.rawValue
        case .revoked: "revoked"
        }
    }
}

/// Why a validator cannot decide.
public enum Unavailability: String, CaseIterable, Sendable, CustomStringConvertible {
    /// The feed has not been heard for as long as the lease lasts.
    case leaseEnded = "lease_ended"
    /// The feed is not known to have reached the position that the request asks for.
    case behind
    /// No keys have been loaded yet.
    case noKeys = "no_keys"
    /// This node's clock was set, or a time was seen that is ahead of it: nothing is judged by it before it agrees with
    /// that of Redis.
    case clock
    /// A token of ours is dated ahead of this node's clock by more than the tolerance, though that is believed: an
    /// issuer's was wrong.
    case tokenAhead = "token_ahead"
    /// More tokens that have yet to be verified wait than this process is willing to hold.
    case overloaded
    /// The index was full, and the revocations that expire first were let go: the token's may have been among them.
    case indexFull = "index_full"

    public var description: String {
        switch self {
        case .leaseEnded: "the revocation feed cannot be heard"
        case .behind: "the position that X-Quash-Min asks for is not known to be applied here"
        case .noKeys: "no keys to verify with have been loaded"
        case .clock: "the clock of this node does not agree with that of Redis"
        case .tokenAhead: "the token is dated ahead: the clock of an issuer, or of this node, is wrong"
        case .overloaded: "too many tokens wait to be verified"
        case .indexFull: "the revocation index was full, and may have lost a revocation of this token"
        }
    }
}
