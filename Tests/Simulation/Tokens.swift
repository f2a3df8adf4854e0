import Quash
import QuashCrypto
import QuashJWT

/// A set of tokens, one bit each.
typealias TokenSet = UInt32

/// The tokens that the clients of every schedule hold, signed once for each process, and how each is revoked.
struct Tokens: Sendable {
    /// As it is presented.
    let compact: [[UInt8]]
    let revocations: [Revocation]
    /// In seconds since 1970.
    let expiries: [Int64]
    let keys: KeySet
    private let indices: [RevocationKey: Int]

    /// Those that may be revoked; the others never are.
    static let revocable = 12
    static let count = 16
    static let skew: Duration = .zero

    /// With tokens that are valid for longer than any schedule, jumps of the clocks included.
    static let lasting = Tokens(lifetime: 86_400)
    /// With tokens that expire after about two seconds.
    static let fleeting = Tokens(lifetime: 2)

    private init(lifetime: Int64) {
        guard let key = try? RSAPrivateKey.generate() else { preconditionFailure("no key can be made") }
        let signer = TokenSigner(key)
        guard let keys = try? KeySet([signer.publicKey]) else { preconditionFailure("the key makes no set") }
        self.keys = keys
        let issued = NodeClock.startSeconds - 3600
        var (compact, revocations, expiries): ([[UInt8]], [Revocation], [Int64]) = ([], [], [])
        for index in 0..<Self.count {
            // What is never revoked does not expire either.
            let expiry = NodeClock.startSeconds + (index < Self.revocable ? lifetime + Int64(index % 3) : 86_400)
            let claims = Claims(
                subject: "subject-\(index)", issuedAt: NumericDate(seconds: issued),
                expiresAt: NumericDate(seconds: expiry), id: "token-\(index)")
            guard let token = try? signer.sign(claims, type: .access) else { preconditionFailure("cannot sign") }
            compact.append(token)
            expiries.append(expiry)
            let isBounded = index % 3 == 2
            revocations.append(
                Revocation(
                    key: isBounded ? .subject("subject-\(index)") : .token("token-\(index)"),
                    issuedBefore: isBounded ? WallInstant(seconds: issued) : nil, expiresAtSeconds: UInt32(expiry)))
        }
        (self.compact, self.revocations, self.expiries) = (compact, revocations, expiries)
        indices = Dictionary(uniqueKeysWithValues: revocations.enumerated().map { ($1.key, $0) })
    }

    /// The tokens that these revoke.
    func set(of revocations: some Sequence<Revocation>) -> TokenSet {
        revocations.reduce(0) { set, revocation in indices[revocation.key].map { set | 1 << TokenSet($0) } ?? set }
    }

    func set(of bytes: [UInt8]) -> TokenSet { set(of: (try? RevocationCodec.decode(bytes)) ?? []) }

    /// When the token was issued, as a validator sees it.
    static let issued = WallInstant(seconds: NodeClock.startSeconds - 3600)

    static let policy = TokenPolicy(types: [.access])
}

/// The numbers in a set, in order.
func members(of set: TokenSet) -> [Int] { (0..<Tokens.count).filter { set >> TokenSet($0) & 1 == 1 } }
